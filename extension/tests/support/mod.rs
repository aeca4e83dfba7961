//! Lambda's APIs and an OTLP backend, scripted, for the real binary. Each is a hyper server of a few
//! lines in the test's own process.
#![allow(dead_code, unreachable_pub, unused_imports)] // each test file is a crate of its own and uses a part

mod backend;
mod extension;
mod lambda_api;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, Request};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use throughline_extension::http::{Reply, exchange};
use tokio::net::TcpStream;

pub use backend::Backend;
pub use extension::Extension;
pub use lambda_api::Lambda;

/// Far above anything that a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `found` finds something.
pub async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

pub fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

pub fn span(name: &str) -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.into(), ..Span::default() }
}

pub fn invocation_span(request_id: &str, name: &str) -> Span {
    let value = Some(AnyValue { value: Some(Value::StringValue(request_id.into())) });
    let attributes = vec![KeyValue { key: "faas.invocation_id".into(), value, ..KeyValue::default() }];
    Span { attributes, ..span(name) }
}

pub fn request(spans: &[Span]) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans: spans.to_vec(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

fn names(request: &ExportTraceServiceRequest) -> Vec<String> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect()
}

pub async fn send(port: u16, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let request = request.body(Full::from(body)).expect("a request");
    tokio::time::timeout(PATIENCE, exchange(stream, request, 1 << 20))
        .await
        .expect("in time")
        .expect("an answer")
}

pub async fn post(port: u16, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    send(port, Method::POST, path, headers, body).await
}
