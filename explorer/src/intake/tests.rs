use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use throughline_store::Options;

use super::*;

/// An intake into a store in memory, and what it told of.
struct Sent {
    intake: Intake,
    store: Store,
    told: Told,
}

async fn intake() -> Sent {
    let database = dynoxide::Database::memory().unwrap();
    let store = Store::embedded(database, "traces");
    store.create_table().await.unwrap();
    let told = Told::default();
    let intake = Intake::new(store.writer("test", Options::default()), told.clone());
    Sent { intake, store, told }
}

/// How many requests were told of, and how many were not taken whole.
#[derive(Clone, Default)]
struct Told(Arc<[AtomicUsize; 2]>);

impl Hear for Told {
    fn spans(&self, _: &ExportTraceServiceRequest) -> Box<dyn FnOnce() + Send> {
        let told = self.clone();
        Box::new(move || _ = told.0[0].fetch_add(1, Ordering::SeqCst))
    }

    fn rejected(&self, _: Signal, _: &Rejected) {
        self.0[1].fetch_add(1, Ordering::SeqCst);
    }

    fn http2(&self) {}
}

impl Told {
    fn count(&self) -> [usize; 2] {
        [0, 1].map(|at| self.0[at].load(Ordering::SeqCst))
    }
}

fn spans() -> ExportTraceServiceRequest {
    let span = Span { trace_id: vec![7; 16], span_id: vec![7; 8], name: "work".into(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

async fn post(sent: &Sent, path: &str, content_type: &str, body: Vec<u8>) -> (StatusCode, Bytes) {
    let request = Request::post(path).header("host", "localhost").header("content-type", content_type);
    let answer =
        sent.intake.clone().answer(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
    (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_store() {
    let (protobuf, json) = ("application/x-protobuf", "application/json");
    for (content_type, body, empty) in [
        (protobuf, spans().encode_to_vec(), &b""[..]),
        (json, serde_json::to_vec(&spans()).unwrap(), &b"{}"[..]),
    ] {
        let sent = intake().await;
        let answer = post(&sent, "/v1/traces", content_type, body).await;
        assert_eq!(answer, (StatusCode::OK, Bytes::from_static(empty)));
        let found = sent.store.reader(SystemTime::now()).transaction(&"07".repeat(16)).await.unwrap().found;
        assert_eq!((found.spans.len(), sent.told.count()), (1, [1, 0]));
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_metrics_are_forgotten() {
    let sent = intake().await;
    let (status, body) = post(&sent, "/v1/traces", "application/json", b"[".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&body).contains("no request of OTLP"));
    let (status, _) = post(&sent, "/v1/metrics", "application/x-protobuf", vec![0xff]).await;
    assert_eq!((status, sent.told.count()), (StatusCode::OK, [0, 0]));
}

#[tokio::test]
async fn what_is_no_span_is_rejected_and_the_others_are_in_the_store() {
    let sent = intake().await;
    let mut request = serde_json::to_value(spans()).unwrap();
    let list = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap();
    let mut bad = list[0].clone();
    (bad["spanId"], bad["startTimeUnixNano"]) = ("08".repeat(8).into(), "-1".into());
    let mut nobody = list[0].clone();
    nobody["spanId"] = "".into();
    list.extend([bad, nobody]);
    let (status, body) = post(&sent, "/v1/traces", "application/json", request.to_string().into()).await;
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let partial = &body["partialSuccess"];
    assert_eq!((status, &partial["rejectedSpans"]), (StatusCode::OK, &"2".into()), "{body}");
    assert!(partial["errorMessage"].as_str().unwrap().starts_with("startTimeUnixNano: "), "{body}");
    let found = sent.store.reader(SystemTime::now()).transaction(&"07".repeat(16)).await.unwrap().found;
    assert_eq!((found.spans.len(), sent.told.count()), (1, [1, 1]));
}

#[tokio::test]
async fn log_lines_that_nobody_would_find_are_rejected() {
    let sent = intake().await;
    let line = |trace: &str| serde_json::json!({ "traceId": trace, "body": { "stringValue": "said" } });
    let lines = [line(&"07".repeat(16)), line("")];
    let request = serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": lines }] }] });
    let (status, body) = post(&sent, "/v1/logs", "application/json", request.to_string().into()).await;
    let body = String::from_utf8_lossy(&body);
    assert!(status == StatusCode::OK && body.contains(r#""rejectedLogRecords":"1""#), "{body}");
}
