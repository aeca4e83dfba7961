//! Flush policies: what leaves when, with the real binary. The time after an end is counted in requests to the
//! backend, not measured.

mod support;

use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use rustix::process::Signal;
use std::time::Duration;
use support::{Backend, Extension, eventually, invocation_span, span};

const MINUTE: Duration = Duration::from_secs(60);
/// So many quick invocations are frequent.
const FREQUENT: usize = 9;
/// Long enough for a wrong request to show.
const AWHILE: Duration = Duration::from_millis(200);

async fn start(backend: &Backend, policy: &str) -> Extension {
    Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()), ("THROUGHLINE_FLUSH", policy)]).await
}

fn failed(span: Span) -> Span {
    Span { status: Some(Status { code: 2, ..Status::default() }), ..span }
}

fn named(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s{number}")).collect()
}

/// Invocation `number` of a wrapped function, which shows with its first that it is.
async fn invocation(extension: &Extension, number: usize) {
    extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
}

#[tokio::test]
async fn deferred_spans_leave_with_the_next_invoke_and_the_rest_at_shutdown() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "deferred").await;
    for number in 0..5 {
        let before = backend.state().requests.len();
        assert_eq!(before, number.max(1) - 1, "one request for the invocation before the last");
        extension.lambda.invoke(&format!("r{number}"), MINUTE);
        if number > 0 {
            // The handler runs; the tail leaves beside it, and then the next event is asked for.
            extension.lambda.asked(number + 2).await;
            assert_eq!(backend.state().spans, named(number));
        }
        let ended = invocation_span(&format!("r{number}"), &format!("s{number}"));
        assert_eq!(extension.hand_over(&[ended]).await, 200);
        extension.lambda.asked(number + 2).await;
        extension.signal(Signal::STOP);
        tokio::time::sleep(Duration::from_millis(20)).await;
        extension.signal(Signal::CONT);
        assert_eq!(backend.state().spans, named(number), "the last one's wait");
    }
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, named(5));
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["kept"]), (&5.into(), &0.into()));
}

#[tokio::test]
async fn deferred_asks_for_the_next_event_like_one_that_does_nothing_else() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "deferred").await;
    invocation(&extension, 0).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(3).await;
    for number in 2..6 {
        extension.lambda.invoke(&format!("r{number}"), MINUTE);
        extension.lambda.asked(number + 2).await;
    }
    assert_eq!(backend.state().requests.len(), 1, "nothing came, nothing is sent");
    extension.shut_down().await;
}

#[tokio::test]
async fn a_failure_is_at_the_backend_before_its_hand_over_is_answered_or_the_next_event_asked_for() {
    for policy in ["end", "deferred", "interval=20s", "adaptive"] {
        let backend = Backend::start(&[]).await;
        let mut extension = start(&backend, policy).await;
        for number in 0..FREQUENT + 2 {
            invocation(&extension, number).await;
        }
        extension.lambda.invoke("bad", MINUTE);
        let ended = failed(invocation_span("bad", "bad"));
        assert_eq!(extension.hand_over(&[failed(span("child")), ended]).await, 200);
        extension.lambda.asked(FREQUENT + 4).await;
        assert_eq!(backend.state().spans.len(), FREQUENT + 4, "{policy}: and what waited goes with it");
        assert_eq!(backend.span("bad").name, "bad");
        let summary = extension.shut_down().await;
        assert_eq!(summary["spans"]["exported"], FREQUENT + 4, "{policy}: once");
    }
}

#[tokio::test]
async fn a_failed_child_that_came_before_leaves_with_the_end_of_its_invocation() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "deferred").await;
    invocation(&extension, 0).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(3).await;
    assert_eq!(extension.hand_over(&[failed(span("child"))]).await, 200);
    tokio::time::sleep(AWHILE).await;
    assert_eq!(backend.state().spans, ["s0"], "the sandbox could freeze under the request");
    assert_eq!(extension.hand_over(&[invocation_span("r1", "s1")]).await, 200);
    assert_eq!(backend.state().spans, ["s0", "child", "s1"]);
    extension.shut_down().await;
}

#[tokio::test]
async fn an_unwrapped_function_s_deferred_failure_leaves_with_the_next_invoke() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "deferred").await;
    extension.lambda.invoke("r0", MINUTE);
    extension.hand_over(&[span("s0")]).await;
    extension.lambda.runtime_done("r0", "success").await;
    extension.lambda.asked(2).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(3).await;
    assert_eq!(extension.hand_over(&[failed(span("s1"))]).await, 200);
    extension.lambda.runtime_done("r1", "error").await;
    extension.lambda.invoke("r2", MINUTE);
    extension.lambda.asked(4).await;
    assert_eq!(backend.state().spans, ["s0", "s1"], "beside the handler");
    extension.shut_down().await;
}

#[tokio::test]
async fn an_unwrapped_function_s_failure_leaves_at_its_end_when_adaptive() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "adaptive").await;
    for number in 0..FREQUENT + 3 {
        let id = format!("r{number}");
        extension.lambda.invoke(&id, MINUTE);
        let plain = span(&format!("s{number}"));
        let bad = number == FREQUENT + 2;
        extension.hand_over(&[if bad { failed(plain) } else { plain }]).await;
        extension.lambda.runtime_done(&id, "success").await;
        extension.lambda.asked(number + 2).await;
    }
    assert_eq!(backend.state().spans, named(FREQUENT + 3));
    extension.shut_down().await;
}

#[tokio::test]
async fn adaptive_sends_at_each_end_until_invocations_are_frequent() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "adaptive").await;
    for number in 0..FREQUENT - 1 {
        invocation(&extension, number).await;
        assert_eq!(backend.state().spans, named(number + 1), "rare as yet");
    }
    for number in FREQUENT - 1..FREQUENT + 5 {
        invocation(&extension, number).await;
    }
    let held = backend.state().spans.len();
    assert!(held < FREQUENT + 5, "frequent: some wait, {held} were sent");
    extension.shut_down().await;
    assert_eq!(backend.state().spans, named(FREQUENT + 5));
}

#[tokio::test]
async fn interval_sends_once_and_then_not_for_a_while() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, "interval=60m").await;
    for number in 0..5 {
        invocation(&extension, number).await;
        assert_eq!(backend.state().spans, named(1), "the first flush is due at once");
    }
    extension.shut_down().await;
    assert_eq!(backend.state().spans, named(5));
}

#[tokio::test]
async fn a_backend_that_hangs_holds_a_deferred_failure_for_the_budget_and_keeps_it() {
    let backend = Backend::start(&[200, 0]).await;
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()),
        ("THROUGHLINE_FLUSH", "deferred"),
        ("THROUGHLINE_BUDGET_MS", "300"),
    ])
    .await;
    invocation(&extension, 0).await;
    extension.lambda.invoke("r1", MINUTE);
    extension.lambda.asked(3).await;
    assert_eq!(extension.hand_over(&[failed(invocation_span("r1", "s1"))]).await, 200);
    eventually("the request that hangs", || (backend.state().requests.len() == 2).then_some(())).await;
    extension.lambda.invoke("r2", MINUTE);
    extension.lambda.asked(4).await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, named(2));
    assert_eq!(summary["spans"]["exported"], 2);
}

#[tokio::test]
async fn a_bad_value_is_told_and_adaptive_is_used() {
    let mut extension = Extension::start(&[("THROUGHLINE_FLUSH", "now and then")]).await;
    let line = eventually("the line", || {
        extension.lines().into_iter().find(|l| l["variable"] == "THROUGHLINE_FLUSH")
    });
    assert!(line.await["message"].as_str().expect("text").ends_with("adaptive is used"));
    extension.shut_down().await;
}
