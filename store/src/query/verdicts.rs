//! Failures that those whom they hit could not tell: a record whose invocation was killed, or gave no answer for its batch,
//! has failed with it; and of some invocations only the platform knows that they failed, and tells it in a span beside.

use std::collections::{BTreeMap, BTreeSet};

use crate::run::{Card, Failure};
use crate::schema::bounded;
use crate::span::{Span, Status};

/// Trace and span of an invocation, as they are in keys.
type Head = (String, String);

/// An invocation.
struct Invocation {
    function: String,
    start: u64,
    failure: Option<Failure>,
}

impl Invocation {
    fn of(span: &Span) -> Option<(Head, Self)> {
        span.invocation_id()?;
        let function = bounded(&span.function).into_owned();
        let invocation = Self { function, start: span.start, failure: Failure::of(span) };
        Some((key(&span.trace_id, &span.span_id), invocation))
    }
}

/// Tells them, of cards and of spans: the same that is counted.
pub(super) fn tell<'a>(cards: impl Iterator<Item = &'a mut Card>, spans: impl Iterator<Item = &'a mut Span>) {
    // Those of records were told when they were written.
    let mut cards: Vec<&mut Card> = cards.filter(|card| card.record.is_none()).collect();
    let mut spans: Vec<&mut Span> = spans.collect();
    let invocations = invocations(&cards, &spans);
    let by_themselves = spans.iter().filter(|span| span.is_record() && span.error().is_some());
    let refused: BTreeSet<Head> =
        by_themselves.filter_map(|span| Some(of_record(span, &invocations)?.0.clone())).collect();
    for span in spans.iter_mut().filter(|span| span.error().is_none()) {
        let told = if span.is_record() {
            let is_hit = |head: &Head| span.is_open() || !refused.contains(head);
            of_record(span, &invocations).filter(|(head, _)| is_hit(head)).map(|(_, invocation)| invocation)
        } else {
            invocations.get(&key(&span.trace_id, &span.span_id))
        };
        if let Some(Failure { kind, message }) = told.and_then(|invocation| invocation.failure.clone()) {
            span.status = Status::Error(message);
            span.attributes.entry("error.type".to_owned()).or_insert(kind);
        }
    }
    for card in cards.iter_mut().filter(|card| card.part_of.is_none() && card.error.is_none()) {
        let told = invocations.get(&key(&card.trace_id, &card.span_id));
        card.error = told.and_then(|invocation| invocation.failure.clone());
    }
}

fn invocations(cards: &[&mut Card], spans: &[&mut Span]) -> BTreeMap<Head, Invocation> {
    let mut invocations: BTreeMap<Head, Invocation> =
        spans.iter().filter_map(|span| Invocation::of(span)).collect();
    for card in cards {
        let head = card.part_of.as_ref().unwrap_or(&card.span_id);
        if let Some(invocation) = invocations.get_mut(&key(&card.trace_id, head)) {
            invocation.failure = invocation.failure.take().or_else(|| card.error.clone());
        }
    }
    invocations
}

/// Each record, behind the invocation that was given it.
pub(super) fn given<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> Vec<(&'a Span, &'a Span)> {
    let heads: BTreeMap<Head, &Span> =
        spans.clone().map(|span| (key(&span.trace_id, &span.span_id), span)).collect();
    let invocations: BTreeMap<Head, Invocation> = spans.clone().filter_map(Invocation::of).collect();
    let records = spans.filter(|span| span.is_record());
    records.filter_map(|span| Some((*heads.get(of_record(span, &invocations)?.0)?, span))).collect()
}

/// The invocation that was given a record: the last of its function that the record is a child of or links to, for its
/// sender may be one too.
fn of_record<'a>(
    record: &Span,
    invocations: &'a BTreeMap<Head, Invocation>,
) -> Option<(&'a Head, &'a Invocation)> {
    let parent = record.parent_id.iter().map(|parent| key(&record.trace_id, parent));
    let links = record.links.iter().map(|link| key(&link.trace_id, &link.span_id));
    let known = parent.chain(links).filter_map(|head| invocations.get_key_value(&head));
    let function = bounded(&record.function);
    known.filter(|(_, of)| of.function == *function).max_by_key(|(_, invocation)| invocation.start)
}

fn key(trace: &str, span: &str) -> Head {
    (bounded(trace).into_owned(), bounded(span).into_owned())
}
