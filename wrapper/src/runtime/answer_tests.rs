//! What an answer says of its invocation, through both layers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use lambda_runtime::{FunctionResponse, StreamResponse, service_fn};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::tests::*;
use super::*;
use crate::context;
use crate::testing::{Extension, close, text};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value, json};

const REQUEST: &[u8] = br#"{"version":"2.0","routeKey":"POST /orders","headers":{},
    "requestContext":{"http":{"method":"POST","path":"/orders"},"routeKey":"POST /orders"}}"#;

const MESSAGES: &[u8] = br#"{"Records":[
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-1"},
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-2"},
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-3"}]}"#;

/// The invocation span of a handler that answers so.
async fn answered(event: &[u8], answer: Result<Value, Error>) -> Span {
    let extension = Extension::start().await;
    let answer = std::sync::Mutex::new(Some(answer));
    let handle = |_| {
        let answer = answer.lock().unwrap().take().unwrap();
        async move { answer.map(FunctionResponse::<Value, NoStream>::BufferedResponse) }
    };
    invoke(&extension.tracer(&[]), handle, "r-1", event).await;
    extension.spans().remove(0)
}

fn number(span: &Span, key: &str) -> Option<i64> {
    text(span, key)?.strip_prefix("IntValue(")?.strip_suffix(')')?.parse().ok()
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

/// What the `exception` events of a span say under `key`.
fn said(span: &Span, key: &str) -> Vec<String> {
    let said = |attributes: Vec<_>| text(&Span { attributes, ..Span::default() }, key);
    span.events.iter().filter_map(|event| said(event.attributes.clone())).collect()
}

#[tokio::test]
async fn a_panic_in_a_task_that_nobody_asks_for_is_told() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[]);
    let spawns = |event| async {
        assert!(context::spawn(async { panic!("in the background") }).await.is_err());
        answer(event).await
    };
    invoke(&tracer, spawns, "r-1", b"{}").await;
    let spans = extension.spans();
    assert_eq!(said(&spans[0], "exception.message"), ["in the background"]);
    let trace = said(&spans[0], "exception.stacktrace").remove(0);
    assert!(trace.starts_with(&format!("at {}:", file!())) && !trace.contains("core::panicking"), "{trace}");
    assert_eq!(text(&spans[0], "throughline.swallowed_errors").as_deref(), Some("IntValue(1)"));
}

#[tokio::test]
async fn what_failed_tells_what_it_was_called_with_and_what_it_answered() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[]);
    let refuses = |_| async {
        let answer = json!({"statusCode": 500, "body": "{\"token\":\"t-1\",\"why\":\"no stock\"}"});
        Ok::<_, Error>(FunctionResponse::<Value, NoStream>::BufferedResponse(answer))
    };
    let mut request: Value = serde_json::from_slice(REQUEST).unwrap();
    request["headers"]["authorization"] = "Bearer b-1".into();
    request["body"] = r#"{"sku":"soup","password":"p-1"}"#.into();
    invoke(&tracer, refuses, "r-1", request.to_string().as_bytes()).await;
    invoke(&tracer, answer, "r-2", REQUEST).await;
    let [failed, fine] = extension.spans().try_into().unwrap();
    let event = text(&failed, "throughline.event").unwrap();
    assert!(event.contains(r#"{\"sku\":\"soup\",\"password\":\"***\"}"#), "{event}");
    let response = text(&failed, "throughline.response").unwrap();
    assert!(response.contains("no stock"), "{response}");
    for secret in ["b-1", "p-1", "t-1"] {
        assert!(!event.contains(secret) && !response.contains(secret), "{event} {response}");
    }
    assert_eq!((text(&fine, "throughline.event"), text(&fine, "throughline.response")), (None, None));
}

/// An error whose cause can't be written.
#[derive(Debug)]
struct Unwritable(bool);

impl std::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        assert!(self.0, "the cause of a cause");
        f.write_str("charging")
    }
}

impl std::error::Error for Unwritable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.then_some(&Self(false))
    }
}

#[tokio::test]
async fn an_error_whose_cause_panics_still_reaches_lambda() {
    let extension = Extension::start().await;
    let fails = |_| async { Err::<FunctionResponse<Value, NoStream>, Error>(Unwritable(true).into()) };
    let posted = invoke(&extension.tracer(&[]), fails, "r-1", b"{}").await;
    assert_eq!(posted[0].as_ref().unwrap_err().error_message, "charging");
    assert_eq!(extension.spans()[0].status.as_ref().unwrap().message, "charging");
}

#[tokio::test]
async fn an_error_that_cannot_be_written_is_a_panic() {
    let scope = crate::testing::scope();
    let fails = |_: LambdaEvent<Value>| async {
        Err::<FunctionResponse<Value, NoStream>, Error>(Unwritable(false).into())
    };
    let mut handler = handler(service_fn(fails));
    let event = LambdaEvent::new(Value::Null, lambda_runtime::Context::default());
    let ending = scope.enter(|| handler.call(event));
    // As the runtime does, between our two layers.
    assert!(AssertUnwindSafe(ending).catch_unwind().await.is_err());
    let span = close(scope.invocation()).pop().unwrap();
    assert_eq!(text(&span, "error.type").as_deref(), Some("panic"));
}

#[tokio::test]
async fn a_loop_is_refused_before_the_handler_is_called() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[("THROUGHLINE_MAX_HOPS", "2"), ("THROUGHLINE_ON_LOOP", "refuse")]);
    let called = Arc::new(AtomicUsize::new(0));
    for (hops, goes_on) in [("1", true), ("2", false)] {
        let count = called.clone();
        let handle = move |event| {
            count.fetch_add(1, Ordering::Relaxed);
            answer(event)
        };
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let baggage = format!("throughline.hops={hops}");
        let event = json!({"_throughline": {"traceparent": traceparent, "baggage": baggage}}).to_string();
        let posted = invoke(&tracer, handle, hops, event.as_bytes()).await;
        match &posted[0] {
            Ok(_) => assert!(goes_on),
            Err(error) => {
                assert_eq!((goes_on, error.error_type.as_str()), (false, "Throughline.LoopRefused"))
            }
        }
    }
    assert_eq!(called.load(Ordering::Relaxed), 1);
    let [processed, refused] = extension.spans().try_into().unwrap();
    assert_eq!((text(&processed, "throughline.loop"), processed.status), (None, None));
    assert_eq!(text(&refused, "throughline.loop").as_deref(), Some("BoolValue(true)"));
    let message = refused.status.unwrap().message;
    assert!(message.contains("came through 3 functions"), "{message}");
}

#[tokio::test]
async fn a_server_error_is_an_error_and_a_client_error_is_none() {
    let failed = answered(REQUEST, Ok(json!({"statusCode": 503, "body": "later"}))).await;
    assert_eq!(number(&failed, "http.response.status_code"), Some(503));
    assert_eq!((is_error(&failed), text(&failed, "error.type").as_deref()), (true, Some("503")));
    let refused = answered(REQUEST, Ok(json!({"statusCode": 404}))).await;
    assert_eq!((is_error(&refused), number(&refused, "http.response.status_code")), (false, Some(404)));
    assert_eq!(number(&refused, "throughline.response_bytes"), Some(18));
    let plain = answered(REQUEST, Ok(json!({"id": 7}))).await;
    assert_eq!(number(&plain, "http.response.status_code"), Some(200), "the gateway makes a body of it");
    let other = answered(b"{}", Ok(json!({"statusCode": 503}))).await;
    assert_eq!((is_error(&other), number(&other, "http.response.status_code")), (false, None));
    let resolver = br#"{"info":{"parentTypeName":"Query","fieldName":"site"},"request":{"headers":{}}}"#;
    let data = answered(resolver, Ok(json!({"statusCode": 503}))).await;
    assert_eq!((is_error(&data), number(&data, "http.response.status_code")), (false, None));
}

#[tokio::test]
async fn a_partial_batch_response_is_counted_however_it_was_made() {
    let counts =
        |span: &Span| (number(span, "throughline.batch.succeeded"), number(span, "throughline.batch.failed"));
    let partial = answered(MESSAGES, Ok(json!({"batchItemFailures": [{"itemIdentifier": "m-2"}]}))).await;
    assert_eq!(counts(&partial), (Some(2), Some(1)));
    for whole in [json!(null), json!({}), json!({"batchItemFailures": []})] {
        assert_eq!(counts(&answered(MESSAGES, Ok(whole)).await), (Some(3), Some(0)));
    }
    let foreign = json!({"batchItemFailures": [{"itemIdentifier": ""}]});
    assert_eq!(counts(&answered(MESSAGES, Ok(foreign)).await), (Some(0), Some(3)));
    assert_eq!(counts(&answered(MESSAGES, Err("no".into())).await), (Some(0), Some(3)));
    assert_eq!(counts(&answered(REQUEST, Ok(json!({}))).await), (None, None));
}

#[tokio::test]
async fn the_status_of_a_streamed_response_is_in_its_prelude() {
    let extension = Extension::start().await;
    let handle = |_| async {
        let stream = futures_util::stream::empty::<Result<Bytes, Error>>();
        let mut response = StreamResponse::from(stream);
        response.metadata_prelude.status_code = http::StatusCode::BAD_GATEWAY;
        Ok::<_, Error>(FunctionResponse::<Value, _>::StreamingResponse(response))
    };
    invoke(&extension.tracer(&[]), handle, "r-1", REQUEST).await;
    let span = extension.spans().remove(0);
    assert_eq!((is_error(&span), number(&span, "http.response.status_code")), (true, Some(502)));
}

#[tokio::test]
async fn an_invocation_says_what_ran_and_in_which_build() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[("THROUGHLINE_BUILD_ID", " 4f2c1ab ")]);
    invoke(&tracer, answer, "r-1", b"{ }").await;
    let span = extension.spans().remove(0);
    assert_eq!(text(&span, "throughline.build_id").as_deref(), Some("4f2c1ab"));
    assert_eq!(number(&span, "throughline.event_bytes"), Some(3));
    assert_eq!(text(&span, "code.function.name").as_deref(), Some("throughline::runtime::tests::answer"));
}

#[tokio::test]
async fn a_dry_run_is_refused_before_the_handler_is_called_and_a_batch_of_them_is_done() {
    let extension = Extension::start().await;
    let called = Arc::new(AtomicUsize::new(0));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let baggage = "throughline.dry-run=true";
    let invoke_event = json!({"_throughline": {"traceparent": traceparent, "baggage": baggage}});
    let batch = json!({"Records": [{
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:e:1:payments", "messageId": "m-1",
        "messageAttributes": {"traceparent": {"stringValue": traceparent}, "baggage": {"stringValue": baggage}},
    }]});
    for (role, event, posted) in [
        ("refuse", &invoke_event, Err("Throughline.DryRunRefused")),
        ("refuse", &batch, Ok(json!({"batchItemFailures": []}))),
        ("accept", &batch, Ok(json!({"called": true}))),
    ] {
        let count = called.clone();
        let handle = move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async {
                Ok::<_, Error>(FunctionResponse::<Value, NoStream>::BufferedResponse(json!({"called": true})))
            }
        };
        let tracer = extension.tracer(&[("THROUGHLINE_DRY_RUN", role)]);
        let answered = invoke(&tracer, handle, "r-1", event.to_string().as_bytes()).await;
        assert_eq!(answered[0].clone().map_err(|error| error.error_type), posted.map_err(str::to_owned));
    }
    assert_eq!(called.load(Ordering::Relaxed), 1);
    let refused: Vec<_> =
        extension.spans().iter().map(|span| text(span, "throughline.dry_run.refused").is_some()).collect();
    assert_eq!(
        refused,
        [false, true, true, false],
        "the invocation that failed; a record and its batch; the one that ran"
    );
}
