//! Transactions in a list: found the shortest way that what is asked for allows, and looked at as wholes.
//!
//! A transaction is wanted if one of its runs is all that is asked for; where that does not say itself for whom it was and
//! where it came in, the others do. Where no function is named, how long it took is asked of the whole.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::candidates::Candidate;
use super::filter::Wanted;
use super::joined::{Known, MAX_JOINING};
use super::lists::MAX_LISTED;
use super::summary::{Listed, Runs, Summary};
use super::{Answer, Effort, Filter, Reader};
use crate::Error;
use crate::time::Window;

/// How many transactions are looked at for wanted runs, the newest.
pub(super) const MAX_LOOKED_AT: usize = 500;
/// How many of them are read at least before it is seen whether that was enough, and at most.
const AT_ONCE: (usize, usize) = (10, 50);

impl Reader {
    /// The newest transactions of which a run is wanted; without a function in the filter, how long it took is asked of
    /// the whole.
    ///
    /// At most as many requests as for two lists of runs, one for each of 500 transactions that are looked at, and 400 for
    /// what joins them. By ids and users they are found in 16 + 50. Failures of no certain function are those of the 40 that
    /// fail most, and the others are [left out](Answer::left_out): as many requests as for their counts, and twice
    /// 40 × days × 4 + 500.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn transactions(
        &self,
        window: Window,
        filter: &Filter,
        limit: usize,
    ) -> Result<Answer<Vec<Summary>>, Error> {
        let mut effort = Effort::default();
        let limit = limit.min(MAX_LISTED);
        let wanted = self.wanted(filter, window, &mut effort).await?;
        let source = self.source(window, filter, &wanted, &mut effort).await?;
        let mut looked = Looked::new(MAX_LOOKED_AT.max(limit));
        // The newest few are mostly enough.
        let [mut reading, last] = source.readings(filter, limit);
        loop {
            let candidates = self.candidates(&source, window, filter, &wanted, reading).await?;
            let all_read = candidates.found.len() < reading.most && !reading.only_told;
            self.look_at(&candidates.found, window, &wanted, limit, &mut looked, &mut effort).await?;
            let enough = looked.listed.wholes().len() >= limit;
            if enough || all_read || reading == last {
                effort.take(candidates);
                effort.at_least |= !enough && (!all_read || looked.left_out());
                break;
            }
            effort.requests += candidates.requests;
            reading = last;
        }
        let mut found: Vec<Summary> = looked.listed.wholes().into_iter().cloned().collect();
        let of_run = filter.function.is_some();
        found.sort_by_key(|one| Reverse(if of_run { one.run.at() } else { one.first.at() }));
        found.truncate(limit);
        Ok(effort.answer(found))
    }

    /// Looks at candidates that were not looked at yet, until so many transactions are found.
    async fn look_at(
        &self,
        candidates: &[Candidate],
        window: Window,
        wanted: &Wanted<'_>,
        limit: usize,
        looked: &mut Looked,
        effort: &mut Effort,
    ) -> Result<(), Error> {
        let new = looked.add(candidates);
        let mut left = new.as_slice();
        while !left.is_empty() {
            let missing = limit.saturating_sub(looked.listed.wholes().len());
            if missing == 0 {
                break;
            }
            let (some, rest) = left.split_at(missing.clamp(AT_ONCE.0, AT_ONCE.1).min(left.len()));
            left = rest;
            let traces: Vec<&str> = some.iter().map(|one| one.trace_id.as_str()).collect();
            self.join(&traces, &mut looked.known, effort).await?;
            for candidate in some {
                let runs = Runs::of(&looked.known, &candidate.trace_id);
                let one = runs.summary(candidate.run.as_ref(), wanted, window);
                one.into_iter().for_each(|one| looked.listed.add(one));
            }
        }
        Ok(())
    }
}

/// What was looked at so far.
#[derive(Debug)]
struct Looked {
    known: Known,
    listed: Listed,
    traces: HashSet<String>,
    most: usize,
}

impl Looked {
    /// Nothing; so many may be.
    fn new(most: usize) -> Self {
        Self { known: Known::new(MAX_JOINING), listed: Listed::default(), traces: HashSet::new(), most }
    }

    /// Those that are to be looked at: each once.
    fn add<'a>(&mut self, candidates: &'a [Candidate]) -> Vec<&'a Candidate> {
        let left = self.most.saturating_sub(self.traces.len());
        let mut new: Vec<&Candidate> =
            candidates.iter().filter(|one| self.traces.insert(one.trace_id.clone())).collect();
        new.truncate(left);
        new
    }

    /// Whether there were more than may be looked at.
    fn left_out(&self) -> bool {
        self.traces.len() > self.most
    }
}
