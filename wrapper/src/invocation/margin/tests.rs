use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::handover::port_file_of;
use crate::invocation::Invocation;
use crate::recorder::testing::written_down;
use crate::scope::Scope;
use crate::span::{Failure, SpanKind};
use crate::testing::{Extension, call, now, text};
use crate::tracer::Tracer;
use crate::triggers::{Caller, read};

fn begin(tracer: &Arc<Tracer>) -> Scope {
    let reading = read(&b"{}"[..].into(), &Caller::default(), tracer.settings());
    let scope = Invocation::open(tracer.clone(), call(), reading).1;
    scope.invocation().reach("handler");
    scope
}

fn deadline() -> SystemTime {
    now() + Duration::from_millis(300)
}

/// What the watch does, on a thread as it does it.
async fn is_at_margin(scope: &Scope) {
    let invocation = scope.invocation().clone();
    let (done, told) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        invocation.is_at_margin(deadline());
        done.send(()).unwrap();
    });
    told.await.unwrap();
}

async fn end(tracer: &Tracer, scope: &Scope) {
    let spans = scope.invocation().close();
    tracer.hand_over(spans, deadline()).await;
}

fn events(span: &Span) -> Vec<(&str, Option<String>)> {
    let attribute = |event: &opentelemetry_proto::tonic::trace::v1::span::Event, key| {
        text(&Span { attributes: event.attributes.clone(), ..Span::default() }, key)
    };
    let told = |event| {
        attribute(event, "throughline.remaining_ms").or_else(|| attribute(event, "exception.message"))
    };
    span.events.iter().map(|event| (event.name.as_str(), told(event))).collect()
}

#[tokio::test]
async fn with_an_extension_the_margin_is_written_down_and_nothing_leaves() {
    let extension = Extension::start().await;
    let tracer = extension.tracer(&[]);
    let scope = begin(&tracer);
    scope.note_error(Failure::new("Declined", "no money"));
    is_at_margin(&scope).await;
    assert!(extension.spans().is_empty());
    let written = written_down(extension.runtime_api()).pop().unwrap();
    let margin = ("throughline.deadline", Some("IntValue(300)".to_owned()));
    let swallowed = ("exception", Some("no money".to_owned()));
    assert_eq!(events(&written), [margin.clone(), swallowed.clone()]);
    assert!(written.end_time_unix_nano == 0 && text(&written, "throughline.partial").is_none());
    // It ends in time after all.
    end(&tracer, &scope).await;
    let [span] = extension.spans().try_into().unwrap();
    assert_eq!(events(&span), [margin, swallowed]);
    assert_eq!(text(&span, "throughline.swallowed_errors").as_deref(), Some("IntValue(1)"));
}

#[tokio::test]
async fn without_one_what_there_is_is_sent_and_the_whole_afterwards() {
    let collector = Extension::start().await;
    // Its sandbox has a folder, and no extension in it.
    std::fs::remove_file(port_file_of(collector.runtime_api())).unwrap();
    let endpoint = format!("http://0.0.0.0:{}", collector.port());
    let tracer = collector.tracer(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let scope = begin(&tracer);
    drop(scope.start_span(SpanKind::Client, "GET"));
    let second = scope.start_span(SpanKind::Client, "POST");
    second.write_down();
    is_at_margin(&scope).await;
    assert_eq!(collector.names(), ["GET", "POST", "checkout"]);
    let part = collector.span("checkout");
    for (span, is_partial) in
        [(&collector.span("GET"), false), (&collector.span("POST"), true), (&part, true)]
    {
        assert_eq!(text(span, "throughline.partial").is_some(), is_partial, "{span:?}");
        assert!(span.end_time_unix_nano > 0);
    }
    drop(second);
    end(&tracer, &scope).await;
    assert_eq!(collector.names(), ["GET", "POST", "checkout", "GET", "POST", "checkout"]);
    let whole = collector.spans().pop().unwrap();
    assert!(whole.span_id == part.span_id && text(&whole, "throughline.partial").is_none());
}

#[tokio::test]
async fn one_that_has_ended_is_not_told_of() {
    let extension = Extension::start().await;
    let scope = begin(&extension.tracer(&[]));
    scope.invocation().close();
    let before = written_down(extension.runtime_api());
    is_at_margin(&scope).await;
    assert_eq!(written_down(extension.runtime_api()), before);
}
