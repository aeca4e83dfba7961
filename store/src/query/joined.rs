//! Which traces are one transaction: the runs that link to a trace, those that have the id of what was sent in it, and
//! back to the sender, where there is one alone.
//!
//! What runs say of it stands beside their cards, so that for lists no spans are read. It is asked for many transactions at
//! once, in rounds: what was read in one names what is to be read in the next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ask::Ask;
use super::joins::{Join, Lookup, joined};
use super::traces::{Kept, Part, by_trace};
use super::{Effort, Reader};
use crate::Error;
use crate::item::{self, Pointer};
use crate::run::Way;
use crate::schema::{Partition, bounded};

/// The most traces of one transaction.
pub(super) const MAX_TRACES: usize = 32;
/// The most ids that are looked up to join others to it.
pub(super) const MAX_LOOKUPS: usize = 64;
/// How many traces and ids are read to join the transactions of one answer.
pub(super) const MAX_JOINING: usize = 400;

/// What was read of traces and ids so far.
#[derive(Debug)]
pub(super) struct Known {
    traces: BTreeMap<String, Vec<Part>>,
    ids: BTreeMap<Lookup, Vec<Pointer>>,
    /// How many more may be read.
    left: usize,
}

/// The traces of a transaction, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// The one that was asked for first.
    pub(super) traces: Vec<String>,
    pub(super) joins: BTreeSet<Join>,
    /// Traces of others, whose messages came in one batch with this one's.
    pub(super) senders: BTreeSet<String>,
    /// What is to be read to know all of it.
    missing: BTreeSet<Missing>,
    lookups: BTreeSet<Lookup>,
    /// Whether a bound was met.
    at_least: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    Trace(String),
    Id(Lookup),
}

impl Whole {
    /// Whether all of it was read.
    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty() && !self.at_least
    }
}

impl Known {
    /// Nothing yet; so many traces and ids may be read beside those that are asked for.
    pub(super) fn new(left: usize) -> Self {
        Self { traces: BTreeMap::new(), ids: BTreeMap::new(), left }
    }

    /// The runs of a trace that was read.
    pub(super) fn parts(&self, trace: &str) -> &[Part] {
        self.traces.get(trace).map_or(&[], Vec::as_slice)
    }

    /// The transaction of which a trace is part.
    pub(super) fn whole(&self, trace: &str) -> Whole {
        let mut whole = Whole::default();
        let mut next = VecDeque::from([bounded(trace).into_owned()]);
        while let Some(trace) = next.pop_front() {
            if whole.traces.contains(&trace) {
                continue;
            }
            if whole.traces.len() >= MAX_TRACES {
                whole.at_least = true;
                break;
            }
            match self.traces.get(&trace) {
                Some(parts) => parts.iter().for_each(|part| self.follow(part, &trace, &mut whole, &mut next)),
                None => whole.missing.extend([Missing::Trace(trace.clone())]),
            }
            whole.traces.push(trace);
        }
        whole.senders.retain(|sender| !whole.traces.contains(sender));
        whole
    }

    /// Where a run leads that has to do with a trace.
    fn follow(&self, part: &Part, trace: &str, whole: &mut Whole, next: &mut VecDeque<String>) {
        let link =
            |from: &str, to: &str| Join { from: from.to_owned(), to: to.to_owned(), by: "link".to_owned() };
        let mut joins: Vec<Join> = part.joins.own.iter().map(|own| link(trace, own)).collect();
        let mut senders: Vec<Join> = part.joins.links.iter().map(|sender| link(sender, trace)).collect();
        for id in &part.joins.ids {
            let lookup = Lookup::of(id);
            if whole.lookups.len() >= MAX_LOOKUPS && !whole.lookups.contains(&lookup) {
                whole.at_least = true;
                break;
            }
            match self.ids.get(&lookup) {
                Some(pointers) if id.way == Way::In => senders.extend(joined(id, trace, pointers)),
                Some(pointers) => joins.extend(joined(id, trace, pointers)),
                None => whole.missing.extend([Missing::Id(lookup.clone())]),
            }
            whole.lookups.insert(lookup);
        }
        let from: BTreeSet<&str> = senders.iter().map(|join| join.from.as_str()).collect();
        if from.len() > 1 {
            // A batch of several: none of them is part of another's transaction.
            whole.senders.extend(from.into_iter().map(str::to_owned));
        } else {
            joins.extend(senders);
        }
        for join in joins {
            next.push_back(if join.from == trace { join.to.clone() } else { join.from.clone() });
            whole.joins.insert(join);
        }
    }
}

impl Reader {
    /// Reads what belongs to the transactions of these traces.
    ///
    /// At most a request for each trace, and those that may still be made to join others.
    pub(super) async fn join(
        &self,
        traces: &[&str],
        known: &mut Known,
        effort: &mut Effort,
    ) -> Result<(), Error> {
        let first = traces.iter().map(|trace| bounded(trace).into_owned());
        let first: BTreeSet<String> = first.filter(|trace| !known.traces.contains_key(trace)).collect();
        self.read_traces(first, known, effort).await?;
        loop {
            let wholes = traces.iter().map(|trace| known.whole(trace));
            let mut missing: BTreeSet<Missing> = BTreeSet::new();
            for whole in wholes {
                effort.at_least |= whole.at_least;
                missing.extend(whole.missing);
            }
            effort.at_least |= missing.len() > known.left;
            let missing: Vec<Missing> = missing.into_iter().take(known.left).collect();
            if missing.is_empty() {
                return Ok(());
            }
            known.left -= missing.len();
            let (mut traces, mut lookups) = (BTreeSet::new(), Vec::new());
            for one in missing {
                match one {
                    Missing::Trace(trace) => drop(traces.insert(trace)),
                    Missing::Id(lookup) => lookups.push((lookup.clone(), lookup.ask())),
                }
            }
            self.read_traces(traces, known, effort).await?;
            for (lookup, page) in self.pages_for(lookups, item::read, effort).await? {
                let pointers = lookup.pointers(page, effort);
                known.ids.insert(lookup, pointers);
            }
        }
    }

    /// Reads the runs of some traces.
    pub(super) async fn read_traces(
        &self,
        traces: BTreeSet<String>,
        known: &mut Known,
        effort: &mut Effort,
    ) -> Result<(), Error> {
        let asks = traces.iter().map(|trace| Ask::all(Partition::Trace(trace.clone())));
        let read = self.all(asks.collect(), Kept::of, effort).await?;
        let mut read = by_trace(read, effort);
        for trace in traces {
            let parts = read.remove(&trace).unwrap_or_default();
            known.traces.insert(trace, parts);
        }
        Ok(())
    }
}
