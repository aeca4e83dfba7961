//! CloudWatch's OTLP endpoints: a server that computes the signature from what arrived, and refuses what differs.

mod support;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use std::io::Read;
use std::sync::{Arc, Mutex};
use support::{Extension, invocation_span, span};
use throughline_extension::http::serve;
use throughline_extension::sigv4::{Credentials, Scope, hex_digest};
use tokio::net::TcpListener;

/// Names of the spans in each request that was signed well.
type Taken = Arc<Mutex<Vec<Vec<String>>>>;

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        session_token: "a+session/token==".into(),
    }
}

/// Starts the server; it answers the container's requests for credentials, too.
async fn cloud_watch() -> (String, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let taken = Taken::default();
    let shared = Arc::clone(&taken);
    tokio::spawn(serve(listener, move |request| answer(request, Arc::clone(&shared))));
    (url, taken)
}

async fn answer(request: Request<Incoming>, taken: Taken) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().expect("text"));
    if parts.uri.path() == "/credentials" {
        assert_eq!(header("authorization"), "the-container's-token");
        let Credentials { access_key_id, secret_access_key, session_token } = credentials();
        let answer = serde_json::json!({
            "AccessKeyId": access_key_id, "SecretAccessKey": secret_access_key, "Token": session_token,
            "Expiration": "2030-01-01T00:00:00Z",
        });
        return Response::new(Full::from(answer.to_string()));
    }
    assert_eq!(parts.uri.path(), "/v1/traces");
    let body = body.collect().await.expect("a body").to_bytes();
    let (_, signed) = header("authorization").split_once("SignedHeaders=").expect("a signature");
    let signed = signed.split(',').next().expect("names").split(';');
    let signed: Vec<(String, String)> =
        signed.map(|name| (name.to_owned(), header(name).to_owned())).collect();
    for name in ["host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "content-type"] {
        assert!(signed.iter().any(|(signed, _)| signed == name), "{name} is signed");
    }
    let scope = Scope { time: header("x-amz-date"), region: "eu-west-1", service: "xray" };
    let payload = hex_digest(&body);
    let expected = credentials().authorization(scope, ("POST", parts.uri.path()), &signed, &payload);
    let mut response = Response::new(Full::default());
    if header("authorization") != expected || header("x-amz-content-sha256") != payload {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    assert_eq!(header("x-team"), "", "headers for all are not sent to AWS");
    let mut plain = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
    let request = ExportTraceServiceRequest::decode(plain.as_slice()).expect("OTLP");
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let names = scopes.flat_map(|scope| &scope.spans).map(|span| span.name.chars().take(9).collect());
    taken.lock().expect("no panic").push(names.collect());
    response
}

#[tokio::test]
async fn requests_are_signed_and_spans_that_are_too_large_left_out() {
    let (url, taken) = cloud_watch().await;
    let Credentials { access_key_id, secret_access_key, session_token } = credentials();
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "aws"),
        ("THROUGHLINE_EXPORT_HEADERS", "x-team=blue"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", &access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &secret_access_key),
        ("AWS_SESSION_TOKEN", &session_token),
        ("AWS_ENDPOINT_URL_XRAY", &url),
    ])
    .await;
    extension.invocation("r0", "s0").await;
    assert_eq!(*taken.lock().expect("no panic"), [["s0"]]);
    let too_large = span(&"x".repeat(200_001));
    extension.hand_over(&[span("s1"), too_large, span("s2")]).await;
    let summary = extension.shut_down().await;
    assert_eq!(taken.lock().expect("no panic").concat(), ["s0", "s1", "s2"]);
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["dropped"]), (&3.into(), &1.into()));
    let lines = extension.lines();
    let dropped = lines.iter().find(|line| line["reason"] == "refused").expect("a line");
    assert!(dropped["message"].as_str().is_some_and(|text| text.contains("200000")), "{dropped}");
    assert!(!format!("{lines:?}").contains("wJalr"), "no secret in the log");
}

#[tokio::test]
async fn under_snap_start_the_container_gives_the_credentials() {
    let (url, taken) = cloud_watch().await;
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "aws"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{url}/credentials")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the-container's-token"),
        ("AWS_ENDPOINT_URL_XRAY", &url),
    ])
    .await;
    extension.hand_over(&[invocation_span("r0", "s0")]).await;
    let summary = extension.shut_down().await;
    assert_eq!(*taken.lock().expect("no panic"), [["s0"]]);
    assert_eq!(summary["spans"]["exported"], 1);
}

#[tokio::test]
async fn what_a_wrong_key_signed_is_kept_and_written_down() {
    let (url, taken) = cloud_watch().await;
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "aws"),
        ("THROUGHLINE_BUDGET_MS", "250"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "another"),
        ("AWS_SESSION_TOKEN", "a+session/token=="),
        ("AWS_ENDPOINT_URL_XRAY", &url),
    ])
    .await;
    extension.invocation("r0", "s0").await;
    let summary = extension.shut_down().await;
    assert!(taken.lock().expect("no panic").is_empty());
    assert_eq!((&summary["spans"]["spilled"], &summary["spans"]["dropped"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn a_check_goes_to_both_addresses() {
    let (url, _) = cloud_watch().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
    let Credentials { access_key_id, secret_access_key, session_token } = credentials();
    let mut check = tokio::process::Command::new(env!("CARGO_BIN_EXE_throughline-extension"));
    check.env_clear().args(["--check", "--json"]).envs([
        ("THROUGHLINE_EXPORT_ENDPOINT", "aws"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", &access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &secret_access_key),
        ("AWS_SESSION_TOKEN", &session_token),
        ("AWS_ENDPOINT_URL_XRAY", &url),
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &format!("http://{gone}")),
    ]);
    let output = check.output().await.expect("it runs");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let steps = told["destinations"][0]["steps"].as_array().expect("steps");
    let steps: Vec<_> = steps.iter().map(|step| (step["step"].as_str(), step["ok"].as_bool())).collect();
    let [name, connect, request] = ["name", "connect", "request"].map(Some);
    let [yes, no] = [Some(true), Some(false)];
    assert_eq!(steps, [(name, yes), (connect, yes), (request, yes), (name, yes), (connect, no)], "{told}");
    assert_eq!((told["grade"].as_str(), output.status.code()), (Some("error"), Some(2)));
}
