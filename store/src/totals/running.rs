//! The running totals of one sandbox.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::begun::Begun;
use super::flow::Spared;
use super::report::{Report, Reported, Reports};
use super::{Called, Totals, flow_of};
use crate::hash::hash;
use crate::run::{Card, Run, Usage};
use crate::time::HOUR;

/// How many functions' hours are counted at once. A sandbox has one function and, at its turn, two hours; a program that
/// reads in the spans of many has more.
const MAX_HELD: usize = 512;
/// How many runs are remembered as counted, the newest.
const MAX_REMEMBERED: usize = 100_000;

/// What a sandbox has counted so far.
#[derive(Debug, Default)]
pub(crate) struct Running {
    held: BTreeMap<(u64, String), Held>,
    /// The runs that were counted, and where: what is written again because a write failed is not counted again.
    counted: HashMap<u64, u64>,
    order: VecDeque<u64>,
    reports: Reports,
    begun: Begun,
    /// How many were let go of. Who comes back then counts in an item of its own.
    generation: u64,
}

#[derive(Debug)]
struct Held {
    totals: Totals,
    generation: u64,
    /// How often it has changed, and how often it had when it was last written.
    changes: u64,
    written: u64,
}

/// What was counted of a function in an hour, as it stood when it was to be written.
#[derive(Debug)]
pub(crate) struct Mark {
    key: (u64, String),
    changes: u64,
}

impl Running {
    /// Counts a run, unless it was counted before.
    pub(crate) fn count(&mut self, run: &Run, head: &Card, failures: &[Card], called: &Called<'_>) {
        let key = (head.at() / HOUR, head.function.clone());
        if self.remember(hash([run.request.as_bytes(), head.span_id.as_bytes()]), hash_of_key(&key)) {
            let totals = self.totals(key.clone());
            let spared = totals.count(run, head, failures, called);
            let counted = (key.clone(), totals.counted_as(flow_of(head)));
            if let Some((key, flow)) = self.begun.not_first(run, counted) {
                self.take_back_begin(&key, &flow);
            }
            if !self.count_part(run, head) {
                self.count_usage(key, run, head, spared);
            }
        } else if let Some(held) = self.held.get_mut(&key) {
            // Who writes it again writes all of it again.
            held.changes += 1;
        }
    }

    /// Takes back that a transaction began with a run, if what was counted of its hour is still held.
    fn take_back_begin(&mut self, key: &(u64, String), flow: &(String, String)) {
        if let Some(held) = self.held.get_mut(key) {
            held.totals.take_back_begin(flow);
            held.changes += 1;
        }
    }

    /// Counts what a part of a run took, and whether it tells that the run failed, under the run's own entry point and
    /// build. `false` where that run was not counted here, or it is no part.
    fn count_part(&mut self, run: &Run, head: &Card) -> bool {
        let above = run.part_of().and_then(|(trace, span)| self.reports.of_span(hash_of(trace, span)));
        let Some(above) = above else { return false };
        let (usage, key, flow) = (above.add(run.usage()), above.key.clone(), above.flow.clone());
        if head.failed() {
            let spared = std::mem::take(&mut above.spared);
            self.totals(key.clone()).fail(spared);
        }
        if usage != Usage::default() {
            self.totals(key).count_usage(flow, &usage);
        }
        true
    }

    /// Counts what a run took, with its report if that came before. `spared` is what has failed too if a part that comes
    /// later tells that the run did.
    fn count_usage(&mut self, key: (u64, String), run: &Run, head: &Card, spared: Spared) {
        let mut usage = run.usage();
        let span = run.head().filter(|span| span.invocation_id().is_some());
        let request = hash([run.request.as_bytes()]);
        let report = span.and_then(|_| self.reports.take(request));
        report.iter().for_each(|report| usage.report(report));
        let flow = self.totals(key.clone()).count_usage(flow_of(head), &usage);
        if let Some(span) = span {
            let (reported, span) = (report.is_some(), hash_of(&span.trace_id, &span.span_id));
            let billed = report.is_some_and(|report| report.billed_millis.is_some());
            self.reports.remember(Reported { request, span, key, flow, spared, usage, reported, billed });
        }
    }

    /// Counts what the platform told of a run when it was over. What comes an hour late is not counted: totals of hours
    /// that have been over for that long may have been counted anew by others.
    pub(crate) fn report(&mut self, report: &Report, now: u64) {
        let request = hash([report.request_id.as_bytes()]);
        let Some(run) = self.reports.of_request(request, report) else { return };
        let before = run.take(report);
        let (is_late, held) = (now / HOUR > run.key.0 + 1, self.held.get_mut(&run.key));
        if let Some(held) = held.filter(|_| !is_late)
            && let Some(flow) = held.totals.flows.get_mut(&run.flow)
        {
            flow.recount_usage(&before, &run.usage);
            held.changes += 1;
        }
    }

    /// What is counted of a function in an hour, and changes now.
    fn totals(&mut self, key: (u64, String)) -> &mut Totals {
        if self.held.len() >= MAX_HELD && !self.held.contains_key(&key) {
            self.let_go();
        }
        let (totals, generation) = (Totals::default(), self.generation);
        let held = self.held.entry(key).or_insert(Held { totals, generation, changes: 0, written: 0 });
        held.changes += 1;
        &mut held.totals
    }

    /// What has changed since it was written: hour, function, generation and totals.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (u64, &str, u64, &Totals)> {
        let changed = self.held.iter().filter(|(_, held)| !held.is_written());
        changed.map(|((hour, function), held)| (*hour, function.as_str(), held.generation, &held.totals))
    }

    /// How it stands, for who writes it.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let changed = self.held.iter().filter(|(_, held)| !held.is_written());
        changed.map(|(key, held)| Mark { key: key.clone(), changes: held.changes }).collect()
    }

    /// It was written as it stood then.
    pub(crate) fn written(&mut self, marks: Vec<Mark>) {
        for Mark { key, changes } in marks {
            if let Some(held) = self.held.get_mut(&key) {
                held.written = held.written.max(changes);
            }
        }
    }

    /// Remembers where a run is counted, unless it was counted before.
    fn remember(&mut self, run: u64, key: u64) -> bool {
        if self.counted.contains_key(&run) {
            return false;
        }
        self.counted.insert(run, key);
        self.order.push_back(run);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counted.remove(&oldest);
        }
        true
    }

    /// Lets go of the oldest that was written already. If none was, the table took nothing for long: of the oldest the runs
    /// are forgotten too, so that they count when they are written again.
    fn let_go(&mut self) {
        let written =
            self.held.iter().find(|(_, held)| held.is_written()).or_else(|| self.held.iter().next());
        let Some(key) = written.map(|(key, _)| key.clone()) else { return };
        if self.held.remove(&key).is_some_and(|held| !held.is_written()) {
            let gone = hash_of_key(&key);
            self.counted.retain(|_, of| *of != gone);
        }
        self.generation += 1;
    }
}

impl Held {
    fn is_written(&self) -> bool {
        self.changes == self.written
    }
}

/// An hour of a function, in short.
fn hash_of_key((hour, function): &(u64, String)) -> u64 {
    hash([&hour.to_be_bytes()[..], function.as_bytes()])
}

/// A span, in short.
fn hash_of(trace: &str, span: &str) -> u64 {
    hash([trace.as_bytes(), span.as_bytes()])
}
