//! A transaction: everything that one outside request caused. One trace, or several that belong together.
//!
//! From a trace one goes on to the runs that link to it, and to what these caused; by the ids of messages to where they
//! were received; and back to the sender, where there is one alone. A batch of several senders is part of the
//! transaction of each, but none of these is part of another's.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use serde::Serialize;

use super::ask::Ask;
use super::joins::{self, Lookup};
use super::{Answer, Effort, Reader};
use crate::Error;
use crate::item::{Item, by_partition, unpack, unpacked_bytes};
use crate::run::Card;
use crate::schema::{Partition, bounded};
use crate::span::{Kind, Span};

/// The most traces of one transaction.
pub(super) const MAX_TRACES: usize = 32;
/// The most runs of one transaction.
pub(super) const MAX_RUNS: usize = 500;
/// The most spans of one transaction, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Of how many runs the spans are read at once.
const RUNS_AT_ONCE: usize = 32;
/// The most ids that are looked up to join others to it.
pub(super) const MAX_LOOKUPS: usize = 64;

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
}

/// Why two traces are of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Join {
    /// The sender's trace.
    pub from: String,
    /// The receiver's.
    pub to: String,
    /// `link`, or the id that both have: `sqs:2e1424d4-…`.
    pub by: String,
}

/// A transaction on its way.
#[derive(Debug, Default)]
struct Gathering {
    traces: Vec<String>,
    next: VecDeque<String>,
    cards: BTreeMap<(String, String), Card>,
    spans: BTreeMap<(String, String), Span>,
    otlp: Vec<ResourceSpans>,
    /// Of the spans, before they were compressed.
    bytes: u64,
    joins: BTreeSet<Join>,
    senders: BTreeSet<String>,
    asked: BTreeSet<String>,
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
        let mut gathering = Gathering::default();
        gathering.next.push_back(trace_id.to_ascii_lowercase());
        while let Some(trace) = gathering.next.pop_front() {
            if gathering.traces.contains(&trace) {
                continue;
            }
            if gathering.traces.len() >= MAX_TRACES {
                effort.at_least = true;
                break;
            }
            gathering.traces.push(trace.clone());
            self.add_trace(&trace, &mut gathering, effort).await?;
            gathering.follow_links();
            for lookup in joins::lookups(gathering.spans.values(), &gathering.traces) {
                if !gathering.asked.insert(lookup.key()) {
                    continue;
                }
                if gathering.asked.len() > MAX_LOOKUPS {
                    effort.at_least = true;
                    break;
                }
                for join in self.look_up(&lookup, effort).await? {
                    gathering.add_join(join);
                }
            }
        }
        Ok(gathering)
    }

    /// The runs that have to do with a trace, and their spans.
    async fn add_trace(
        &self,
        trace: &str,
        gathering: &mut Gathering,
        effort: &mut Effort,
    ) -> Result<(), Error> {
        let partition = Partition::Trace(bounded(trace).into_owned());
        let items = self.all(vec![Ask::all(partition)], effort).await?;
        let mut requests = BTreeSet::new();
        for card in effort.read::<Card>(items) {
            let key = (card.request_id.clone(), card.span_id.clone());
            if gathering.cards.len() >= MAX_RUNS && !gathering.cards.contains_key(&key) {
                effort.at_least = true;
                break;
            }
            if gathering.cards.insert(key, card.clone()).is_none() {
                requests.insert(card.request_id);
            }
        }
        let requests: Vec<String> = requests.into_iter().collect();
        for some in requests.chunks(RUNS_AT_ONCE) {
            let asks = some.iter().map(|request| Ask::all(Partition::Spans(bounded(request).into_owned())));
            let items = self.all(asks.collect(), effort).await?;
            for partition in by_partition(items).into_values() {
                gathering.bytes = gathering.bytes.saturating_add(unpacked_bytes(&partition));
                if gathering.bytes > MAX_BYTES {
                    effort.at_least = true;
                    return Ok(());
                }
                gathering.add_spans(&partition, effort);
            }
        }
        Ok(())
    }

    async fn look_up(&self, lookup: &Lookup, effort: &mut Effort) -> Result<Vec<Join>, Error> {
        let items = self.all(vec![Ask::all(Partition::Id(lookup.id().to_owned()))], effort).await?;
        Ok(lookup.joins(&effort.read(items)))
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

    fn is_ours(&self, trace: &str) -> bool {
        self.traces.iter().any(|ours| ours == trace)
    }

    fn add_join(&mut self, join: Join) {
        for trace in [&join.from, &join.to] {
            if !self.is_ours(trace) {
                self.next.push_back(trace.clone());
            }
        }
        if join.from != join.to {
            self.joins.insert(join);
        }
    }

    fn follow_links(&mut self) {
        let mut joins = Vec::new();
        // What was called or sent something, of which other tools' spans tell by their kind.
        let begins = |span: &&Span| {
            let called = span.parent_id.is_none() || matches!(span.kind, Kind::Server | Kind::Consumer);
            span.invocation_id().is_some() || span.is_record() || called
        };
        for span in self.spans.values().filter(begins) {
            let to_ours = span.links.iter().filter(|link| self.is_ours(&link.trace_id));
            let join = |from: &str, to: &str| Join { from: from.into(), to: to.into(), by: "link".into() };
            // A record that is its sender's child links to its invocation, not to its cause.
            if span.is_record() && !self.is_ours(&span.trace_id) {
                continue;
            }
            if !self.is_ours(&span.trace_id) {
                joins.extend(to_ours.map(|link| join(&link.trace_id, &span.trace_id)));
            } else if span.parent_id.is_none() {
                let foreign: BTreeSet<&str> = span.links.iter().map(|link| link.trace_id.as_str()).collect();
                match foreign.iter().filter(|trace| **trace != span.trace_id).collect::<Vec<_>>().as_slice() {
                    [only] => joins.push(join(only, &span.trace_id)),
                    several => self.senders.extend(several.iter().map(|trace| (**trace).to_owned())),
                }
            }
        }
        joins.into_iter().for_each(|join| self.add_join(join));
    }

    /// What of it all is part of this transaction: of a batch of several senders only what is this one's.
    fn transaction(mut self) -> Transaction {
        let strangers = self.strangers();
        let traces: BTreeSet<&str> = self.traces.iter().map(String::as_str).collect();
        let kept = |span: &Span| {
            let head = span
                .invocation_id()
                .is_some_and(|_| span.links.iter().any(|link| traces.contains(link.trace_id.as_str())));
            (traces.contains(span.trace_id.as_str()) || head)
                && !strangers.contains(&(span.trace_id.clone(), span.span_id.clone()))
        };
        let mut spans: Vec<Span> = self.spans.values().filter(|span| kept(span)).cloned().collect();
        spans.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        let mut runs: Vec<Card> = self.cards.into_values().filter(|card| card.part_of.is_none()).collect();
        runs.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        self.senders.retain(|sender| !traces.contains(sender.as_str()));
        let senders = self.senders.into_iter().collect();
        let trace_ids = self.traces.clone();
        Transaction { trace_ids, runs, spans, joins: self.joins.into_iter().collect(), senders }
    }

    /// The spans of records that others sent, and all below them: in a batch where records are the invocation's children.
    fn strangers(&self) -> BTreeSet<(String, String)> {
        let asked = self.traces.first();
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
