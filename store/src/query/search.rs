//! Transactions in a list: found the shortest way that what is asked for allows, and looked at as wholes.
//!
//! A transaction is wanted if one of its runs is all that is asked for. Where no function is named, how long it took is
//! asked of the whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use super::filter::Wanted;
use super::joined::{Known, MAX_JOINING};
use super::lists::MAX_LISTED;
use super::summary::{Listed, Runs, Summary};
use super::{Answer, By, Effort, Filter, MAX_PAGES, Reader};
use crate::Error;
use crate::item::Pointer;
use crate::run::Card;
use crate::time::Window;
use crate::totals::{Flow, OTHER, Totals};

/// How many transactions are looked at for wanted runs, the newest.
pub(super) const MAX_LOOKED_AT: usize = 500;
/// How many of them are read before it is seen whether that was enough.
const AT_ONCE: usize = 50;
/// Of how many functions the failures are read where none is named, those that fail most.
pub(super) const MAX_FUNCTIONS: usize = 40;
/// How many pages of their failures are read beyond the first of each partition.
pub(super) const FAILURE_PAGES: u64 = 10 * MAX_PAGES;
/// How many runs of a function are read for each transaction that is asked for: it may have several of them, a batch too.
const RUNS_OF_EACH: usize = 2;
/// The same of its failures: a message is tried again and again.
const FAILURES_OF_EACH: usize = 6;

/// A transaction that may be wanted.
#[derive(Debug)]
struct Candidate {
    trace_id: String,
    /// What was read of it already, and is wanted.
    run: Option<Card>,
}

impl Reader {
    /// The newest transactions of which a run is wanted; without a function in the filter, how long it took is asked of
    /// the whole.
    ///
    /// At most as many requests as for a list of runs, one for each of 500 transactions that are looked at, and 400 for what
    /// joins them. By ids and users they are found in 16 + 50. Failures of no certain function are those of the 40 that fail most, and the
    /// others are [left out](Answer::left_out): as many requests as for their counts, and 40 × days × 4 + 500.
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
        let (candidates, may_be_more) = self.candidates(window, filter, &wanted, limit, &mut effort).await?;
        let (mut known, mut listed) = (Known::new(MAX_JOINING), Listed::default());
        let mut found = Vec::new();
        for some in candidates.chunks(AT_ONCE) {
            let traces: Vec<&str> = some.iter().map(|one| one.trace_id.as_str()).collect();
            self.join(&traces, &mut known, &mut effort).await?;
            for candidate in some {
                let runs = Runs::of(&known, &candidate.trace_id);
                runs.summary(candidate.run.as_ref(), &wanted, window)
                    .into_iter()
                    .for_each(|one| listed.add(one));
            }
            found = listed.wholes();
            if found.len() >= limit {
                break;
            }
        }
        effort.at_least |= found.len() < limit && may_be_more;
        let mut found: Vec<Summary> = found.into_iter().cloned().collect();
        let of_run = filter.function.is_some();
        found.sort_by_key(|one| Reverse(if of_run { one.run.at() } else { one.first.at() }));
        found.truncate(limit);
        Ok(effort.answer(found))
    }

    /// The newest first, each once; and whether there may be more.
    async fn candidates(
        &self,
        window: Window,
        filter: &Filter,
        wanted: &Wanted<'_>,
        limit: usize,
        effort: &mut Effort,
    ) -> Result<(Vec<Candidate>, bool), Error> {
        let most = MAX_LOOKED_AT.max(limit);
        let (mut candidates, most): (Vec<Candidate>, usize) =
            if let Some(runs) = self.looked_up(window, filter, wanted, effort).await? {
                let of_run = |run: Pointer| Candidate { trace_id: run.trace_id, run: None };
                (runs.into_iter().map(of_run).collect(), most)
            } else if let Some(function) = &filter.function {
                let runs = if filter.only_failures() { FAILURES_OF_EACH } else { RUNS_OF_EACH };
                let most = limit.saturating_mul(runs).min(MAX_LISTED);
                let runs = if filter.only_failures() {
                    self.failures(function, window, filter, most).await?
                } else {
                    self.runs(function, window, filter, most).await?
                };
                (effort.take(runs).into_iter().map(Candidate::of).collect(), most)
            } else if filter.only_failures() {
                let failures = self.failed(window, filter, wanted, most, effort).await?;
                (failures.into_iter().map(Candidate::of).collect(), most)
            } else {
                // Many may have begun the same transaction, as far as they knew: each of its services.
                let may = |card: &Card| filter.may_follow(card);
                let mut begun = self.begun(window, filter.only_followed(), may, most, effort).await?;
                // What no context reached is mostly found with who sent it: it is looked at last, if it must be.
                begun.sort_by_key(|card| !filter.is_followed_by(card));
                let of_run = |card: Card| Candidate { trace_id: card.trace_id, run: None };
                (begun.into_iter().map(of_run).collect(), most)
            };
        let may_be_more = candidates.len() >= most;
        let mut seen = HashSet::new();
        candidates.retain(|one| seen.insert(one.trace_id.clone()));
        candidates.truncate(MAX_LOOKED_AT.max(limit));
        Ok((candidates, may_be_more))
    }

    /// The runs that are known by an id, or by the user; `None` where none is asked for, or users are not indexed.
    async fn looked_up(
        &self,
        window: Window,
        filter: &Filter,
        wanted: &Wanted<'_>,
        effort: &mut Effort,
    ) -> Result<Option<Vec<Pointer>>, Error> {
        if let Some(runs) = &wanted.named {
            return Ok(Some(runs.clone()));
        }
        if let Some(id) = &filter.request_id {
            let found = self.by_request(id, effort).await?;
            return Ok(Some(found.into_iter().map(|found| found.run).collect()));
        }
        if let Some(id) = &filter.correlation_id {
            let found = self.by_id(id, effort).await?;
            let found = found.into_iter().filter(|found| found.by == By::CorrelationId);
            return Ok(Some(found.map(|found| found.run).collect()));
        }
        let Some(user) = &filter.user else { return Ok(None) };
        let runs = effort.take(self.with_baggage("user.id", user, window, MAX_LOOKED_AT).await?);
        Ok(Some(runs).filter(|runs| !runs.is_empty()))
    }

    /// The newest failures of the functions that fail most.
    ///
    /// A run that no context reached knows nothing of entry point and user. Where these are asked for, its failures are
    /// among the candidates: what it joins is asked.
    async fn failed(
        &self,
        window: Window,
        filter: &Filter,
        wanted: &Wanted<'_>,
        most: usize,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        // How long it took is asked of the whole.
        let own = Filter { longer_than: None, shorter_than: None, ..filter.clone() };
        let lost = own.without_carried();
        let totals = self.totals(window.whole_hours(), None, effort).await?;
        let mut failing = most_failing(&totals, &own);
        if lost != own {
            failing.extend(most_failing(&totals, &lost));
            let mut seen = HashSet::new();
            failing.retain(|function| seen.insert(function.clone()));
        }
        let followed = effort.follow(failing, MAX_FUNCTIONS);
        let wants = |card: &Card| {
            let is_lost = || card.began || card.entry.is_none();
            wanted.is_named(card) && (own.wants(card) || is_lost() && lost.wants(card))
        };
        let mut further = Effort { pages: FAILURE_PAGES, ..Effort::default() };
        let failures = self.failures_that(&followed, window, lost.only(), wants, most, &mut further).await?;
        Ok(effort.take(further.answer(failures)))
    }
}

impl Candidate {
    fn of(card: Card) -> Self {
        Self { trace_id: card.trace_id.clone(), run: Some(card) }
    }
}

/// The functions that have failures such as are wanted, the one with the most first.
fn most_failing(totals: &BTreeMap<String, Totals>, filter: &Filter) -> Vec<String> {
    let mut failing: Vec<(u64, &String)> = Vec::new();
    for (function, totals) in totals {
        let flows = || filter.flows(totals);
        let is_told = |flow: &Flow| flow.errors.keys().any(|(kind, _)| kind == OTHER || filter.is_of(kind));
        let has = filter.error.is_none() || flows().any(is_told);
        let failures = flows().map(|flow| flow.failures).sum();
        failing.extend(Some((failures, function)).filter(|_| has && failures > 0));
    }
    failing.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    failing.into_iter().map(|(_, function)| function.clone()).collect()
}
