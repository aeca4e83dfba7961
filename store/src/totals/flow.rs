//! What is counted.

use std::collections::BTreeMap;

use super::called::{Called, received_from};
use super::errors::{self, Errors, ErrorsByKind, Failed};
use super::{Histogram, Sketch};
use crate::run::{Card, Run, Usage};
use crate::span::{Kind, Span};

/// The longest name of a node that is counted under its own.
const MAX_NAME: usize = 128;
/// How many edges and errors are counted apart. What comes then is counted as [`OTHER`].
pub(super) const MAX_APART: usize = 64;
/// How many flows are. They are the larger ones, and all are one item of the table.
pub(super) const MAX_FLOWS: usize = 32;
/// The name of all that is not counted apart.
pub(crate) const OTHER: &str = "(other)";

/// What the runs of one function came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// By entry point and build.
    pub flows: BTreeMap<(String, String), Flow>,
    /// By who called and who was called.
    pub edges: BTreeMap<(String, String), Edge>,
}

/// By which edges something came, or was called and had not ended, that has not failed so far, and how often.
pub(crate) type Spared = BTreeMap<(String, String), u64>;

/// The runs of one function that came from one entry point, with one build.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// How many there were.
    pub runs: u64,
    /// How many of them failed, or a record in them.
    pub failures: u64,
    /// How many of them a transaction may have begun with: nobody is known to have sent them.
    pub begun: u64,
    /// How many of them were the first of their sandbox.
    pub cold_starts: u64,
    /// The most memory that one of them used, in bytes, as far as the platform told.
    pub memory: u64,
    /// The memory that they were given, in bytes; 0 if nobody told.
    pub memory_limit: u64,
    /// Memory and time of them together, in MiB and milliseconds: as billed, where the platform told that; else of each run its
    /// duration, and of a cold start its init, both rounded up to a millisecond.
    pub mib_millis: u64,
    /// How long the inits of cold starts took, as far as the platform told.
    pub inits: Histogram,
    /// When the first of them began, in milliseconds since 1970; 0 if there is none.
    pub first: u64,
    /// When the last of them began.
    pub last: u64,
    /// How long they took.
    pub durations: Histogram,
    /// How they failed: of a batch each record that did.
    pub errors: ErrorsByKind,
    /// The users that failures hit, test users aside.
    pub users_hit: Sketch,
}

/// Calls from one node of the map to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edge {
    /// How many there were.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How many could carry no context, and are joined by an id.
    pub joined: u64,
    /// How long they took, as the caller saw it. Of a message to its receiver it is the time in the queue.
    pub durations: Histogram,
}

impl Totals {
    /// Counts a run. `failures` are its own card or those of its records. Tells what was received, or called and had not
    /// ended, and has failed too if the platform tells later that the run did.
    pub(crate) fn count(&mut self, run: &Run, head: &Card, failures: &[Card], called: &Called<'_>) -> Spared {
        // Of a part of a run nothing is counted but how the run ended, and its calls.
        if head.part_of.is_none() || head.failed() {
            let mut known = self.flows.values().map(|flow| flow.errors.len()).sum();
            let flow = apart(&mut self.flows, flow_of(head), MAX_FLOWS);
            flow.count(head, failures, &mut known);
            flow.begun += u64::from(run.may_begin());
        }
        let has_records = run.records().next().is_some();
        let failed = Failed::of(head, failures);
        let mut spared = Spared::new();
        for span in &run.spans {
            // A batch came as its records did.
            if has_records && span.span_id == head.span_id {
                continue;
            }
            let edge = self.count_edges(span, &failed, called);
            let is_spared = !failed.has(span) && (failures.is_empty() || span.is_open());
            if let Some(edge) = edge.filter(|_| is_spared) {
                *spared.entry(edge).or_default() += 1;
            }
        }
        // Where transactions come in of which no source is told.
        if let (Some(span), Some(entry)) = (run.head(), &head.entry)
            && head.began
            && span.source().is_none()
            && span.kind == Kind::Server
        {
            let edge = apart(&mut self.edges, (cut(entry), cut(&span.function)), MAX_APART);
            edge.calls += 1;
            edge.errors += u64::from(failed.has(span));
        }
        spared
    }

    /// Under which entry point and build runs are counted that say these.
    pub(super) fn counted_as(&self, flow: (String, String)) -> (String, String) {
        known(&self.flows, flow, MAX_FLOWS)
    }

    /// Takes back that a transaction may have begun with one of these runs.
    pub(super) fn take_back_begin(&mut self, flow: &(String, String)) {
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.begun = flow.begun.saturating_sub(1);
        }
    }

    /// Counts as failed what came by these edges and was counted before.
    pub(crate) fn fail(&mut self, received: Spared) {
        for (edge, count) in received {
            apart(&mut self.edges, edge, MAX_APART).errors += count;
        }
    }

    /// Counts what a run took, or a part of one. Tells under which entry point and build.
    pub(crate) fn count_usage(&mut self, flow: (String, String), usage: &Usage) -> (String, String) {
        let flow = known(&self.flows, flow, MAX_FLOWS);
        if *usage != Usage::default() {
            self.flows.entry(flow.clone()).or_default().count_usage(usage);
        }
        flow
    }

    /// Tells the edge of a span that may still fail with its run: of what was received, or had not ended.
    fn count_edges(
        &mut self,
        span: &Span,
        failed: &Failed<'_>,
        called: &Called<'_>,
    ) -> Option<(String, String)> {
        let function = cut(&span.function);
        let mut may_fail = None;
        if let Some(source) = span.source() {
            // From the last service before the function to the first: `sqs payments < sns orders`.
            let mut to = function;
            // What comes again, or is sent back from a dead letter queue, came only the last hop again.
            let count =
                span.attribute("throughline.receive_count").and_then(|count| count.parse::<u64>().ok());
            let again = count.is_some_and(|count| count > 1)
                || span.attribute("throughline.redriven") == Some("true");
            let hops = if again { 1 } else { usize::MAX };
            for (at, service) in source.split(" < ").take(hops).enumerate() {
                let key = (cut(service), to);
                let edge = apart(&mut self.edges, key.clone(), MAX_APART);
                edge.calls += 1;
                if at == 0 {
                    may_fail = Some(key);
                    let unsent = span.parent_id.is_none() && span.links.is_empty();
                    edge.joined += u64::from(unsent && span.attributes.contains_key("throughline.join.in"));
                    edge.errors += u64::from(failed.has(span));
                    let queued =
                        span.attribute("throughline.queue_time_ms").and_then(|ms| ms.parse::<u64>().ok());
                    queued.into_iter().for_each(|ms| edge.durations.record(ms.saturating_mul(1000)));
                }
                to = cut(service);
            }
        } else if let Some(topic) = received_from(span) {
            let key = (cut(&topic), function);
            let edge = apart(&mut self.edges, key.clone(), MAX_APART);
            edge.calls += 1;
            may_fail = Some(key);
            edge.errors += u64::from(failed.has(span));
        } else if let Some(callee) = called.by(span) {
            let key = (function, cut(&callee));
            let edge = apart(&mut self.edges, key.clone(), MAX_APART);
            edge.calls += 1;
            may_fail = span.is_open().then_some(key);
            let carried = span.attributes.contains_key("throughline.injected");
            edge.joined += u64::from(!carried && span.attributes.contains_key("throughline.join.out"));
            edge.errors += u64::from(failed.has(span));
            edge.durations.record(span.took() / 1000);
        }
        may_fail
    }

    /// Adds what others have counted.
    pub fn merge(&mut self, other: &Self) {
        merge(&mut self.flows, &other.flows, Flow::merge);
        merge(&mut self.edges, &other.edges, Edge::merge);
    }

    /// All flows together.
    #[must_use]
    pub fn sum(&self) -> Flow {
        let mut sum = Flow::default();
        self.flows.values().for_each(|flow| sum.merge(flow));
        sum
    }
}

impl Flow {
    /// `known` are the errors that are told apart, those of all flows.
    fn count(&mut self, head: &Card, failures: &[Card], known: &mut usize) {
        if head.part_of.is_none() {
            self.runs += 1;
            self.durations.record(head.duration);
            self.seen(head.at(), head.at());
        }
        self.failures += u64::from(!failures.is_empty());
        self.cold_starts += u64::from(head.cold_start);
        for failure in failures {
            let ours = self.errors.len();
            errors::count(&mut self.errors, failure, head.at(), *known);
            *known += self.errors.len() - ours;
            if let Some(user) = failure.user.as_deref().filter(|_| !failure.test_user) {
                self.users_hit.insert(user);
            }
        }
    }

    fn count_usage(&mut self, usage: &Usage) {
        self.memory = self.memory.max(usage.memory);
        self.memory_limit = self.memory_limit.max(usage.memory_limit);
        self.mib_millis = self.mib_millis.saturating_add(usage.mib_millis);
        usage.init.into_iter().for_each(|micros| self.inits.record(micros));
    }

    /// More is known of what a run took.
    pub(super) fn recount_usage(&mut self, before: &Usage, now: &Usage) {
        self.mib_millis = self.mib_millis.saturating_sub(before.mib_millis);
        self.count_usage(&Usage { init: now.init.filter(|_| before.init.is_none()), ..now.clone() });
    }

    fn seen(&mut self, first: u64, last: u64) {
        self.first = if self.first == 0 { first } else { self.first.min(first) };
        self.last = self.last.max(last);
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        if other.last > 0 {
            self.seen(other.first, other.last);
        }
        self.memory_limit = self.memory_limit.max(other.memory_limit);
        self.mib_millis = self.mib_millis.saturating_add(other.mib_millis);
        self.inits.merge(&other.inits);
        self.runs = self.runs.saturating_add(other.runs);
        self.failures = self.failures.saturating_add(other.failures);
        self.begun = self.begun.saturating_add(other.begun);
        self.cold_starts = self.cold_starts.saturating_add(other.cold_starts);
        self.memory = self.memory.max(other.memory);
        self.durations.merge(&other.durations);
        self.users_hit.merge(&other.users_hit);
        merge(&mut self.errors, &other.errors, Errors::merge);
    }

    /// How often they failed, by type.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<String, u64> {
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        for ((kind, _), errors) in &self.errors {
            let count = kinds.entry(kind.clone()).or_default();
            *count = count.saturating_add(errors.count);
        }
        kinds
    }
}

impl Edge {
    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.errors = self.errors.saturating_add(other.errors);
        self.joined = self.joined.saturating_add(other.joined);
        self.durations.merge(&other.durations);
    }
}

/// The entry point and the build that a run counts under.
pub(crate) fn flow_of(head: &Card) -> (String, String) {
    let name = |text: &Option<String>| cut(text.as_deref().unwrap_or_default());
    (name(&head.entry), name(&head.build))
}

fn apart<T: Default>(map: &mut BTreeMap<(String, String), T>, key: (String, String), most: usize) -> &mut T {
    let key = known(map, key, most);
    map.entry(key).or_default()
}

/// The key, or that of all others if there are as many as may be.
fn known<T>(map: &BTreeMap<(String, String), T>, key: (String, String), most: usize) -> (String, String) {
    let full = map.len() >= most && !map.contains_key(&key);
    if full { (OTHER.to_owned(), OTHER.to_owned()) } else { key }
}

/// As it is counted.
pub(crate) fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_NAME)).unwrap_or_default().to_owned()
}

/// Adds what others have counted; of what is not known yet a copy.
fn merge<K: Ord + Clone, V: Clone>(ours: &mut BTreeMap<K, V>, others: &BTreeMap<K, V>, add: fn(&mut V, &V)) {
    for (key, other) in others {
        match ours.get_mut(key) {
            Some(one) => add(one, other),
            None => drop(ours.insert(key.clone(), other.clone())),
        }
    }
}
