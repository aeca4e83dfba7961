//! What may be posted to the extension, and that it goes on after what may not.

mod support;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use std::io::Write;
use std::process::Command;
use support::{Backend, Extension, post, request, send, span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn hostile_posts_are_refused_and_it_goes_on() {
    let mut extension = Extension::start(&[]).await;
    let port = extension.port;
    let good = request(&[span("good")]).encode_to_vec();
    // 200 MiB: gzip members may be put one after the other.
    let bomb = gzip(&vec![0; 1024 * 1024]).repeat(200);
    assert!(bomb.len() < 1024 * 1024);
    for (what, headers, body, status) in [
        ("noise", vec![PROTOBUF], b"\xff\xff\xff\xff".to_vec(), 400),
        ("cut off", vec![PROTOBUF], good[..good.len() - 1].to_vec(), 400),
        ("broken JSON", vec![JSON], b"{\"resourceSpans\":[".to_vec(), 400),
        ("not gzip", vec![PROTOBUF, GZIP], good.clone(), 400),
        ("zip bomb", vec![PROTOBUF, GZIP], bomb, 413),
        ("oversized", vec![PROTOBUF], vec![0; 5 * 1024 * 1024], 413),
        ("text", vec![("content-type", "text/plain")], good.clone(), 415),
        ("not zstd", vec![PROTOBUF, ZSTD], good.clone(), 400),
        (
            "zstd bomb",
            vec![PROTOBUF, ZSTD],
            zstd::encode_all(&*vec![0; 100 * 1024 * 1024], 1).expect("memory"),
            413,
        ),
        ("brotli", vec![PROTOBUF, ("content-encoding", "br")], good.clone(), 415),
    ] {
        assert_eq!(post(port, "/v1/traces", &headers, body).await.status, status, "{what}");
    }
    assert_eq!(post(port, "/v1/spans", &[PROTOBUF], good.clone()).await.status, 404);
    assert_eq!(post(port, "/", &[PROTOBUF], good.clone()).await.status, 404);
    let wrong_method = send(port, Method::GET, "/v1/traces", &[], Vec::new()).await;
    assert_eq!((wrong_method.status.as_u16(), wrong_method.headers["allow"].as_bytes()), (405, &b"POST"[..]));

    extension.invocation("r1", "still alive").await;
    let summary = extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["still alive"]);
    assert_eq!(summary["spans"]["received"], 1);
}

#[tokio::test]
async fn every_encoding_arrives_over_one_connection_that_is_kept() {
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    let stream = TcpStream::connect(("127.0.0.1", extension.port)).await.expect("it listens");
    let (mut sender, connection) =
        http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let json = |name: &str| serde_json::to_vec(&request(&[span(name)])).expect("JSON");
    let protobuf = |name: &str| request(&[span(name)]).encode_to_vec();
    for (headers, body) in [
        (vec![PROTOBUF], protobuf("s0")),
        (vec![PROTOBUF, GZIP], gzip(&protobuf("s1"))),
        (vec![JSON], json("s2")),
        (vec![JSON, GZIP], gzip(&json("s3"))),
        (vec![PROTOBUF, ZSTD], zstd::encode_all(&*protobuf("s4"), 3).expect("memory")),
    ] {
        let mut request = Request::post("/v1/traces").header("host", "127.0.0.1");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::from(body)).expect("a request")).await;
        let response = response.expect("the connection is kept");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &headers[0].1.parse().expect("a header"))
        );
        response.into_body().collect().await.expect("an answer");
    }
    extension.shut_down().await;
    assert_eq!(backend.state().spans, ["s0", "s1", "s2", "s3", "s4"]);
    assert_eq!(backend.state().requests.len(), 1, "they left as one");
}

#[tokio::test]
async fn senders_that_stall_hold_nobody_up() {
    let mut extension = Extension::start(&[]).await;
    let mut stalled = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(("127.0.0.1", extension.port)).await.expect("it listens");
        let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        stalled.push(stream);
    }
    assert_eq!(extension.hand_over(&[span("quick")]).await, 200);
    let none_was_answered = stalled.iter().all(|stream| stream.try_read(&mut [0]).is_err());
    assert!(none_was_answered, "it was not their end that made room");
    let mut answer = String::new();
    stalled[0].read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["quick"]);
}

#[tokio::test]
async fn metrics_and_logs_are_taken_too() {
    let mut extension = Extension::start(&[]).await;
    let logs = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
    let metrics = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m"}]}]}]}"#;
    assert_eq!(post(extension.port, "/v1/logs", &[JSON], logs.to_vec()).await.status, 200);
    assert_eq!(post(extension.port, "/v1/metrics", &[JSON], metrics.to_vec()).await.status, 200);
    let summary = extension.shut_down().await;
    assert_eq!(
        (&summary["log_records"]["exported"], &summary["metrics"]["exported"]),
        (&1.into(), &1.into())
    );
    let lines = extension.lines();
    assert!(lines.iter().any(|line| line.get("resourceLogs").is_some()));
    assert!(lines.iter().any(|line| line.get("resourceMetrics").is_some()));
}

#[tokio::test]
async fn a_taken_port_is_passed_over() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = taken.local_addr().expect("bound").port();
    let mut extension = Extension::start(&[("THROUGHLINE_LISTEN", &format!("127.0.0.1:{port}"))]).await;
    assert_ne!(extension.port, port);
    extension.invocation("r1", "found by the port file").await;
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["found by the port file"]);
}

#[tokio::test]
async fn bad_configuration_is_said_and_stops_nothing() {
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", "https://me:hunter2@nowhere"),
        ("THROUGHLINE_BUFFER_BYTES", "much"),
        ("THROUGHLINE_EXPORT_PROTOCOL", "grpc"),
    ])
    .await;
    extension.invocation("r1", "anyway").await;
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["anyway"]);
    let lines = extension.lines();
    let warned: Vec<_> =
        lines.iter().filter(|line| line["level"] == "WARN").map(|line| &line["variable"]).collect();
    assert_eq!(
        warned,
        ["THROUGHLINE_BUFFER_BYTES", "THROUGHLINE_EXPORT_PROTOCOL", "THROUGHLINE_EXPORT_ENDPOINT"]
    );
    assert!(!lines.iter().any(|line| line.to_string().contains("hunter2")));
}

#[test]
fn people_who_run_it_by_hand_are_told_what_it_is() {
    let run = |args: &[&str]| {
        let binary = env!("CARGO_BIN_EXE_throughline-extension");
        let output = Command::new(binary).env_clear().args(args).output().expect("the binary runs");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        (output.status.code(), text)
    };
    let (code, help) = run(&["--help"]);
    assert!(code == Some(0) && help.contains("THROUGHLINE_EXPORT_ENDPOINT"), "{help}");
    let (code, version) = run(&["--version"]);
    assert_eq!(
        (code, version.trim()),
        (Some(0), concat!("throughline-extension ", env!("CARGO_PKG_VERSION")))
    );
    let (code, line) = run(&[]);
    assert!(
        code == Some(2) && line.contains("AWS_LAMBDA_RUNTIME_API") && line.lines().count() == 1,
        "{line}"
    );
}
