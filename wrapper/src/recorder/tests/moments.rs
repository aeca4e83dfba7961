//! When what is written down.

use std::convert::Infallible;
use std::future::ready;

use http::{Request, Response};
use opentelemetry_proto::tonic::trace::v1::Span;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use super::super::testing::written_down;
use crate::context;
use crate::invocation::Invocation;
use crate::scope::{Scope, Scoped};
use crate::span::{Failure, SpanKind};
use crate::testing::{Extension, call, subscribe, text};
use crate::triggers::{Caller, read};

const RECORDS: &[u8] = br#"{"Records":[{"messageId":"m-1","eventSource":"aws:sqs","body":"",
    "eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:payments"}]}"#;

fn begin(extension: &Extension) -> Scope {
    let tracer = extension.tracer(&[]);
    let reading = read(&RECORDS.into(), &Caller::default(), tracer.settings());
    Invocation::open(tracer, call(), reading).1
}

fn last(extension: &Extension) -> Span {
    written_down(extension.runtime_api()).pop().unwrap()
}

fn is_open(span: &Span) -> bool {
    span.end_time_unix_nano == 0
}

#[tokio::test]
async fn the_invocation_is_written_down_at_its_beginning_and_whenever_it_says_more() {
    let extension = Extension::start().await;
    let scope = begin(&extension);
    let written = last(&extension);
    assert!(is_open(&written) && text(&written, "faas.invocation_id").as_deref() == Some("r-1"));
    scope.enter(|| context::set_user("u-1"));
    assert_eq!(text(&last(&extension), "user.id").as_deref(), Some("u-1"));
    let invocation = scope.invocation();
    invocation.reach("handler");
    invocation.fail(Failure::new("Declined", "no money"));
    let written = last(&extension);
    assert!(is_open(&written) && written.status.unwrap().message == "no money");
    invocation.close();
    assert!(!is_open(&last(&extension)));
    invocation.forget();
    assert!(written_down(extension.runtime_api()).is_empty());
    drop(scope.start_span(SpanKind::Client, "late"));
    assert!(written_down(extension.runtime_api()).is_empty());
}

/// Whatever ends the process next, an abort by the panic among it.
#[tokio::test]
async fn what_is_swallowed_is_written_down_at_once_and_stays() {
    let extension = Extension::start().await;
    let scope = begin(&extension);
    let record = scope.invocation().open_record("m-1", &scope);
    crate::panics::watch();
    let panics = || scope.enter(|| panic!("on purpose"));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    record.enter(|| crate::observe("ten".parse::<u32>()).unwrap_err());
    let said = |is_record: bool| {
        let is_asked = |span: &Span| is_record == text(span, "faas.invocation_id").is_none();
        let span = written_down(extension.runtime_api()).into_iter().rfind(is_asked).unwrap();
        let attributes = span.events[0].attributes.clone();
        text(&Span { attributes, ..Span::default() }, "exception.message").unwrap()
    };
    let expected = ["on purpose", "invalid digit found in string"];
    assert_eq!([said(false), said(true)], expected);
    scope.enter(|| context::set_user("u-1"));
    record.enter(|| context::set_user("u-2"));
    assert_eq!([said(false), said(true)], expected);
}

#[tokio::test]
async fn a_record_is_written_down_when_it_begins_and_when_it_ends() {
    let extension = Extension::start().await;
    let scope = begin(&extension);
    let record = scope.invocation().open_record("m-1", &scope);
    let written = last(&extension);
    assert!(is_open(&written) && written.name == "process payments");
    assert_eq!(text(&written, "messaging.message.id").as_deref(), Some("m-1"));
    record.enter(|| context::set_user("u-1"));
    assert_eq!(text(&last(&extension), "user.id").as_deref(), Some("u-1"));
    record.end_record();
    let ended = last(&extension);
    assert!(!is_open(&ended) && ended.span_id == written.span_id);
}

#[tokio::test]
async fn a_span_that_is_dropped_for_want_of_memory_has_ended_there() {
    let extension = Extension::start().await;
    let scope = begin(&extension);
    // More than 3 MiB.
    for n in 0..400 {
        let mut span = scope.start_span(SpanKind::Client, &format!("call {n}"));
        span.set("text", &*"x".repeat(8 * 1024));
        span.write_down();
    }
    let spans = written_down(extension.runtime_api());
    let last = spans.last().unwrap();
    assert!(last.name == "call 399" && !is_open(last));
    scope.invocation().close();
    let invocation = self::last(&extension);
    assert!(text(&invocation, "throughline.dropped_spans").is_some(), "the test can fail");
}

#[tokio::test]
async fn a_request_is_written_down_before_it_is_sent() {
    let extension = Extension::start().await;
    let scope = begin(&extension);
    let (runtime_api, (saw, seen)) = (extension.runtime_api().to_owned(), std::sync::mpsc::channel());
    let server = service_fn(move |_: Request<()>| {
        saw.send(written_down(&runtime_api).pop().unwrap()).unwrap();
        ready(Ok::<_, Infallible>(Response::new(())))
    });
    let client = crate::http::layer().layer(server);
    let request = Request::get("https://api.example/cards").body(()).unwrap();
    Scoped::new(client.oneshot(request), scope).await.unwrap();
    let seen = seen.recv().unwrap();
    assert!(is_open(&seen) && seen.name == "GET", "{seen:?}");
    assert_eq!(text(&seen, "url.full").as_deref(), Some("https://api.example/cards"));
    let ended = last(&extension);
    assert!(!is_open(&ended) && ended.span_id == seen.span_id);
}

#[tokio::test]
async fn a_span_of_the_program_is_written_down_with_its_fields() {
    let extension = Extension::start().await;
    let _guard = subscribe(tracing_subscriber::registry().with(crate::layer()));
    begin(&extension).enter(|| {
        let span =
            tracing::info_span!(target: "shop", "charge", card = "c-1", amount = tracing::field::Empty);
        let written = last(&extension);
        assert!(is_open(&written) && text(&written, "card").as_deref() == Some("c-1"), "{written:?}");
        span.record("amount", "12");
        assert_eq!(text(&last(&extension), "amount").as_deref(), Some("12"));
    });
    assert!(!is_open(&last(&extension)));
}
