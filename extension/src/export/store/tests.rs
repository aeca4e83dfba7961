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
use tokio::time::{Instant, timeout};

const TABLE: &str = "traces";

/// Status and body; without it the request is never answered.
type Answer = fn(usize, &Value) -> Option<(u16, Value)>;

#[derive(Debug, Default)]
struct Seen {
    /// The bodies of requests that were signed well.
    requests: Vec<Value>,
    connections: usize,
}

/// The table, and a store that writes into it.
struct Table {
    store: TraceStore,
    seen: Arc<Mutex<Seen>>,
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

async fn table(answer: Answer) -> Table {
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

fn refused(code: &str, message: &str) -> Option<(u16, Value)> {
    Some((400, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message })))
}

fn taken() -> Option<(u16, Value)> {
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
fn spans(request_id: &str) -> Batch {
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
fn logs() -> Batch {
    let record = |attributes| LogRecord { time_unix_nano: now_nanos(), attributes, ..LogRecord::default() };
    let log_records = vec![record(vec![text("faas.invocation_id", "r-1")]), record(Vec::new())];
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    let bytes = ExportLogsServiceRequest { resource_logs }.encode_to_vec().into();
    Batch { signal: Signal::Logs, entries: vec![Entry::new(Signal::Logs, bytes, 2, None)] }
}

impl Table {
    async fn send(&mut self, batch: &Batch) -> Outcome {
        self.send_with(batch, true).await
    }

    async fn send_with(&mut self, batch: &Batch, again: bool) -> Outcome {
        let patience = Patience { until: Instant::now() + Duration::from_secs(20), again };
        self.store.send(batch, patience).await
    }

    /// The kinds of the items of each request, in their order.
    fn kinds(&self) -> Vec<Vec<String>> {
        let kind = |item: &Value| item.as_str().expect("a key").split('#').next().expect("a kind").to_owned();
        let of = |request: &Value| items(request).iter().map(|item| kind(&item["pk"]["S"])).collect();
        self.seen.lock().expect("no panic").requests.iter().map(of).collect()
    }
}

fn items(request: &Value) -> Vec<&Value> {
    let writes = request["RequestItems"][TABLE].as_array().expect("items");
    writes.iter().map(|write| &write["PutRequest"]["Item"]).collect()
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { rejected: 0, .. })
}

#[tokio::test]
async fn spans_then_what_points_to_them_over_one_connection_for_each_flush() {
    let mut table = table(|_, _| taken()).await;
    assert!(is_delivered(&table.send(&spans("r-1")).await));
    assert_eq!(table.kinds(), [vec!["spans"], vec!["trace", "runs", "begun", "totals"]]);
    assert_eq!(table.seen.lock().expect("no panic").connections, 1);
    assert!(is_delivered(&table.send(&spans("r-2")).await));
    assert_eq!(table.seen.lock().expect("no panic").connections, 2, "none is trusted across a freeze");
    assert!(!table.store.take_unanswered());
    assert_eq!(table.send(&Batch { signal: Signal::Metrics, ..spans("r-3") }).await, Outcome::Unsupported);
}

#[tokio::test]
async fn log_lines_of_nobody_are_counted_as_refused() {
    let mut table = table(|_, _| taken()).await;
    let outcome = table.send(&logs()).await;
    assert!(matches!(outcome, Outcome::Delivered { rejected: 1, .. }), "{outcome:?}");
    assert_eq!(table.kinds(), [["logs"]]);
}

#[tokio::test]
async fn what_is_left_unprocessed_and_throttled_is_written_again() {
    let mut table = table(|n, request| match n {
        0 => Some((200, json!({ "UnprocessedItems": request["RequestItems"] }))),
        1 => refused("ThrottlingException", "slowly"),
        2 => Some((500, json!({ "__type": "InternalServerError" }))),
        _ => taken(),
    })
    .await;
    assert!(is_delivered(&table.send(&spans("r-1")).await));
    let seen = table.seen.lock().expect("no panic");
    assert_eq!(seen.requests.len(), 5);
    assert!(seen.requests[..4].iter().all(|request| *request == seen.requests[0]), "as it was");
}

#[tokio::test]
async fn after_a_flush_that_failed_one_request_is_enough() {
    let mut table = table(|_, _| refused("ProvisionedThroughputExceededException", "slowly")).await;
    let outcome = table.send_with(&spans("r-1"), false).await;
    assert!(matches!(&outcome, Outcome::Failed { why, .. } if why.contains("slowly")), "{outcome:?}");
    assert_eq!(table.seen.lock().expect("no panic").requests.len(), 1);
}

/// The spans were written, what points to them was not: it comes again, and counts once.
#[tokio::test]
async fn what_is_written_again_is_the_same() {
    let mut table = table(|n, _| match n {
        1 => refused("AccessDeniedException", "no"),
        _ => taken(),
    })
    .await;
    let batch = spans("r-1");
    assert!(matches!(table.send(&batch).await, Outcome::Failed { .. }));
    assert!(is_delivered(&table.send(&batch).await));
    let seen = table.seen.lock().expect("no panic");
    let [spans, index, spans_again, index_again] = seen.requests.as_slice() else { panic!("four requests") };
    assert_eq!((spans, index), (spans_again, index_again));
}

#[tokio::test]
async fn what_helps_is_told() {
    type Case = (Answer, &'static str);
    let cases: [Case; 4] = [
        (
            |_, _| refused("AccessDeniedException", "not authorized"),
            "needs dynamodb:BatchWriteItem on traces",
        ),
        (|_, _| refused("ResourceNotFoundException", "not found"), "no table traces in eu-west-1"),
        (
            |_, _| refused("ValidationException", "The provided key element does not match the schema"),
            "is no trace store",
        ),
        (|_, _| refused("ExpiredTokenException", "too old"), "too old"),
    ];
    for (answer, told) in cases {
        let mut table = table(answer).await;
        let outcome = table.send(&spans("r-1")).await;
        assert!(matches!(&outcome, Outcome::Failed { why, .. } if why.contains(told)), "{outcome:?}");
        assert_eq!(table.seen.lock().expect("no panic").requests.len(), 1, "asked once");
        assert!(table.store.check().await.expect_err("refused").contains(told));
    }
}

#[tokio::test]
async fn what_can_never_be_taken_is_refused() {
    let mut table = table(|_, _| refused("ValidationException", "Item size has exceeded")).await;
    let outcome = table.send(&spans("r-1")).await;
    assert!(matches!(outcome, Outcome::Refused { divisible: true, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_check_puts_an_item_that_nobody_reads() {
    let mut table = table(|_, _| taken()).await;
    table.store.check().await.expect("it may write");
    assert_eq!(table.kinds(), [["check"]]);
}

#[tokio::test]
async fn who_never_answers_may_have_it() {
    let mut table = table(|_, _| None).await;
    let batch = spans("r-1");
    let sent = timeout(Duration::from_millis(300), table.send(&batch)).await;
    assert!(sent.is_err() && table.store.take_unanswered() && !table.store.take_unanswered());
}

/// Answers each connection's first request so, then closes it; of which there are `most`.
async fn raw(answer: &'static str, most: usize) -> TraceStore {
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

#[tokio::test]
async fn half_an_answer_is_none_and_a_closed_connection_is_replaced() {
    let patience = || Patience { until: Instant::now() + Duration::from_secs(20), again: false };
    let mut half = raw("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"Unpro", 1).await;
    let outcome = half.send(&spans("r-1"), patience()).await;
    assert!(matches!(&outcome, Outcome::Failed { why, .. } if why.contains("answered 200")), "{outcome:?}");
    // It says nothing of closing, and closes.
    let mut closing = raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 2).await;
    assert!(is_delivered(&closing.send(&spans("r-1"), patience()).await));
    assert!(!closing.take_unanswered());
    // Nobody is there any more.
    let outcome = closing.send(&spans("r-2"), Patience { again: true, ..patience() }).await;
    assert!(matches!(outcome, Outcome::Unreachable(_)), "{outcome:?}");
}
