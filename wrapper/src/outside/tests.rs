use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind as OtlpKind;

use super::*;
use crate::context;
use crate::testing::{Extension, now, text};

tokio::task_local! {
    /// The tracer of a test that is outside Lambda.
    pub(crate) static TRACER: Arc<Tracer>;
}

/// A service with a collector beside it.
fn service(collector: &Extension) -> Arc<Tracer> {
    let endpoint = format!("http://127.0.0.1:{}", collector.port());
    Tracer::outside(
        &|key| match key {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_SERVICE_NAME" => Some("poller".to_owned()),
            _ => None,
        },
        now,
    )
}

/// Runs `work` in a service; its spans, and what it gave.
pub(crate) async fn in_service<T>(work: impl Future<Output = T>) -> (Vec<Span>, T) {
    let collector = Extension::start().await;
    let output = TRACER
        .scope(service(&collector), async {
            let output = work.await;
            assert!(flush().await);
            output
        })
        .await;
    (collector.spans(), output)
}

#[tokio::test]
async fn a_transaction_is_a_root_span_and_has_a_name_to_be_found_by() {
    let (spans, id) = in_service(transaction("POST /orders", async {
        context::set_user("u-1");
        assert_eq!(context::entry().as_deref(), Some("POST /orders"));
        // Within one there is no other.
        let here = context::trace_id();
        assert_eq!(transaction("more", async { context::trace_id() }).await, here);
        context::correlation_id()
    }))
    .await;
    let [span] = spans.try_into().unwrap();
    assert_eq!((span.name.as_str(), span.kind()), ("POST /orders", OtlpKind::Internal));
    assert!(span.parent_span_id.is_empty() && span.status.is_none());
    assert_eq!(text(&span, "correlation.id"), id);
    assert_eq!(text(&span, "user.id").as_deref(), Some("u-1"));
    assert!(!span.attributes.iter().any(|attribute| attribute.key.starts_with("faas.")), "{span:?}");
}

#[tokio::test]
async fn a_panic_is_on_the_span_and_goes_on_and_what_is_given_up_ends() {
    let (spans, ()) = in_service(async {
        let panics = transaction("panics", async {
            if true {
                panic!("no more")
            }
        });
        let panic = AssertUnwindSafe(panics).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"no more"));
        let mut given_up = Box::pin(transaction("given up", std::future::pending::<()>()));
        assert!(futures_util::poll!(&mut given_up).is_pending());
    })
    .await;
    let [panics, given_up] = spans.try_into().unwrap();
    assert_eq!(text(&panics, "error.type").as_deref(), Some("panic"));
    assert_eq!((given_up.name.as_str(), given_up.status), ("given up", None));
}

#[tokio::test]
async fn in_lambda_nothing_begins_by_itself() {
    assert!(scope().is_none());
    assert_eq!(transaction("t", async { context::trace_id() }).await, None);
    assert!(flush().await);
}

#[tokio::test]
async fn switched_off_nothing_begins_either() {
    let tracer = Tracer::outside(&|key| (key == "THROUGHLINE_ENABLED").then(|| "0".to_owned()), now);
    let id = TRACER.scope(tracer, transaction("t", async { context::trace_id() })).await;
    assert_eq!(id, None);
}

#[tokio::test]
async fn without_an_endpoint_the_context_is_there_all_the_same() {
    let tracer = Tracer::outside(&|_| None, now);
    let work = async {
        assert!(transaction("t", async { context::trace_id() }).await.is_some());
        assert!(!flush().await, "its span is lost");
    };
    TRACER.scope(tracer, work).await;
}

#[cfg(feature = "batch")]
#[tokio::test]
async fn a_batch_that_a_poller_made_has_its_senders() {
    let event = r#"{"Records":[
        {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-1","body":"",
         "attributes":{},"messageAttributes":{
            "traceparent":{"stringValue":"00-00000000000000000000000000000007-0000000000000001-01","dataType":"String"},
            "baggage":{"stringValue":"correlation.id=c-7,throughline.entry=api","dataType":"String"}}},
        {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-2","body":"",
         "attributes":{},"messageAttributes":{
            "traceparent":{"stringValue":"00-00000000000000000000000000000008-0000000000000002-01","dataType":"String"}}}]}"#;
    let event: aws_lambda_events::event::sqs::SqsEvent = serde_json::from_str(event).unwrap();
    let (spans, response) = in_service(crate::batch::sqs(event, |message| async move {
        let first = message.message_id.as_deref() == Some("m-1");
        assert_eq!(context::correlation_id().as_deref(), Some(if first { "c-7" } else { "m-2" }));
        if first { Ok(()) } else { Err("refused") }
    }))
    .await;
    assert_eq!(response.batch_item_failures.len(), 1);
    let [first, second, batch] = spans.try_into().unwrap();
    assert_eq!((first.trace_id[15], first.parent_span_id[7]), (7, 1));
    assert_eq!((second.trace_id[15], second.parent_span_id[7]), (8, 2));
    assert_eq!(text(&first, "throughline.entry").as_deref(), Some("api"));
    assert_eq!(text(&second, "error.type").as_deref(), Some("&str"));
    assert_eq!((batch.name.as_str(), batch.links.len()), ("process payments", 2));
    assert_eq!(text(&batch, "error.type"), None);
}

#[cfg(feature = "batch")]
#[tokio::test]
async fn a_poller_that_takes_no_part_in_dry_runs_is_given_none() {
    let message = |id: &str, baggage: &str| {
        serde_json::json!({
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:e:1:payments", "messageId": id,
            "attributes": {}, "messageAttributes": {
                "traceparent": {"stringValue": "00-00000000000000000000000000000007-0000000000000001-01"},
                "baggage": {"stringValue": baggage},
            },
        })
    };
    let event =
        serde_json::json!({"Records": [message("m-1", "throughline.dry-run=true"), message("m-2", "a=b")]});
    let event: aws_lambda_events::event::sqs::SqsEvent = serde_json::from_value(event).unwrap();
    let (spans, response) = in_service(crate::batch::sqs(event, |message| async move {
        assert_eq!((message.message_id.as_deref(), context::is_dry_run()), (Some("m-2"), false));
        Ok::<_, std::io::Error>(())
    }))
    .await;
    assert!(response.batch_item_failures.is_empty(), "it counts as done");
    let refused = |span: &&Span| text(span, "throughline.dry_run.refused").is_some();
    let refused: Vec<_> =
        spans.iter().filter(refused).filter_map(|span| text(span, "messaging.message.id")).collect();
    assert_eq!(refused, ["m-1"]);
}
