use std::sync::Arc;

use lambda_runtime::{Error, LambdaInvocation, service_fn};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _};

use super::tests::*;
use super::*;
use crate::testing::{Extension, Written, subscribe, text};

#[tokio::test]
async fn of_a_handler_that_is_not_wrapped_nothing_is_known() {
    let extension = Extension::start().await;
    let platform = service_fn(|_: LambdaInvocation| async { Ok::<_, Error>(()) });
    let service = InvocationLayer::with(extension.tracer(&[])).layer(platform);
    service.oneshot(invocation("r-1", b"{}")).await.unwrap();
    let [span] = extension.spans().try_into().unwrap();
    assert_eq!((text(&span, "error.type"), span.status), (None, None));
}

#[tokio::test]
async fn a_layer_inside_another_changes_nothing() {
    let extension = Extension::start().await;
    let layer = InvocationLayer::with(extension.tracer(&[]));
    let posted = Arc::default();
    let platform =
        Platform { handler: handler::<_, Value, NoStream>(service_fn(answer)), posted: Arc::clone(&posted) };
    let sent =
        br#"{"_throughline":{"traceparent":"00-00000000000000000000000000000007-0000000000000001-01"}}"#;
    layer.layer(layer.layer(platform)).oneshot(invocation("r-1", sent)).await.unwrap();
    let [span] = extension.spans().try_into().unwrap();
    assert_eq!((span.trace_id[15], span.status), (7, None));
    assert_eq!(posted.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_log_of_the_program_s_own_is_given_has_no_secret() {
    let (extension, log) = (Extension::start().await, Written::default());
    let _guard = subscribe(log.subscriber());
    let platform = service_fn(|_: LambdaInvocation| async {
        tracing::info!("here");
        Ok::<_, Error>(())
    });
    let sent = br#"{"_throughline":{"traceparent":"00-00000000000000000000000000000007-0000000000000001-01",
        "baggage":"correlation.id=4111111111111111"}}"#;
    InvocationLayer::with(extension.tracer(&[]))
        .layer(platform)
        .oneshot(invocation("r-1", sent))
        .await
        .unwrap();
    let lines = log.lines();
    assert!(lines[0].contains("correlation_id") && !lines[0].contains("4111111111111111"), "{lines:?}");
}
