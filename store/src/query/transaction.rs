//! A transaction: everything that one outside request caused. One trace, or several that belong together.
//!
//! From a trace one goes on to the runs that link to it, and to what these caused; by the ids of messages to where they
//! were received; and back to the sender, where there is one alone. A batch of several senders is part of the
//! transaction of each, but none of these is part of another's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::identity;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use serde::Serialize;

use super::ask::Ask;
use super::ended::ended_well;
use super::joined::{Known, Whole};
use super::joins::Join;
use super::killed::{Killed, of_spans};
use super::traces::Part;
use super::{Answer, Effort, Reader, verdicts};
use crate::Error;
use crate::item::{Item, by_partition, unpack, unpacked_bytes};
use crate::run::Card;
use crate::schema::{Partition, bounded};
use crate::span::Span;

/// The most runs of one transaction.
pub(super) const MAX_RUNS: usize = 500;
/// The most spans of one transaction, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Of how many runs the spans are read at once.
const RUNS_AT_ONCE: usize = 32;

/// A transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Transaction {
    /// Its traces, the one that was asked for first.
    pub trace_ids: Vec<String>,
    /// Its runs, by start.
    pub runs: Vec<Card>,
    /// Its spans, by start.
    pub spans: Vec<Span>,
    /// How its traces belong together.
    pub joins: Vec<Join>,
    /// Traces of others, whose messages came in one batch with this one's.
    pub senders: Vec<String>,
    /// Whether all that failed was done again and did not fail.
    pub ended_well: bool,
    /// Batches that were killed with several messages, this transaction's among them, by function: which was being handled.
    pub killed: Vec<Killed>,
}

/// A transaction on its way.
#[derive(Debug, Default)]
struct Gathering {
    whole: Whole,
    cards: BTreeMap<(String, String), Card>,
    spans: BTreeMap<(String, String), Span>,
    otlp: Vec<ResourceSpans>,
    /// Of the spans, before they were compressed.
    bytes: u64,
}

impl Reader {
    /// The transaction of which the trace with this id is part; without runs if nothing is known of it.
    ///
    /// At most 32 requests for its traces, one for each of its 500 runs, 64 for its ids, and 50; and 64 MiB of spans.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn transaction(&self, trace_id: &str) -> Result<Answer<Transaction>, Error> {
        let mut effort = Effort::default();
        let gathering = self.gather(trace_id, &mut effort).await?;
        Ok(effort.answer(gathering.transaction()))
    }

    /// The spans of a transaction as they came, its runs one after another.
    ///
    /// As many requests as [`Reader::transaction`].
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn export(&self, trace_id: &str) -> Result<Answer<ExportTraceServiceRequest>, Error> {
        let mut effort = Effort::default();
        let gathering = self.gather(trace_id, &mut effort).await?;
        Ok(effort.answer(ExportTraceServiceRequest { resource_spans: gathering.otlp }))
    }

    async fn gather(&self, trace_id: &str, effort: &mut Effort) -> Result<Gathering, Error> {
        let trace = trace_id.to_ascii_lowercase();
        // A transaction has bounds of its own.
        let mut known = Known::new(usize::MAX);
        self.join(&[&trace], &mut known, effort).await?;
        let mut gathering = Gathering { whole: known.whole(&trace), ..Gathering::default() };
        let mut requests = BTreeSet::new();
        let mut parts: Vec<&Part> =
            gathering.whole.traces.iter().flat_map(|trace| known.parts(trace)).collect();
        if parts.len() > MAX_RUNS {
            // Of too many those first that tell most: what failed, and with what it began.
            parts.sort_by_key(|part| (!part.card.failed(), !part.card.began));
        }
        for part in parts {
            let key = (part.card.request_id.clone(), part.card.span_id.clone());
            if gathering.cards.len() >= MAX_RUNS && !gathering.cards.contains_key(&key) {
                effort.at_least = true;
                break;
            }
            requests.insert(part.card.request_id.clone());
            // Of a batch its record in the trace that was asked for, and not the whole.
            gathering.cards.entry(key).or_insert_with(|| part.card.clone());
        }
        let requests: Vec<String> = requests.into_iter().collect();
        for some in requests.chunks(RUNS_AT_ONCE) {
            let asks = some.iter().map(|request| Ask::all(Partition::Spans(bounded(request).into_owned())));
            let items = self.all(asks.collect(), identity, effort).await?;
            for partition in by_partition(items).into_values() {
                gathering.bytes = gathering.bytes.saturating_add(unpacked_bytes(&partition));
                if gathering.bytes > MAX_BYTES {
                    effort.at_least = true;
                    return Ok(gathering);
                }
                gathering.add_spans(&partition, effort);
            }
        }
        Ok(gathering)
    }
}

impl Gathering {
    fn add_spans(&mut self, items: &[Item], effort: &mut Effort) {
        let (resources, damaged) = unpack(items);
        effort.damaged.extend(damaged);
        for resource in resources {
            let request = ExportTraceServiceRequest { resource_spans: vec![resource.clone()] };
            let mut is_new = false;
            for span in Span::from_otlp(request) {
                let key = (span.trace_id.clone(), span.span_id.clone());
                is_new |= self.spans.insert(key, span).is_none();
            }
            self.otlp.extend(is_new.then_some(resource));
        }
    }

    /// Whether all of its runs are known.
    fn is_complete(&self) -> bool {
        self.whole.is_complete() && self.cards.len() < MAX_RUNS
    }

    fn is_ours(&self, trace: &str) -> bool {
        let trace = bounded(trace);
        self.whole.traces.iter().any(|ours| *ours == trace)
    }

    /// What of it all is part of this transaction: of a batch of several senders only what is this one's.
    fn transaction(mut self) -> Transaction {
        verdicts::tell(self.cards.values_mut(), self.spans.values_mut());
        let killed = of_spans(self.spans.values());
        let strangers = self.strangers();
        let kept = |span: &Span| {
            let head = span
                .invocation_id()
                .is_some_and(|_| span.links.iter().any(|link| self.is_ours(&link.trace_id)));
            (self.is_ours(&span.trace_id) || head)
                && !strangers.contains(&(span.trace_id.clone(), span.span_id.clone()))
        };
        let mut spans: Vec<Span> = self.spans.values().filter(|span| kept(span)).cloned().collect();
        spans.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        // What is not known may have failed.
        let ended_well = self.is_complete() && ended_well(self.cards.values());
        let mut runs: Vec<Card> = self.cards.into_values().filter(|card| card.part_of.is_none()).collect();
        runs.sort_by(|a, b| a.order().cmp(&b.order()));
        let Whole { traces: trace_ids, joins, senders, .. } = self.whole;
        let (joins, senders) = (joins.into_iter().collect(), senders.into_iter().collect());
        Transaction { trace_ids, runs, spans, joins, senders, ended_well, killed }
    }

    /// The spans of records that others sent, and all below them: in a batch where records are the invocation's children.
    fn strangers(&self) -> BTreeSet<(String, String)> {
        let asked = self.whole.traces.first();
        let is_foreign = |span: &&Span| {
            let senders = || span.links.iter().filter(|link| link.trace_id != span.trace_id);
            let ours = senders().any(|link| self.is_ours(&link.trace_id));
            span.is_record() && asked != Some(&span.trace_id) && senders().next().is_some() && !ours
        };
        let mut below: HashMap<(&str, &str), Vec<&Span>> = HashMap::new();
        for span in self.spans.values() {
            if let Some(parent) = &span.parent_id {
                below.entry((&span.trace_id, parent)).or_default().push(span);
            }
        }
        let mut strangers = BTreeSet::new();
        let mut next: Vec<&Span> = self.spans.values().filter(is_foreign).collect();
        while let Some(span) = next.pop() {
            // Each once: parents may go round in a circle.
            if strangers.insert((span.trace_id.clone(), span.span_id.clone())) {
                let children = below.get(&(span.trace_id.as_str(), span.span_id.as_str()));
                next.extend(children.into_iter().flatten());
            }
        }
        strangers
    }
}
