use opentelemetry_proto::tonic::trace::v1::Span as Ended;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::invocation::Invocation;
use crate::span::SpanKind;
use crate::testing::{call, close, now, subscribe, text};
use crate::tracer::Tracer;
use crate::triggers::{self, Caller};

fn open(event: &str) -> (std::sync::Arc<Invocation>, Scope) {
    let tracer = Tracer::new(&|_| None, now);
    let reading = triggers::read(&event.to_owned().into(), &Caller::default(), tracer.settings());
    let (invocation, scope) = Invocation::open(tracer, call(), reading);
    invocation.reach("shop::checkout");
    (invocation, scope)
}

/// What the last span says: how many, and the messages of the first.
fn told(spans: &[Ended]) -> (Option<String>, Vec<String>) {
    let span = spans.last().unwrap();
    let message = |event: &opentelemetry_proto::tonic::trace::v1::span::Event| {
        let attributes = event.attributes.clone();
        text(&Ended { attributes, ..Ended::default() }, "exception.message")
    };
    (text(span, "throughline.swallowed_errors"), span.events.iter().filter_map(message).collect())
}

#[test]
fn an_error_that_is_passed_on_is_one_and_others_are_others() {
    let (invocation, scope) = open("{}");
    let mut outer = scope.start_span(SpanKind::Internal, "charge");
    for message in ["no answer", "no answer either"] {
        let mut call = scope.start_child(&outer.context(), SpanKind::Client, "POST");
        call.fail("timeout", message);
    }
    outer.fail_quietly("_OTHER", "charging failed");
    drop(outer);
    for message in ["third", "fourth"] {
        scope.start_span(SpanKind::Client, "POST").fail("timeout", message);
    }
    let fine = scope.start_span(SpanKind::Client, "GET");
    drop(fine);
    let (count, messages) = told(&close(&invocation));
    assert_eq!(count.as_deref(), Some("IntValue(4)"));
    assert_eq!(messages, ["no answer", "no answer either", "third"], "the first few");
}

#[test]
fn what_the_invocation_says_itself_is_not_swallowed() {
    let (invocation, scope) = open("{}");
    scope.start_span(SpanKind::Client, "POST").fail("timeout", "no answer");
    invocation.fail(Failure::new("Timeout", "charging: no answer"));
    let (count, messages) = told(&close(&invocation));
    assert_eq!((count, messages), (None, vec!["charging: no answer".to_owned()]));
}

#[test]
fn a_record_tells_its_own_unless_it_failed() {
    let (invocation, scope) = open(
        r#"{"Records":[{"eventSource":"aws:sqs","messageId":"m-1"},{"eventSource":"aws:sqs","messageId":"m-2"}]}"#,
    );
    for (id, fails) in [("m-1", true), ("m-2", false)] {
        let record = invocation.open_record(id, &scope);
        record.enter(|| assert!(crate::observe(Err::<(), _>(format!("in {id}"))).is_err()));
        if fails {
            record.with_span(|span| span.fail("Refused", "told", now()));
        }
        record.end_record();
    }
    let spans = close(&invocation);
    let one = (Some("IntValue(1)".to_owned()), vec!["in m-2".to_owned()]);
    assert_eq!(told(&spans[..1]), (None, vec!["told".to_owned()]));
    assert_eq!((told(&spans[..2]), told(&spans)), (one.clone(), one), "on its span and on the invocation's");
}

#[test]
fn error_lines_and_instrumented_errors_count() {
    #[tracing::instrument(target = "shop", err)]
    fn charge() -> Result<(), String> {
        Err("card declined".to_owned())
    }
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    let (invocation, scope) = open("{}");
    crate::subscriber::log_span!(&scope, "record").in_scope(|| {
        scope.enter(|| {
            let _ = charge();
            tracing::error!(target: "shop", "no stock");
            tracing::warn!(target: "shop", "little stock");
        });
    });
    let (count, messages) = told(&close(&invocation));
    assert_eq!(count.as_deref(), Some("IntValue(2)"));
    assert_eq!(messages, ["card declined", "no stock"]);
}

#[test]
fn what_is_observed_is_given_back() {
    struct Panics;
    impl Display for Panics {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text")
        }
    }
    crate::panics::watch();
    assert_eq!(observe(Ok::<_, String>(7)), Ok(7));
    assert_eq!(observe("x".parse::<u8>()), "x".parse::<u8>(), "where nothing runs");
    let (invocation, scope) = open("{}");
    scope.enter(|| assert!(observe(Err::<(), _>(Panics)).is_err()));
    scope.enter(|| assert_eq!(observe("x".parse::<u8>()), "x".parse::<u8>()));
    let spans = close(&invocation);
    assert_eq!(told(&spans).1, ["no text", "invalid digit found in string"], "a panic is an error too");
    let event = spans[0].events[1].attributes[0].value.clone();
    assert!(format!("{event:?}").contains("core::num::error::ParseIntError"), "{event:?}");
}
