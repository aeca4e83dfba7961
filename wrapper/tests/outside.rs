//! A program outside Lambda, as a process: a service that polls a queue and sends to another, with a collector beside it.
//!
//! The process's own tracer reads its environment once, so this test has no harness: it is the collector, and starts
//! itself again as the service.

use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_sqs::config::{AsyncSleep, BehaviorVersion, Region, Sleep};
use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use throughline::batch;

const SENDER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ARN: &str = "arn:aws:sqs:eu-west-1:123456789012:orders";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::args_os().any(|argument| argument == "service") {
        return if runtime.block_on(service()) { ExitCode::SUCCESS } else { LOST.into() };
    }
    for export in [Export::Collector, Export::Stdout, Export::Nowhere] {
        runtime.block_on(in_the_transaction_of_the_sender(export));
    }
    ExitCode::SUCCESS
}

/// How the service ends if not all spans were taken.
const LOST: u8 = 3;

/// Where the service is told to send its spans.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Export {
    Collector,
    Stdout,
    Nowhere,
}

/// What stands between the client and SQS: it says on stdout what it was asked.
#[derive(Clone, Debug)]
struct Captured;

impl HttpConnector for Captured {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        println!("{}", std::str::from_utf8(request.body().bytes().unwrap()).unwrap());
        let body = SdkBody::from(r#"{"MessageId":"m-2","MD5OfMessageBody":"x"}"#);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(StatusCode::try_from(200).unwrap(), body)))
    }
}

impl HttpClient for Captured {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// The client asks for one; nothing here is tried again.
#[derive(Debug)]
struct NoSleep;

impl AsyncSleep for NoSleep {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::pending())
    }
}

/// The program: what it received it passes on, in the transaction of each message. Whether all its spans were taken.
async fn service() -> bool {
    let client = aws_sdk_sqs::Client::from_conf(
        aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "tests"))
            .http_client(Captured)
            .sleep_impl(NoSleep)
            .interceptor(throughline::aws::interceptor())
            .build(),
    );
    let send = |body: &'static str| {
        let call =
            client.send_message().queue_url("https://sqs.eu-west-1.amazonaws.com/123456789012/payments");
        async move { call.message_body(body).send().await.map(drop) }
    };
    let context = MessageAttributeValue::builder().data_type("String").string_value(SENDER).build().unwrap();
    let received =
        Message::builder().message_id("m-1").body("order").message_attributes("traceparent", context);
    let event = batch::sqs_event(ARN, [received.build()]);
    let response = batch::sqs(event, |_| send("batch")).await;
    assert!(response.batch_item_failures.is_empty());

    throughline::transaction("nightly report", send("job")).await.unwrap();
    send("alone").await.unwrap();
    throughline::flush().await
}

async fn in_the_transaction_of_the_sender(export: Export) {
    let (port, collected) = collector().await;
    let mut service = Command::new(std::env::current_exe().unwrap());
    service.arg("service").env_remove("AWS_LAMBDA_RUNTIME_API");
    for name in
        ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "THROUGHLINE_EXPORT_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
    {
        service.env_remove(name);
    }
    match export {
        Export::Collector => service.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")),
        Export::Stdout => service.env("THROUGHLINE_EXPORT_ENDPOINT", "stdout"),
        Export::Nowhere => &mut service,
    };
    let output = tokio::task::spawn_blocking(move || service.output().unwrap()).await.unwrap();
    let (stdout, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let expected = if export == Export::Nowhere { LOST } else { 0 };
    assert_eq!(output.status.code(), Some(i32::from(expected)), "{export:?}: {stdout}{said}");

    let (requests, written): (Vec<_>, Vec<_>) = stdout.lines().partition(|line| line.contains("MessageBody"));
    let requests: Vec<serde_json::Value> =
        requests.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let parents: Vec<_> = requests
        .iter()
        .map(|request| {
            request["MessageAttributes"]["traceparent"]["StringValue"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(parents.len(), 3);
    assert_eq!(parents[0][..35], SENDER[..35], "the sender's trace");

    let written = written.iter().flat_map(|line| spans_of(serde_json::from_str(line).unwrap()));
    let spans: Vec<Span> = collected.lock().unwrap().drain(..).chain(written).collect();
    if export == Export::Nowhere {
        assert!(spans.is_empty());
        let [line] =
            said.lines().collect::<Vec<_>>().try_into().expect("one line says that spans are dropped");
        assert!(
            line.contains("no endpoint is set") && line.contains("OTEL_EXPORTER_OTLP_ENDPOINT"),
            "{line}"
        );
        return;
    }
    assert_eq!(said, "");
    let named = |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name == name).collect() };
    let sends = named("send payments");
    assert_eq!(spans.len(), 6, "{spans:?}");
    for (span, parent) in sends.iter().zip(&parents) {
        assert_eq!(format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id)), *parent);
    }
    let records = named("process orders");
    // The batch is the sender's child, the record the batch's, the call the record's.
    assert!(records.iter().any(|span| hex(&span.parent_span_id) == SENDER[36..52]));
    assert!(records.iter().any(|span| span.span_id == sends[0].parent_span_id));
    assert_eq!(named("nightly report")[0].span_id, sends[1].parent_span_id);
    assert!(sends[2].parent_span_id.is_empty());
    println!("outside Lambda: six spans of three transactions, export: {export:?}");
}

fn spans_of(request: ExportTraceServiceRequest) -> impl Iterator<Item = Span> {
    request.resource_spans.into_iter().flat_map(|it| it.scope_spans).flat_map(|it| it.spans)
}

/// An OTLP receiver on loopback.
async fn collector() -> (u16, Arc<Mutex<Vec<Span>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
    let kept = spans.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = kept.clone();
            let receive = service_fn(move |request: http::Request<Incoming>| {
                let kept = kept.clone();
                async move {
                    assert_eq!(request.uri().path(), "/v1/traces");
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let request = ExportTraceServiceRequest::decode(body).unwrap();
                    kept.lock().unwrap().extend(spans_of(request));
                    Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<Bytes>::new()))
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), receive),
            );
        }
    });
    (port, spans)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
