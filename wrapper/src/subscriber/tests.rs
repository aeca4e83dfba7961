use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::{entered_span, is_left_out, log_span};
use crate::context;
use crate::scope::{Scope, Scoped};
use crate::testing::{Written, close, scope, subscribe, text};

/// A value that logs when it is formatted.
struct Lazy;

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!(target: "shop", "being formatted");
        f.write_str("lazy")
    }
}

/// In a thread with a dispatcher entered as a global one is: without a guard against itself.
#[test]
fn a_value_that_logs_when_it_is_formatted_hangs_nobody() {
    let (done, told) = mpsc::channel();
    std::thread::spawn(move || {
        // The one test of the crate that may set it: a scoped dispatcher guards against re-entrance itself.
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(crate::layer())).unwrap();
        scope().enter(|| {
            let span = tracing::info_span!(target: "shop", "work", value = tracing::field::Empty);
            span.in_scope(|| tracing::info!(target: "shop", value = ?Lazy, "hello"));
            span.record("value", tracing::field::debug(Lazy));
        });
        done.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(30)).unwrap();
}

/// `tracing` drops what a span is given later and has not declared, without a word: what it declared is recorded.
#[test]
fn a_field_that_is_recorded_later_is_on_the_span_if_it_was_declared() {
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    let scope = scope();
    scope.enter(|| {
        let span = tracing::info_span!(target: "shop", "work", declared = tracing::field::Empty);
        span.record("declared", 7).record("undeclared", 8);
    });
    let spans = close(scope.invocation());
    let work = spans.iter().find(|span| span.name == "work").unwrap();
    let keys: Vec<_> = work.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(keys.contains(&"declared") && !keys.contains(&"undeclared"), "{keys:?}");
}

#[test]
fn the_layer_may_be_there_twice() {
    let twice = tracing_subscriber::registry().with(crate::layer()).with(crate::layer());
    tracing::subscriber::with_default(twice, || {
        scope().enter(|| drop(tracing::info_span!(target: "shop", "work")));
    });
}

#[test]
fn a_thread_that_ends_may_still_ask() {
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            assert_eq!(context::correlation_id(), None);
        }
    }
    thread_local! {
        static AT_END: AtEnd = const { AtEnd };
    }
    let thread = std::thread::spawn(|| {
        AT_END.with(|_| ());
        assert_eq!(context::correlation_id(), None);
    });
    thread.join().unwrap();
}

#[tokio::test]
async fn a_spawned_task_in_the_current_span_belongs_to_the_invocation() {
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    let scope = scope();
    let marker = scope.enter(|| tracing::info_span!(target: super::MARKER, parent: None, "marker"));
    let work = async { tokio::spawn(async { context::correlation_id() }.in_current_span()).await.unwrap() };
    let id = Scoped::new(work, scope.clone()).instrument(marker).await;
    assert_eq!(id.as_deref(), Some("r-1"));
    assert_eq!(close(scope.invocation()).len(), 1, "a marker is no span");
}

#[tokio::test]
async fn a_guard_that_is_held_over_an_await_takes_no_other_task_along() {
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    let one = scope();
    let (held, end) = tokio::sync::oneshot::channel::<()>();
    let tasks = tokio::task::LocalSet::new();
    let holds = tasks.spawn_local({
        let span = one.enter(|| tracing::info_span!(target: "shop", "work"));
        async move {
            let _entered = span.enter();
            end.await.unwrap();
            context::correlation_id()
        }
    });
    let other = tasks.run_until(async {
        tokio::task::yield_now().await;
        let outside = context::correlation_id();
        // Of the same invocation, and under no span of that task.
        let carried = Scoped::new(async { entered_span(&Scope::current().unwrap()) }, one.clone());
        let under = tokio::task::spawn_local(carried).await.unwrap();
        let other = tokio::task::spawn_local(async {
            tracing::error!(target: "shop", "of another");
            let own = tracing::info_span!(target: "shop", "other");
            own.in_scope(context::correlation_id)
        });
        let other = other.await.unwrap();
        held.send(()).unwrap();
        (outside, under, other)
    });
    assert_eq!(other.await, (None, None, None));
    assert_eq!(tasks.run_until(holds).await.unwrap().as_deref(), Some("r-1"), "its own task is believed");
    let spans = close(one.invocation());
    let work = spans.iter().find(|span| span.name == "work").unwrap();
    assert!(work.events.is_empty() && work.status.is_none(), "{work:?}");
    assert!(!spans.iter().any(|span| span.name == "other"));
}

#[test]
fn a_crate_is_left_out_by_its_whole_name() {
    for target in
        ["throughline::aws", "hyper", "hyper_util::client", "aws_sdk_sqs::operation", "tower::buffer"]
    {
        assert!(is_left_out(target), "{target}");
    }
    for target in
        ["throughline_shop::provider", "aws_orders", "tower_crane::lift", "h2o", "orders::hyper", ""]
    {
        assert!(!is_left_out(target), "{target}");
    }
}

/// What comes of an error in an invocation, and of a span: whether the line has the ids, the errors counted, the spans.
fn seen(all: &str, logged: &str) -> (bool, Option<String>, usize) {
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
    let log = log.with_filter(EnvFilter::new(logged));
    let _subscribed =
        subscribe(tracing_subscriber::registry().with(EnvFilter::new(all)).with(log).with(crate::layer()));
    let scope = scope();
    scope.invocation().reach("shop::checkout");
    let marker = log_span!(&scope, "invocation");
    marker.in_scope(|| {
        tracing::error!(target: "shop", "declined");
        drop(tracing::info_span!(target: "shop", "charge"));
    });
    let id = scope.span().trace_id().to_string();
    let has_ids = written.lines().iter().any(|line| line.contains("declined") && line.contains(&id));
    let spans = close(scope.invocation());
    (has_ids, text(spans.last().unwrap(), "throughline.swallowed_errors"), spans.len())
}

#[test]
fn a_filter_of_one_layer_hides_nothing_from_ours() {
    let one = Some("IntValue(1)".to_owned());
    assert_eq!(seen("info", "warn,throughline::scope=info"), (true, one, 2));
    assert_eq!(seen("warn", "info"), (false, None, 1), "as the layer's documentation says");
}
