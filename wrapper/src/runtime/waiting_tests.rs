//! When the beginning of the event is written down: not while a client waits for nothing else.

use lambda_runtime::{Error, LambdaInvocation};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::tests::invocation;
use super::*;
use crate::context;
use crate::recorder::testing::{files, kinds, walk};
use crate::sandbox;
use crate::scope::Scope;
use crate::testing::Extension;

fn written(extension: &Extension) -> String {
    let folder = sandbox::folder(extension.runtime_api());
    files(&folder).iter().filter(|file| walk(file).is_some()).map(|file| kinds(file)).collect()
}

#[tokio::test]
async fn the_event_is_written_down_when_the_handler_first_waits() {
    let extension = Extension::start().await;
    let seen = &extension;
    let platform = service_fn(move |_: LambdaInvocation| async move {
        assert_eq!(written(seen), "IRS");
        for _ in 0..2 {
            tokio::task::yield_now().await;
            assert_eq!(written(seen), "IRSE");
        }
        Ok::<_, Error>(())
    });
    let event = invocation("r-1", b"{\"order\":1}");
    InvocationLayer::with(extension.tracer(&[])).layer(platform).oneshot(event).await.unwrap();
}

#[tokio::test]
async fn a_handler_that_has_failed_may_go_on_and_one_of_which_nothing_is_captured_has_no_event() {
    for (capture, is_written) in [("on-error", true), ("off", false)] {
        let extension = Extension::start().await;
        let seen = &extension;
        let platform = service_fn(move |_: LambdaInvocation| async move {
            context::set_error("Declined", "no money");
            tokio::task::yield_now().await;
            assert_eq!(written(seen).contains('E'), is_written, "{capture}");
            Ok::<_, Error>(())
        });
        let layer = InvocationLayer::with(extension.tracer(&[("THROUGHLINE_CAPTURE", capture)]));
        layer.layer(platform).oneshot(invocation("r-1", b"{}")).await.unwrap();
    }
}

#[tokio::test]
async fn a_response_that_is_posted_is_not_waited_for() {
    let extension = Extension::start().await;
    let seen = &extension;
    let platform = service_fn(move |_: LambdaInvocation| async move {
        Scope::current().unwrap().invocation().answer("{}");
        tokio::task::yield_now().await;
        assert!(!written(seen).contains('E'));
        Ok::<_, Error>(())
    });
    let event = invocation("r-1", b"{}");
    InvocationLayer::with(extension.tracer(&[])).layer(platform).oneshot(event).await.unwrap();
}

#[tokio::test]
async fn a_panic_may_be_the_last_that_is_heard() {
    let extension = Extension::start().await;
    let seen = &extension;
    let platform = service_fn(move |_: LambdaInvocation| async move {
        let _ = std::panic::catch_unwind(|| panic!("no"));
        assert!(written(seen).contains('E'));
        Ok::<_, Error>(())
    });
    let event = invocation("r-1", b"{}");
    InvocationLayer::with(extension.tracer(&[])).layer(platform).oneshot(event).await.unwrap();
}
