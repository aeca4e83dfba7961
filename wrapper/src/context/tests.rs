use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::invocation::Invocation;
use crate::testing::{Written, call, close, now, subscribe, text};
use crate::tracer::Tracer;
use crate::triggers::{self, Caller};

const EVENT: &str = r#"{"Records":[
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-1","messageAttributes":{
        "traceparent":{"stringValue":"00-00000000000000000000000000000007-0000000000000001-01"},
        "baggage":{"stringValue":"throughline.entry=http%20POST%20/orders,throughline.hops=3,user.id=u-7,account.id=a-7"}}},
    {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:payments","messageId":"m-2"}]}"#;

fn open(event: &'static str) -> (Arc<Invocation>, Scope) {
    let tracer = Tracer::new(&|_| None, now);
    let reading = triggers::read(&event.into(), &Caller::default(), tracer.settings());
    Invocation::open(tracer, call(), reading)
}

#[test]
fn who_is_told_is_on_the_span_and_travels() {
    let (invocation, scope) = open("{}");
    invocation.reach("shop::handle");
    scope.enter(|| {
        assert!(set_user("u-1") && set_account("acme", "pro") && set_test_user());
        assert!(set_baggage("tenant", "a"));
    });
    let baggage = scope.baggage();
    let span = close(&invocation).remove(0);
    for (key, value) in
        [("user.id", "u-1"), ("account.id", "acme"), ("account.plan", "pro"), ("user.test", "true")]
    {
        assert_eq!(baggage.get(key), Some(value));
        assert_eq!(text(&span, key).as_deref(), Some(value));
    }
    assert_eq!((baggage.get("tenant"), text(&span, "tenant")), (Some("a"), None));
}

#[test]
fn a_record_has_its_senders_entry_user_and_count_and_the_next_its_own() {
    let (invocation, scope) = open(EVENT);
    let first = invocation.open_record("m-1", &scope);
    let second = invocation.open_record("m-2", &scope);
    first.enter(|| {
        assert_eq!(entry().as_deref(), Some("http POST /orders"));
        assert_eq!(baggage("throughline.hops").as_deref(), Some("4"));
        assert!(set_account("a-8", "free"), "said again, it is changed");
    });
    second.enter(|| {
        assert_eq!(entry().as_deref(), Some("sqs payments"));
        assert_eq!(baggage("throughline.hops").as_deref(), Some("1"));
        assert_eq!(baggage("user.id"), None);
    });
    // What is sent outside of the records must not go round for ever either.
    assert_eq!(scope.baggage().hops(), 4);
    first.end_record();
    second.end_record();
    let spans = close(&invocation);
    assert_eq!(text(&spans[0], "user.id").as_deref(), Some("u-7"));
    assert_eq!(text(&spans[0], "account.id").as_deref(), Some("a-8"));
    assert_eq!(text(&spans[0], "throughline.entry").as_deref(), Some("http POST /orders"));
    assert_eq!(text(&spans[1], "throughline.entry").as_deref(), Some("sqs payments"));
    assert_eq!(text(&spans[1], "account.id"), None);
}

#[test]
fn marks_and_what_is_ours_are_not_for_set_baggage() {
    let (invocation, scope) = open("{}");
    scope.enter(|| {
        for key in ["correlation.id", "throughline.debug", "throughline.hops", "throughline.anything", "a b"]
        {
            assert!(!set_baggage(key, "1"), "{key}");
        }
        assert!(!is_debug() && !is_dry_run());
        assert!(set_debug() && is_debug() && !is_dry_run());
        assert!(set_dry_run() && is_dry_run());
    });
    let header = scope.baggage().header().unwrap();
    assert!(header.contains("throughline.debug=true,throughline.dry-run=true"), "{header}");
    let span = close(&invocation).remove(0);
    let marks = ["throughline.debug", "throughline.dry_run"]
        .map(|name| span.attributes.iter().any(|a| a.key == name));
    assert_eq!(marks, [true, true], "by which they are found: {:?}", span.attributes);
}

#[test]
fn a_mark_that_came_along_is_on_the_record_that_it_came_with() {
    let event = r#"{"Records":[
        {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:q","messageId":"m-1","messageAttributes":{
            "baggage":{"stringValue":"throughline.debug=true"},
            "traceparent":{"stringValue":"00-00000000000000000000000000000007-0000000000000001-01"}}},
        {"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:e:1:q","messageId":"m-2"}]}"#;
    let (invocation, scope) = open(event);
    ["m-1", "m-2"].into_iter().for_each(|id| invocation.open_record(id, &scope).end_record());
    let is_marked = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
        span.attributes.iter().any(|a| a.key == "throughline.debug")
    };
    let marked: Vec<bool> = close(&invocation).iter().map(is_marked).collect();
    assert_eq!(marked, [true, false, false]);
}

#[test]
fn a_flag_is_an_event_and_a_long_one_is_cut() {
    let (invocation, scope) = open("{}");
    scope.enter(|| assert!(set_flag("new-checkout", "blue") && set_flag(&"é".repeat(300), "on")));
    let span = close(&invocation).remove(0);
    let event = &span.events[0];
    assert_eq!(event.name, "feature_flag.evaluation");
    let flag =
        vec![attribute("feature_flag.key", "new-checkout"), attribute("feature_flag.result.variant", "blue")];
    assert_eq!(event.attributes, flag);
    assert_eq!(span.events[1].attributes[0], attribute("feature_flag.key", "é".repeat(128)));
}

#[test]
fn what_failed_without_an_error_is_marked_as_if_with_one() {
    let (invocation, scope) = open(EVENT);
    let record = invocation.open_record("m-1", &scope);
    record.enter(|| assert!(set_error("CardDeclined", "no more credit")));
    record.end_record();
    record.enter(|| assert!(!set_error("TooLate", "the record has ended")));
    scope.enter(|| assert!(set_error("", &"é".repeat(5000)) && set_error(&"é".repeat(200), "last")));
    invocation.reach("shop::handle");
    invocation.answer_status(500);
    let [record, span] = close(&invocation).try_into().unwrap();
    assert_eq!(text(&record, "error.type").as_deref(), Some("CardDeclined"));
    let status = record.status.unwrap();
    assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "no more credit"));
    assert_eq!((record.events.len(), record.events[0].name.as_str()), (1, "exception"));
    assert_eq!(span.events[0].attributes[0], attribute("exception.type", "_OTHER"));
    assert_eq!(text(&span, "error.type"), Some("é".repeat(128)));
    assert_eq!(span.status.unwrap().message, "last", "an answer of 500 says less");
}

#[test]
fn where_no_transaction_runs_nothing_is_said() {
    assert!(!set_user("u") && !set_account("a", "p") && !set_test_user() && !set_flag("f", "v"));
    assert!(!set_debug() && !set_dry_run() && !set_baggage("k", "v") && !set_error("E", "why"));
    assert_eq!((entry(), baggage("k"), is_debug(), is_dry_run()), (None, None, false, false));
}

#[tokio::test]
async fn a_spawned_task_goes_on_in_its_record() {
    let (invocation, scope) = open(EVENT);
    let record = invocation.open_record("m-1", &scope);
    let user = record.enter(|| spawn(async { baggage("user.id") }));
    assert_eq!(user.await.unwrap().as_deref(), Some("u-7"));
}

#[tokio::test]
async fn a_closure_on_another_thread_goes_on_in_its_record() {
    let (invocation, scope) = open(EVENT);
    let record = invocation.open_record("m-1", &scope);
    let user = || carry_fn(|| baggage("user.id"));
    let (pool, thread) = record.enter(|| (user(), user()));
    assert_eq!(tokio::task::spawn_blocking(pool).await.unwrap().as_deref(), Some("u-7"));
    assert_eq!(std::thread::spawn(thread).join().unwrap().as_deref(), Some("u-7"));
    assert_eq!(user()(), None, "where nothing runs it just runs");
}

#[tokio::test]
async fn the_log_lines_of_a_carried_task_carry_its_ids() {
    let written = Written::default();
    let _guard = subscribe(written.subscriber());
    let (invocation, scope) = open(EVENT);
    let record = invocation.open_record("m-1", &scope);
    for scope in [scope, record] {
        let log = async { tracing::info!(target: "shop", "carried") };
        scope.enter(|| spawn(log)).await.unwrap();
        let line = written.lines().pop().unwrap();
        assert!(line.contains(&format!("span_id={}", scope.span().span_id())), "{line}");
        assert!(line.contains("correlation_id=") && line.contains("carried"), "{line}");
        scope.enter(|| carry_fn(|| tracing::info!(target: "shop", "carried closure")))();
        let line = written.lines().pop().unwrap();
        assert!(line.contains(&format!("span_id={}", scope.span().span_id())), "{line}");
        assert!(line.contains("carried closure"), "{line}");
    }
}

/// The span that gives the lines their ids does not stand between a task and the program's own span round it.
#[tokio::test]
async fn what_a_carried_task_says_is_on_the_programs_own_span_round_it() {
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    let (invocation, scope) = open("{}");
    let task = scope.enter(|| {
        let says = async {
            tracing::info!(target: "shop", "said");
            drop(tracing::info_span!(target: "shop", "within"));
        };
        tokio::spawn(carry(says).instrument(tracing::info_span!(target: "shop", "round")))
    });
    task.await.unwrap();
    let spans = close(&invocation);
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(named("round").events.len(), 1);
    assert_eq!(named("within").parent_span_id, named("round").span_id);
    assert_eq!(spans.len(), 3, "a marker is no span");
}
