use std::time::{Duration, Instant};

use lambda_runtime::{Error, LambdaInvocation};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::tests::invocation;
use super::*;
use crate::recorder::testing::written_down;
use crate::testing::{Extension, now};

fn with_time(milliseconds: u64) -> LambdaInvocation {
    let mut event = invocation("r-1", b"{}");
    event.context.deadline = crate::span::unix_nanos(now()) / 1_000_000 + milliseconds;
    event
}

fn margins(extension: &Extension) -> usize {
    let spans = written_down(extension.runtime_api());
    spans.iter().flat_map(|span| &span.events).filter(|event| event.name == "throughline.deadline").count()
}

/// It blocks the only thread of its runtime, as a handler that waits for a lock does.
#[tokio::test]
async fn a_handler_that_blocks_its_thread_is_told_of_before_its_time_is_up() {
    let extension = std::sync::Arc::new(Extension::start().await);
    let blocks = extension.clone();
    let platform = service_fn(move |_: LambdaInvocation| {
        let begun = Instant::now();
        while margins(&blocks) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody told of it");
            std::thread::yield_now();
        }
        std::future::ready(Ok::<_, Error>(()))
    });
    // All that is left is margin.
    InvocationLayer::with(extension.tracer(&[])).layer(platform).oneshot(with_time(50)).await.unwrap();
}
