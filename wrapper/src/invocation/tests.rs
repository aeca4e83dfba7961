use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry_proto::tonic::trace::v1::Span as Ended;

use prost::Message;

use super::*;
use crate::propagation::Context;
use crate::span::SpanKind;
use crate::testing::{self, close, now, text};
use crate::triggers::{Answers, Record, Sender};

fn tracer() -> Arc<Tracer> {
    configured(&[])
}

fn configured(variables: &[(&str, &str)]) -> Arc<Tracer> {
    let value = |key: &str| variables.iter().find(|(known, _)| *known == key);
    Tracer::new(&|key| value(key).map(|(_, value)| (*value).to_owned()), now)
}

fn call() -> Call {
    let xray =
        XrayHeader::parse("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
    Call { function_name: "payment-worker".to_owned(), xray, ..testing::call() }
}

fn sender(trace: u128, span: u64, baggage: &str) -> Sender {
    let span = SpanContext::new(
        TraceId::from_bytes(trace.to_be_bytes()),
        SpanId::from_bytes(span.to_be_bytes()),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    Sender::Parent(Context { span, baggage: Baggage::parse(baggage) })
}

fn batch(senders: Vec<Option<Sender>>) -> Reading {
    let records = senders.into_iter().enumerate().map(|(index, sender)| Record {
        id: format!("m-{index}"),
        source: "sqs payments < sns orders".into(),
        sender,
        links: Vec::new(),
        join: None,
        sent: Some(now() - Duration::from_millis(18)),
        shared: Vec::new().into(),
        attributes: Default::default(),
    });
    Reading {
        trigger: "pubsub",
        kind: SpanKind::Consumer,
        name: Some("process payments".to_owned()),
        source: "sqs payments < sns orders".to_owned(),
        attributes: Vec::new(),
        sender: None,
        trace: None,
        join: None,
        records: records.collect(),
        answers: Answers::Opaque,
        request_id: None,
        dry_runs: Vec::new(),
        stripped: None,
    }
}

/// Opens the invocation, processes each of its records, closes it.
fn spans_of(reading: Reading) -> (Ended, Vec<Ended>) {
    spans_by(tracer(), reading)
}

fn spans_by(tracer: Arc<Tracer>, reading: Reading) -> (Ended, Vec<Ended>) {
    let ids: Vec<_> = reading.records.iter().map(|record| record.id.clone()).collect();
    let (invocation, scope) = Invocation::open(tracer, call(), reading);
    invocation.reach("shop::handle");
    for id in ids {
        invocation.open_record(&id, &scope).end_record();
    }
    let mut spans = close(&invocation);
    (spans.pop().unwrap(), spans)
}

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

#[test]
fn one_sender_is_the_parent_and_its_record_is_within_the_invocation() {
    let (invocation, records) = spans_of(batch(vec![Some(sender(7, 1, "correlation.id=c-1,user.id=u-1"))]));
    assert_eq!((number(&invocation.trace_id), number(&invocation.parent_span_id)), (7, 1));
    assert_eq!(records[0].parent_span_id, invocation.span_id);
    for span in [&invocation, &records[0]] {
        assert_eq!(text(span, "correlation.id").as_deref(), Some("c-1"));
        assert_eq!(text(span, "user.id").as_deref(), Some("u-1"));
        assert_eq!(text(span, "throughline.queue_time_ms").as_deref(), Some("IntValue(18)"));
        assert_eq!(text(span, "throughline.source").as_deref(), Some("sqs payments < sns orders"));
    }
    assert_eq!(records[0].name, "process payments");
}

#[test]
fn several_traces_leave_the_invocation_its_own_and_each_record_its_senders() {
    let senders = vec![Some(sender(7, 1, "correlation.id=c-7")), Some(sender(8, 2, "correlation.id=c-8"))];
    let (invocation, records) = spans_of(batch(senders));
    // X-Ray's trace, since it begins here; without its segment as a parent that no backend has.
    assert_eq!(number(&invocation.trace_id), 0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793);
    assert!(invocation.parent_span_id.is_empty());
    let linked: Vec<_> = invocation.links.iter().map(|link| number(&link.trace_id)).collect();
    assert_eq!(linked, [7, 8]);
    assert_eq!(text(&invocation, "correlation.id").as_deref(), Some("r-1"));
    for (record, (trace, span)) in records.iter().zip([(7, 1), (8, 2)]) {
        assert_eq!((number(&record.trace_id), number(&record.parent_span_id)), (trace, span));
        assert_eq!(text(record, "correlation.id"), Some(format!("c-{trace}")));
        assert_eq!(record.links[0].span_id, invocation.span_id);
    }
}

#[test]
fn several_senders_of_one_trace_share_it() {
    let senders =
        vec![Some(sender(7, 1, "correlation.id=c-7,a=1")), Some(sender(7, 2, "correlation.id=c-7,b=2"))];
    let (invocation, records) = spans_of(batch(senders));
    assert_eq!((number(&invocation.trace_id), number(&invocation.parent_span_id)), (7, 1));
    assert_eq!(records[0].parent_span_id, invocation.span_id);
    assert_eq!(number(&records[1].parent_span_id), 2);
    assert_eq!(text(&invocation, "correlation.id").as_deref(), Some("c-7"));
}

#[test]
fn an_id_that_is_too_long_for_a_correlation_id_is_none() {
    for (id, due) in [("api-1".to_owned(), "api-1"), ("x".repeat(8 * 1024), "r-1")] {
        let reading = Reading { request_id: Some(id), ..batch(Vec::new()) };
        let (_, scope) = Invocation::open(tracer(), call(), reading);
        assert_eq!(scope.correlation_id().as_deref(), Some(due));
    }
}

#[test]
fn what_senders_disagree_on_is_not_the_invocations() {
    let senders =
        vec![Some(sender(7, 1, "correlation.id=c-7,user.id=u-1")), Some(sender(7, 2, "correlation.id=c-7"))];
    let (_, scope) = Invocation::open(tracer(), call(), batch(senders));
    assert_eq!((scope.correlation_id().as_deref(), scope.baggage().get("user.id")), (Some("c-7"), None));
    let senders = vec![Some(sender(7, 1, "correlation.id=c-1")), Some(sender(7, 2, "correlation.id=c-2"))];
    let (_, scope) = Invocation::open(tracer(), call(), batch(senders));
    assert_eq!(scope.correlation_id().as_deref(), Some("r-1"));
}

#[test]
fn an_untrusted_caller_has_no_say_in_the_trace_id() {
    let tracer = Tracer::new(&|key| (key == "THROUGHLINE_TRUST_INBOUND").then(|| "none".to_owned()), now);
    let Sender::Parent(context) = sender(7, 1, "") else { unreachable!() };
    for (trigger, sender, own) in
        [("http", Some(Sender::Link(context)), true), ("http", None, true), ("timer", None, false)]
    {
        let reading = Reading { trigger, sender, ..batch(Vec::new()) };
        let (_, scope) = Invocation::open(tracer.clone(), call(), reading);
        let from_xray = call().xray.unwrap().trace_id == scope.span().trace_id();
        assert_eq!(from_xray, !own, "{trigger}");
    }
}

#[test]
fn the_links_of_a_large_batch_are_bounded_and_counted() {
    let senders = (1..=1_000).map(|n| Some(sender(n.into(), n, ""))).collect();
    let (invocation, records) = spans_of(batch(senders));
    assert_eq!((invocation.links.len(), invocation.dropped_links_count), (128, 872));
    assert_eq!(records.len(), 1_000);
}

#[test]
fn a_record_without_a_sender_is_not_taken_for_anothers() {
    let (invocation, records) = spans_of(batch(vec![Some(sender(7, 1, "")), None]));
    assert!(invocation.parent_span_id.is_empty());
    assert_eq!(number(&records[0].trace_id), 7);
    assert_eq!(records[1].parent_span_id, invocation.span_id);
    assert_eq!(text(&records[1], "correlation.id").as_deref(), Some("m-1"));
}

#[test]
fn a_sender_that_is_a_link_is_never_the_parent() {
    let Sender::Parent(context) = sender(7, 1, "user.id=u-1") else { unreachable!() };
    let (invocation, records) = spans_of(batch(vec![Some(Sender::Link(context))]));
    assert_ne!(number(&invocation.trace_id), 7);
    assert_eq!(number(&invocation.links[0].span_id), 1);
    assert_eq!(records[0].parent_span_id, invocation.span_id);
    assert_eq!(text(&records[0], "user.id"), None);
    assert_eq!(text(&records[0], "correlation.id").as_deref(), Some("m-0"));
}

#[test]
fn an_unknown_record_still_has_its_span() {
    let (invocation, scope) = Invocation::open(tracer(), call(), batch(Vec::new()));
    invocation.open_record("m-9", &scope).end_record();
    let record = close(&invocation).remove(0);
    assert_eq!(record.name, "process record");
    assert_eq!(number(&record.parent_span_id), number(&scope.span().span_id().to_bytes()));
}

#[test]
fn spans_beyond_the_bound_are_counted_and_late_ones_wait_for_the_next() {
    let (invocation, scope) = Invocation::open(tracer(), call(), batch(Vec::new()));
    invocation.reach("shop::handle");
    // Each 2.4 MB: one fits.
    for _ in 0..3 {
        let mut span = scope.start_span(SpanKind::Internal, "big");
        span.extend((0..300).map(|n| attribute(&n.to_string(), "x".repeat(8 * 1024))));
    }
    let spans = close(&invocation);
    assert_eq!(spans.len(), 2);
    assert_eq!(text(&spans[1], "throughline.dropped_spans").as_deref(), Some("IntValue(2)"));
    let size: usize = spans.iter().map(Message::encoded_len).sum();
    assert!(size <= MAX_BYTES + 1024, "the invocation span counts too: {size}");
    drop(scope.start_span(SpanKind::Internal, "late"));
    assert!(close(&invocation).is_empty());
}

#[test]
fn by_configuration_a_sender_is_a_link_and_its_baggage_goes_on() {
    let reading = batch(vec![Some(sender(7, 1, "user.id=u-1")), Some(sender(8, 2, "user.id=u-2"))]);
    let (invocation, records) = spans_by(configured(&[("THROUGHLINE_RECORD_SENDER", "link")]), reading);
    for (record, (trace, user)) in records.iter().zip([(7, "u-1"), (8, "u-2")]) {
        assert_eq!((&record.trace_id, &record.parent_span_id), (&invocation.trace_id, &invocation.span_id));
        assert_eq!(record.links.iter().map(|link| number(&link.trace_id)).collect::<Vec<_>>(), [trace]);
        assert_eq!(text(record, "user.id").as_deref(), Some(user));
    }
}

#[test]
fn marks_of_the_configuration_are_on_every_transaction() {
    let tracer = configured(&[("THROUGHLINE_DEBUG", "true")]);
    let reading = batch(vec![Some(sender(7, 1, "")), None]);
    let (_, scope) = Invocation::open(tracer, call(), reading);
    let record = scope.invocation().open_record("m-0", &scope);
    for scope in [scope, record] {
        assert!(scope.baggage().marked(Baggage::DEBUG));
        assert!(!scope.baggage().marked(Baggage::DRY_RUN));
    }
}
