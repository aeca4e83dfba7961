//! Which items a run becomes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::Error;
use crate::hash::{FAILURE_SHARDS, shard_of_run};
use crate::item::{Item, Place, Pointer, pack};
use crate::run::{Card, FailedCalls, Joins, Run, baggage, failed_calls, joins, names, open};
use crate::schema::{Partition, bounded, sort};
use crate::time::DAY;

/// How many traces, ids, failed records and members of the baggage one run is found by, of each. A batch may have 10,000
/// records. All of them are in its spans.
const MAX_INDEXED: usize = 100;

/// The card of a run, and those of its records.
pub(super) struct Cards {
    pub(super) head: Card,
    pub(super) records: Vec<Card>,
}

impl Cards {
    pub(super) fn of(run: &Run, now: u64, retention: u64) -> Option<Self> {
        // Looks at all records: once, and not for each of them.
        let began = run.began();
        let card = |span: &_| Card::new(run, span, began, now, retention);
        let mut head = card(run.head()?);
        let mut records: Vec<Card> = run.records().map(card).collect();
        let calls = failed_calls(run);
        for card in records.iter_mut().chain([&mut head]) {
            if let Some(FailedCalls { all, mended }) = calls.get(card.trace_id.as_str()).cloned() {
                (card.failed_calls, card.mended_calls) = (all, mended);
            }
        }
        // A run that failed as a whole, for it was killed or answered nothing, gets all of its records again: each failed.
        // Where some have failed by themselves, so did those that it was at when it was killed.
        let is_whole = !records.iter().any(Card::failed);
        let open = if head.failed() { open(run.spans.iter()) } else { BTreeMap::new() };
        for (record, span) in records.iter_mut().zip(run.records()) {
            record.open = open.get(&(span.trace_id.as_str(), span.span_id.as_str())).copied();
            if record.error.is_none() && (is_whole || span.is_open()) {
                record.error.clone_from(&head.error);
            }
        }
        Some(Self { head, records })
    }
}

/// What failed of a run. A failed record says for whom; where none has failed, the run has, if it did: for all who sent it
/// something, where it has no records and links to several, as the batches of other tools do.
pub(super) fn failures(run: &Run, head: &Card, records: &[Card]) -> Vec<Card> {
    let failures: Vec<Card> = records.iter().filter(|record| record.failed()).cloned().collect();
    if !failures.is_empty() || !head.failed() {
        return failures;
    }
    let links = run.head().filter(|_| records.is_empty()).map_or(&[][..], |head| &head.links);
    let senders: BTreeSet<&str> = links.iter().map(|link| link.trace_id.as_str()).collect();
    let of_sender = |trace: &str| Card { trace_id: bounded(trace).into_owned(), ..head.clone() };
    if senders.len() > 1 { senders.into_iter().map(of_sender).collect() } else { vec![head.clone()] }
}

/// The items of a run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) head: Card,
    pub(super) failures: Vec<Card>,
    pub(super) spans: Vec<Item>,
    /// By which it is found.
    pub(super) index: Vec<Item>,
    pub(super) left_out: usize,
}

/// Which items a run becomes. `now` and `retention` in milliseconds.
pub(super) fn plan(run: &Run, keys: &[String], now: u64, retention: u64) -> Result<Plan, Error> {
    let Some(Cards { head, records }) = Cards::of(run, now, retention) else {
        return Err(Error::Spans("a run without spans".to_owned()));
    };
    let failures = failures(run, &head, &records);
    let at = head.at();
    let place = Placing { run, head: &head, at, expires: at.saturating_add(retention) / 1000 };

    let spans = pack(run)?.into_iter().map(|(sort, item)| {
        let partition = Partition::Spans(bounded(&run.request).into_owned());
        Place { partition, sort, expires: place.expires }.holding(item)
    });
    let spans = spans.collect();
    let mut index = Vec::new();
    let mut left_out = 0;
    let mut few = |count: usize| {
        left_out += count.saturating_sub(MAX_INDEXED);
        MAX_INDEXED
    };

    let traces = traces(run, &head, &records);
    let own = traces.get(&head.trace_id).unwrap_or(&head);
    let mut joins = joins(run);
    for (trace, card) in traces.iter().take(few(traces.len())) {
        let part = Part { card, joins: joins.remove(trace).unwrap_or_default() };
        index.push(place.by_time(Partition::Trace(trace.clone())).item(&part)?);
    }
    let (day, shard) = (at / DAY, shard_of_run(&head.request_id, &head.span_id));
    let function = head.function.clone();
    if head.part_of.is_none() {
        let runs = Partition::Runs { day, shard, function: function.clone() };
        index.push(place.by_time(runs).item(own)?);
    }
    if run.may_begin() {
        index.push(place.by_time(Partition::Begun { day, shard }).item(own)?);
    }

    for failure in failures.iter().take(few(failures.len())) {
        let partition =
            Partition::Failures { day, shard: shard % FAILURE_SHARDS, function: function.clone() };
        // Of one span that failed for several each has its own trace.
        let of_sender = Some(&failure.trace_id).filter(|trace| **trace != head.trace_id);
        let id = failure.record.as_ref().or(of_sender).unwrap_or(&failure.span_id);
        let place = Place { partition, sort: sort(at, &run.request, id), expires: place.expires };
        index.push(place.item(failure)?);
    }

    let names = names(run);
    for (id, names) in names.iter().take(few(names.len())) {
        let (trace, told) =
            told(&traces, names.iter().map(|(_, trace)| trace)).unwrap_or((&head.trace_id, own));
        let names = names.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
        let pointer = Pointer { names: names.into_iter().collect(), ..place.pointer(trace, told) };
        index.push(place.by_time(Partition::Id(bounded(id).into_owned())).item(&pointer)?);
    }
    let mut members: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (key, value, trace) in baggage(run, keys) {
        members.entry((key, value)).or_default().insert(trace);
    }
    for ((key, value), of) in members.iter().take(few(members.len())) {
        let (key, value) = (key.clone(), value.clone());
        let partition = Partition::Baggage { shard, key, value };
        let (trace, told) = told(&traces, of).unwrap_or((&head.trace_id, own));
        index.push(place.by_time(partition).item(&place.pointer(trace, told))?);
    }
    Ok(Plan { head, failures, spans, index, left_out })
}

/// What is told of a run in one trace: its card, and what leads from there to others.
#[derive(Serialize)]
struct Part<'a> {
    #[serde(flatten)]
    card: &'a Card,
    #[serde(skip_serializing_if = "Joins::is_empty")]
    joins: Joins,
}

/// Where the items of a run are.
struct Placing<'a> {
    run: &'a Run,
    head: &'a Card,
    at: u64,
    expires: u64,
}

impl Placing<'_> {
    fn by_time(&self, partition: Partition) -> Place {
        let sort = sort(self.at, &self.run.request, &self.head.span_id);
        Place { partition, sort, expires: self.expires }
    }

    /// `told` is what is told of the run in the trace of the span that has the id.
    fn pointer(&self, trace: &str, told: &Card) -> Pointer {
        Pointer {
            request_id: self.head.request_id.clone(),
            span_id: self.head.span_id.clone(),
            trace_id: trace.to_owned(),
            function: self.head.function.clone(),
            at: self.at,
            failed: told.failed(),
            names: Vec::new(),
        }
    }
}

/// The traces that a run has to do with, and what is told of it in each: the run itself in its own, in others the record
/// that is part of them, a failed one first.
fn traces(run: &Run, head: &Card, records: &[Card]) -> BTreeMap<String, Card> {
    let key = |trace: &str| bounded(trace).into_owned();
    let mut own = head.clone();
    if !own.failed() {
        // A batch that failed in part says nothing itself. In a trace with records of its own only these tell.
        let mut own_records = records.iter().filter(|record| record.trace_id == head.trace_id).peekable();
        let failed = match own_records.peek() {
            Some(_) => own_records.find(|record| record.failed()),
            None => records.iter().find(|record| record.failed()),
        };
        own.error = failed.and_then(|record| record.error.clone());
        if let Some(record) = failed.filter(|record| record.trace_id == head.trace_id) {
            own.message = own.message.or_else(|| record.message.clone());
            own.attempt = own.attempt.or(record.attempt);
        }
    }
    let mut traces = BTreeMap::from([(head.trace_id.clone(), own)]);
    for record in records.iter().filter(|record| record.trace_id != head.trace_id) {
        let told = traces.entry(record.trace_id.clone()).or_insert_with(|| record.clone());
        if !told.failed() && record.failed() {
            told.clone_from(record);
        }
    }
    for span in &run.spans {
        traces.entry(key(&span.trace_id)).or_insert_with(|| head.clone());
        for link in &span.links {
            traces.entry(key(&link.trace_id)).or_insert_with(|| head.clone());
        }
    }
    traces
}

/// What is told of a run in one of these traces, and in which: in the first where it failed, if it did in one.
fn told<'a>(
    traces: &'a BTreeMap<String, Card>,
    of: impl IntoIterator<Item = &'a String>,
) -> Option<(&'a String, &'a Card)> {
    of.into_iter().filter_map(|trace| traces.get_key_value(trace)).min_by_key(|(_, card)| !card.failed())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Span;
    use proptest::prelude::*;

    use super::*;
    use crate::item::{size, text};
    use crate::run::group;
    use crate::schema::{PARTITION_KEY, SORT_KEY};
    use crate::testing::{NOW, Told as _, otlp, span};

    /// A span that says anything of itself, under the names that mean something here.
    fn any_span() -> impl Strategy<Value = Span> {
        let name = "faas\\.invocation_id|throughline\\.(source|entry|join\\.in|join\\.out|build_id|queue_time_ms)|\
                    correlation\\.id|user\\.id|messaging\\.message\\.id|error\\.type";
        let value = prop_oneof![".{0,9}", "[a-z]{1,3}:[a-z]{0,3}", "[x:]{300,900}", "[0-9]{1,25}"];
        let attributes = prop::collection::vec((name, value), 0..8);
        let ids = (prop::collection::vec(any::<u8>(), 0..20), 0..4_u64, 0..6_i32, any::<u64>());
        (ids, attributes, any::<bool>()).prop_map(|((trace_id, id, kind, start), attributes, failed)| {
            let any = attributes
                .into_iter()
                .fold(span(1, id, Some(0)), |span, (key, value)| span.attribute(&key, &value));
            let any = if failed { any.failed("Broken", "it is broken").link(7, id) } else { any };
            Span { trace_id, kind, start_time_unix_nano: start, end_time_unix_nano: 5, ..any }
        })
    }

    proptest! {
        /// DynamoDB takes keys of 2,048 and 1,024 bytes and items of 400 KB.
        #[test]
        fn whatever_spans_say_their_items_fit(spans in prop::collection::vec(any_span(), 0..8)) {
            for run in group(otlp("f", spans)) {
                let plan = plan(&run, &["user.id".to_owned()], NOW, DAY).unwrap();
                prop_assert!(!plan.spans.is_empty());
                for item in plan.spans.iter().chain(&plan.index) {
                    let (partition, sort) = (text(item, PARTITION_KEY).unwrap(), text(item, SORT_KEY).unwrap());
                    prop_assert!(partition.parse::<Partition>().is_ok(), "{}", partition);
                    prop_assert!(partition.len() <= 2048 && (1..=1024).contains(&sort.len()), "{}", sort);
                    prop_assert!(size(item) <= 400 * 1024);
                }
            }
        }
    }
}
