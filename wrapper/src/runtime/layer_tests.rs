use std::sync::Arc;

use lambda_runtime::{Error, LambdaInvocation, service_fn};
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _};

use super::tests::*;
use super::*;
use crate::testing::{Extension, text};

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
