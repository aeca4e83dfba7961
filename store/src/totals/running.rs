//! The running totals of one sandbox.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::{Called, Totals};
use crate::hash::hash;
use crate::run::{Card, Run};
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
    /// The runs that were counted: what is written again because a write failed is not counted again.
    counted: HashSet<u64>,
    order: VecDeque<u64>,
    /// How many were let go of. Who comes back then counts in an item of its own.
    generation: u64,
}

#[derive(Debug)]
struct Held {
    totals: Totals,
    generation: u64,
    changed: bool,
}

impl Running {
    /// Counts a run, unless it was counted before.
    pub(crate) fn count(&mut self, run: &Run, head: &Card, failures: &[Card], called: &Called<'_>) {
        let key = (head.at() / HOUR, head.function.clone());
        if self.remember(hash([run.request.as_bytes(), head.span_id.as_bytes()])) {
            if self.held.len() >= MAX_HELD && !self.held.contains_key(&key) {
                self.let_go();
            }
            let fresh = || Held { totals: Totals::default(), generation: self.generation, changed: false };
            let held = self.held.entry(key).or_insert_with(fresh);
            held.totals.count(run, head, failures, called);
            held.changed = true;
        } else if let Some(held) = self.held.get_mut(&key) {
            // The write that failed may have been that of the totals.
            held.changed = true;
        }
    }

    /// What has changed since it was last asked for: hour, function, generation and totals.
    pub(crate) fn changed(&mut self) -> impl Iterator<Item = (u64, &str, u64, &Totals)> {
        self.held.iter_mut().filter_map(|((hour, function), held)| {
            let changed = std::mem::take(&mut held.changed);
            changed.then_some((*hour, function.as_str(), held.generation, &held.totals))
        })
    }

    fn remember(&mut self, run: u64) -> bool {
        if !self.counted.insert(run) {
            return false;
        }
        self.order.push_back(run);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.counted.remove(&oldest);
        }
        true
    }

    /// Lets go of the oldest that was written already, of any if none was.
    fn let_go(&mut self) {
        let written = self.held.iter().find(|(_, held)| !held.changed).or_else(|| self.held.iter().next());
        if let Some(key) = written.map(|(key, _)| key.clone()) {
            self.held.remove(&key);
            self.generation += 1;
        }
    }
}
