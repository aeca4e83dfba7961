//! The table in the place of a script: what it answers to the n-th request.

use super::{Store, TraceStore};
use crate::buffer::{Batch, Entry};
use crate::export::connector::Connector;
use crate::export::destination::Patience;
use crate::export::{Outcome, Source};
use crate::http::speak;
use crate::otlp::Signal;
use crate::sigv4::{Credentials, Scope, hex_digest};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value as AnyOf};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

const TABLE: &str = "traces";

/// Status and body; without it the request is never answered.
pub(super) type Answer = fn(usize, &Value) -> Option<(u16, Value)>;

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The bodies of requests that were signed well.
    pub(super) requests: Vec<Value>,
    pub(super) connections: usize,
}

/// The table, and a store that writes into it.
pub(super) struct Table {
    pub(super) store: TraceStore,
    pub(super) seen: Arc<Mutex<Seen>>,
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "hunter2".into(),
        session_token: "a+token==".into(),
    }
}

fn store(port: u16) -> TraceStore {
    let settings = Store {
        table: TABLE.into(),
        region: "eu-west-1".into(),
        source: Source::Environment(credentials()),
        endpoint: crate::endpoint::Endpoint::parse(&format!("http://127.0.0.1:{port}")).expect("a URL"),
        sandbox: "2026/11/22/[$LATEST]00".into(),
        retention: Duration::from_secs(86_400),
        index: vec!["user.id".into()],
    };
    TraceStore::new(settings, &Connector::new(0))
}

pub(super) async fn table(answer: Answer) -> Table {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let store = store(listener.local_addr().expect("bound").port());
    let seen = Arc::<Mutex<Seen>>::default();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.lock().expect("no panic").connections += 1;
            let shared = Arc::clone(&shared);
            tokio::spawn(speak(stream, move |request| answered(request, answer, Arc::clone(&shared))));
        }
    });
    Table { store, seen }
}

async fn answered(
    request: Request<Incoming>,
    answer: Answer,
    seen: Arc<Mutex<Seen>>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().expect("text"));
    let body = body.collect().await.expect("a body").to_bytes();
    assert_eq!((parts.method.as_str(), parts.uri.path()), ("POST", "/"));
    assert_eq!(header("x-amz-target"), "DynamoDB_20120810.BatchWriteItem");
    assert_eq!(header("content-type"), "application/x-amz-json-1.0");
    let (_, signed) = header("authorization").split_once("SignedHeaders=").expect("a signature");
    let signed: Vec<(String, String)> = signed
        .split(',')
        .next()
        .expect("names")
        .split(';')
        .map(|name| (name.to_owned(), header(name).to_owned()))
        .collect();
    for name in ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"] {
        assert!(signed.iter().any(|(signed, _)| signed == name), "{name} is signed");
    }
    let scope = Scope { time: header("x-amz-date"), region: "eu-west-1", service: "dynamodb" };
    let expected = credentials().authorization(scope, ("POST", "/"), &signed, &hex_digest(&body));
    assert_eq!(header("authorization"), expected);
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let answer = {
        let mut seen = seen.lock().expect("no panic");
        seen.requests.push(body.clone());
        answer(seen.requests.len() - 1, &body)
    };
    let Some((status, body)) = answer else { std::future::pending().await };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

pub(super) fn refused(code: &str, message: &str) -> Option<(u16, Value)> {
    Some((400, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message })))
}

pub(super) fn taken() -> Option<(u16, Value)> {
    Some((200, json!({})))
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(AnyOf::StringValue(value.into())) };
    KeyValue { key: key.into(), value: Some(value), ..KeyValue::default() }
}

fn now_nanos() -> u64 {
    crate::facts::unix_nanos(std::time::SystemTime::now())
}

/// One invocation of a function.
pub(super) fn spans(request_id: &str) -> Batch {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "f".into(),
        start_time_unix_nano: now_nanos(),
        end_time_unix_nano: now_nanos(),
        attributes: vec![text("faas.invocation_id", request_id)],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
    Batch { signal: Signal::Traces, entries: vec![Entry::new(Signal::Traces, bytes, 1, None)] }
}

/// Log lines: one of an invocation, one of nobody.
pub(super) fn logs() -> Batch {
    let record = |attributes| LogRecord { time_unix_nano: now_nanos(), attributes, ..LogRecord::default() };
    let log_records = vec![record(vec![text("faas.invocation_id", "r-1")]), record(Vec::new())];
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let bytes = ExportLogsServiceRequest { resource_logs }.encode_to_vec().into();
    Batch { signal: Signal::Logs, entries: vec![Entry::new(Signal::Logs, bytes, 2, None)] }
}

impl Table {
    pub(super) async fn send(&mut self, batch: &Batch) -> Outcome {
        self.send_with(batch, true).await
    }

    pub(super) async fn send_with(&mut self, batch: &Batch, again: bool) -> Outcome {
        let patience = Patience { until: Instant::now() + Duration::from_secs(20), again };
        self.store.send(batch, patience).await
    }

    /// The kinds of the items of each request, in their order.
    pub(super) fn kinds(&self) -> Vec<Vec<String>> {
        let kind = |item: &Value| item.as_str().expect("a key").split('#').next().expect("a kind").to_owned();
        let of = |request: &Value| items(request).iter().map(|item| kind(&item["pk"]["S"])).collect();
        self.seen.lock().expect("no panic").requests.iter().map(of).collect()
    }
}

fn items(request: &Value) -> Vec<&Value> {
    let writes = request["RequestItems"][TABLE].as_array().expect("items");
    writes.iter().map(|write| &write["PutRequest"]["Item"]).collect()
}

pub(super) fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { rejected: 0, .. })
}

/// Answers each connection's first request so, then closes it; of which there are `most`.
pub(super) async fn raw(answer: &'static str, most: usize) -> TraceStore {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let store = store(listener.local_addr().expect("bound").port());
    tokio::spawn(async move {
        for _ in 0..most {
            let (stream, _) = listener.accept().await.expect("a connection");
            read_request(stream, answer).await;
        }
    });
    store
}

async fn read_request(mut stream: TcpStream, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"}]}}") {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.expect("a request");
        request.extend_from_slice(&buffer[..read]);
    }
    stream.write_all(answer.as_bytes()).await.expect("it is read");
}
