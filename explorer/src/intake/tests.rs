use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use throughline_store::{Options, embedded};

use super::*;

/// An intake into a store in memory, and what it told of.
struct Sent {
    intake: Intake,
    store: Store,
    told: Arc<AtomicUsize>,
}

async fn intake() -> Sent {
    let database = dynoxide::Database::memory().unwrap();
    let store = Store::new(embedded::client(database), "traces");
    store.create_table().await.unwrap();
    let told = Arc::<AtomicUsize>::default();
    let count = told.clone();
    let heard = move |_: &_| {
        let count = count.clone();
        Box::new(move || _ = count.fetch_add(1, Ordering::SeqCst)) as Box<dyn FnOnce() + Send>
    };
    let intake = Intake::new(store.writer("test", Options::default()), Arc::new(heard));
    Sent { intake, store, told }
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
        assert_eq!((found.spans.len(), sent.told.load(Ordering::SeqCst)), (1, 1));
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_metrics_are_forgotten() {
    let sent = intake().await;
    let (status, body) = post(&sent, "/v1/traces", "application/json", b"[".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&body).contains("no request of OTLP"));
    let (status, _) = post(&sent, "/v1/metrics", "application/x-protobuf", vec![0xff]).await;
    assert_eq!((status, sent.told.load(Ordering::SeqCst)), (StatusCode::OK, 0));
}
