//! Errors, those that say the same together.
//!
//! Where no more is asked than is counted, whole hours are told by what sandboxes have counted of them, and only the
//! hours that the window cuts are read failure by failure. So the answer is exact, and needs not read what fails all day.

mod groups;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ask::Ask;
use super::lists::daily;
use super::{Answer, Cause, Effort, Filter, OpenCall, Reader};
use crate::Error;
use crate::hash::FAILURE_SHARDS;
use crate::item;
use crate::run::{Card, Failure};
use crate::schema::{Partition, bounded};
use crate::time::{HOUR, Window};
use crate::totals::{OTHER, Totals};

pub(super) use groups::grouped;
use groups::{Group, Groups, example};

/// How many groups are told.
pub(super) const MAX_TOLD: usize = 20;
/// Of how many functions the failures are read, those with the most.
pub(super) const MAX_FUNCTIONS: usize = 10;
/// How many hours a window and the time before it cut: where they begin, where they meet, and where they end.
pub(super) const MAX_CUT: u64 = 3;

/// Failures that say the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorGroup {
    /// What they say; the message is that of the newest.
    pub error: Failure,
    /// How many there are.
    pub count: u64,
    /// How many there were in the time of the same length before.
    pub before: u64,
    /// The first, in milliseconds since 1970.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The builds that had it.
    pub builds: BTreeSet<String>,
    /// The newest as an example.
    pub example: Card,
    /// What failed before it in that transaction, or below it, if something did; of the five most frequent errors.
    pub cause: Option<Cause>,
    /// The call that failed in it, where [`ErrorGroup::cause`] is what failed before; of the same.
    pub failed_call: Option<Cause>,
    /// What it waited for when it ran out of time: likely the cause; of the same.
    pub open_call: Option<OpenCall>,
    /// Whether the spans of the example could not be read, so that nothing is known of its cause; of the same.
    pub unread: bool,
}

impl Reader {
    /// What fails, the most frequent first, of the failures that are wanted. For the causes ask for the
    /// [impact](Reader::impact).
    ///
    /// At most days × 16 + 50 requests for what was counted, and 20 for the examples. Of the ten functions that fail most
    /// what was not counted is read: days × 4 where the filter asks for more than function, build and error, and at
    /// most 3 × 4 for the hours that the window cuts where it does not. Days are those of the window and of the time of
    /// the same length before it, with which it is compared.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn errors(&self, window: Window, filter: &Filter) -> Result<Answer<Vec<ErrorGroup>>, Error> {
        let mut effort = Effort::default();
        let wanted = self.wanted(filter, window, &mut effort).await?;
        let both = window.with_before();
        let is_counted = is_counted(filter);
        let read = if is_counted { cut_hours(window) } else { vec![both] };
        let mut groups = Groups::new(window);
        let mut failing: BTreeMap<String, Failing> = BTreeMap::new();
        let counted = match &filter.function {
            Some(function) if !is_counted => {
                failing.insert(function.clone(), Failing { now: 1, before: 0 });
                BTreeMap::new()
            }
            // Whose failures are to be read, in the window and before: of those who failed in it.
            None if !is_counted => self.failures_by_hour(window, &mut effort).await?,
            function => self.totals_by_hour(both, function.as_deref(), &mut effort).await?,
        };
        for (function, hours) in counted {
            for (hour, mut totals) in hours {
                filter.narrow(&mut totals);
                let from = hour * HOUR;
                if read.iter().any(|part| part.from < from + HOUR && from <= part.to) {
                    failing.entry(function.clone()).or_default().count(&totals, filter, from >= window.from);
                    continue;
                }
                for ((_, build), flow) in &totals.flows {
                    for ((kind, alike), errors) in &flow.errors {
                        if filter.is_of(kind) {
                            groups.count(&function, build, (kind, alike), errors, from >= window.from);
                        }
                        effort.at_least |= filter.error.is_some() && kind == OTHER;
                    }
                }
            }
        }
        let failing = most(failing, &mut effort);
        let parts = failing.iter().flat_map(|function| read.iter().map(move |part| (function, *part)));
        let asks = parts.flat_map(|(function, part)| ask_failures(function, part));
        let asks = asks.map(|ask| ask.only(filter.only())).collect();
        let read = self.all(asks, item::read, &mut effort).await?;
        by_time(effort.sound(read))
            .into_iter()
            .filter(|failure| wanted.wants(failure))
            .for_each(|failure| groups.add(failure));
        let groups = self.with_examples(groups.most(), &mut effort).await?;
        Ok(effort.answer(groups))
    }

    /// Reads the newest of those groups of which it was only counted. One that has expired, or that is not found for its
    /// batch had too many, is told as it was counted.
    async fn with_examples(&self, groups: Vec<Group>, effort: &mut Effort) -> Result<Vec<ErrorGroup>, Error> {
        let asks = groups.iter().filter(|group| group.card.is_none()).map(example).collect();
        let read = self.all(asks, item::read, effort).await?;
        let mut found: Vec<Card> = effort.sound(read);
        let told = groups.into_iter().map(|mut group| {
            if let Some(at) = found.iter().position(|card| group.is_newest(card)) {
                group.card = Some(found.swap_remove(at));
            }
            group.told()
        });
        Ok(told.collect())
    }

    /// The failures of a function, by time.
    pub(super) async fn all_failures(
        &self,
        function: &str,
        window: Window,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        let read = self.all(ask_failures(function, window).collect(), item::read, effort).await?;
        Ok(by_time(effort.sound(read)))
    }
}

/// How often a function failed where its failures are to be read: in the window, and before.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Failing {
    now: u64,
    before: u64,
}

impl Failing {
    fn count(&mut self, totals: &Totals, filter: &Filter, is_now: bool) {
        let kinds = totals.flows.values().flat_map(|flow| flow.kinds());
        let wanted = |kind: &str| kind == OTHER || filter.is_of(kind);
        let count = kinds.filter(|(kind, _)| wanted(kind)).map(|(_, count)| count).sum::<u64>();
        *(if is_now { &mut self.now } else { &mut self.before }) += count;
    }
}

/// The functions that fail most.
fn most(failing: BTreeMap<String, Failing>, effort: &mut Effort) -> Vec<String> {
    let mut failing: Vec<_> =
        failing.into_iter().filter(|(_, failing)| *failing > Failing::default()).collect();
    failing.sort_by(|(a, failing_a), (b, failing_b)| failing_b.cmp(failing_a).then_with(|| a.cmp(b)));
    effort.follow(failing.into_iter().map(|(function, _)| function).collect(), MAX_FUNCTIONS)
}

/// Whether what was counted tells it. Entry points are counted as those of runs, and a batch has those of its records.
fn is_counted(filter: &Filter) -> bool {
    let Filter { function, build, error, failed, .. } = filter.clone();
    failed != Some(false) && *filter == Filter { function, build, error, failed, ..Filter::default() }
}

/// What a window and the time before it have of the hours that are not whole in one of them.
fn cut_hours(window: Window) -> Vec<Window> {
    let (before, both) = (window.before(), window.with_before());
    let mut cut: Vec<Window> = Vec::new();
    for at in [both.from, window.from, window.to] {
        let hour = Window { from: at / HOUR * HOUR, to: at / HOUR * HOUR + HOUR - 1 };
        if [before, window].iter().any(|whole| whole.from <= hour.from && hour.to <= whole.to) {
            continue;
        }
        let part = Window { from: hour.from.max(both.from), to: hour.to.min(both.to) };
        match cut.last_mut() {
            Some(last) if part.from <= last.to + 1 => last.to = last.to.max(part.to),
            _ => cut.push(part),
        }
    }
    cut
}

/// What asks for the failures of a function.
fn ask_failures(function: &str, window: Window) -> impl Iterator<Item = Ask> + use<> {
    let function = bounded(function).into_owned();
    daily(window, FAILURE_SHARDS, move |day, shard| Partition::Failures {
        day,
        shard,
        function: function.clone(),
    })
    .flatten()
}

/// Failures, by time.
fn by_time(mut failures: Vec<Card>) -> Vec<Card> {
    failures.sort_by(|a, b| (a.at(), &a.span_id).cmp(&(b.at(), &b.span_id)));
    failures
}

#[cfg(test)]
mod tests;
