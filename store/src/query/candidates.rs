//! Transactions that may be wanted: found the shortest way that what is asked for allows.

use std::collections::{BTreeMap, HashSet};

use super::ask::Only;
use super::counted::sum;
use super::filter::Wanted;
use super::lists::MAX_LISTED;
use super::search::MAX_LOOKED_AT;
use super::{Answer, By, Effort, Filter, MAX_PAGES, Reader};
use crate::Error;
use crate::item::Pointer;
use crate::run::Card;
use crate::time::Window;
use crate::totals::{Flow, OTHER, Totals};

/// Of how many functions the failures are read where none is named, those that fail most.
pub(super) const MAX_FUNCTIONS: usize = 40;
/// How many pages of their failures are read beyond the first of each partition.
pub(super) const FAILURE_PAGES: u64 = 10 * MAX_PAGES;
/// How many runs of a function are read first for each transaction that is asked for: it may have several of them, a batch
/// too.
const RUNS_OF_EACH: usize = 2;
/// The same of failures: a message is tried again and again.
const FAILURES_OF_EACH: usize = 6;
/// The same of runs that may have begun one: each of its services may have, as far as it knew. Where it came in only the
/// first of them tells.
const BEGUN_OF_EACH: usize = 4;

/// What is read of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// How many runs, the newest.
    pub(super) most: usize,
    /// Of those that may have begun a transaction only such as tell themselves what is asked for, and not those that tell
    /// nothing.
    pub(super) only_told: bool,
}

/// Where transactions are found.
#[derive(Debug)]
pub(super) enum Source {
    /// These runs are of them.
    Named(Vec<Pointer>),
    Runs(String),
    /// Failures of one of these are.
    Failures(Vec<String>),
    Begun,
}

/// A transaction that may be wanted.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) trace_id: String,
    /// What was read of it already, and is wanted.
    pub(super) run: Option<Card>,
}

impl Reader {
    /// Where the transactions are to be found.
    pub(super) async fn source(
        &self,
        window: Window,
        filter: &Filter,
        wanted: &Wanted<'_>,
        effort: &mut Effort,
    ) -> Result<Source, Error> {
        if let Some(runs) = self.looked_up(window, filter, wanted, effort).await? {
            return Ok(Source::Named(runs));
        }
        Ok(match &filter.function {
            Some(function) if filter.only_failures() => Source::Failures(vec![function.clone()]),
            Some(function) => Source::Runs(function.clone()),
            None if filter.only_failures() => Source::Failures(self.failing(window, filter, effort).await?),
            None => Source::Begun,
        })
    }

    /// Those of the newest runs, as they are to be looked at.
    pub(super) async fn candidates(
        &self,
        source: &Source,
        window: Window,
        filter: &Filter,
        wanted: &Wanted<'_>,
        Reading { most, only_told }: Reading,
    ) -> Result<Answer<Vec<Candidate>>, Error> {
        let mut effort = Effort::default();
        let candidates = match source {
            Source::Named(runs) => runs.iter().map(Candidate::named).collect(),
            Source::Runs(function) => {
                let (all, may) = may_be_wanted(filter, wanted);
                let runs = self.runs_that(function, window, all, may, most, &mut effort).await?;
                runs.into_iter().map(Candidate::of).collect()
            }
            Source::Failures(functions) => {
                let (all, may) = may_be_wanted(filter, wanted);
                let pages = FAILURE_PAGES.min(MAX_PAGES.saturating_mul(functions.len() as u64));
                let mut further = Effort { pages, ..Effort::default() };
                let failures = self.failures_that(functions, window, all, may, most, &mut further).await?;
                effort.take(further.answer(failures)).into_iter().map(Candidate::of).collect()
            }
            Source::Begun => {
                // What no context reached is mostly found with who sent it: it is looked at last, if it must be.
                let may = |card: &Card| filter.is_followed_by(card) || !only_told && filter.may_follow(card);
                let mut all = filter.only_followed();
                if !only_told {
                    all = all.into_iter().map(Only::or_absent).collect();
                }
                let mut begun = self.begun(window, all, may, most, &mut effort).await?;
                begun.sort_by_key(|card| !filter.is_followed_by(card));
                begun.into_iter().map(|card| Candidate { trace_id: card.trace_id, run: None }).collect()
            }
        };
        Ok(effort.answer(candidates))
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

    /// The functions that fail most with what is asked for.
    ///
    /// A run that no context reached knows nothing of entry point and user: where these are asked for, the functions of such
    /// failures are among them.
    async fn failing(
        &self,
        window: Window,
        filter: &Filter,
        effort: &mut Effort,
    ) -> Result<Vec<String>, Error> {
        let hours = self.failures_by_hour(window.whole_hours(), effort).await?;
        let totals = hours.into_iter().map(|(function, hours)| (function, sum(hours.values()))).collect();
        let mut failing = most_failing(&totals, filter);
        let lost = filter.without_carried();
        if lost != *filter {
            failing.extend(most_failing(&totals, &lost));
            let mut seen = HashSet::new();
            failing.retain(|function| seen.insert(function.clone()));
        }
        Ok(effort.follow(failing, MAX_FUNCTIONS))
    }
}

/// What the table can see to of a filter of transactions, and which cards may be of one that is wanted: those too of which
/// what they join, or others of their transaction, tell what they do not.
fn may_be_wanted<'a>(
    filter: &Filter,
    wanted: &'a Wanted<'_>,
) -> (Vec<Only>, impl Fn(&Card) -> bool + use<'a>) {
    let mut own = filter.clone();
    if own.function.is_none() {
        // How long it took is asked of the whole.
        (own.longer_than, own.shorter_than) = (None, None);
    }
    let lost = own.without_carried();
    let all = lost.only();
    let may = move |card: &Card| {
        let is_lost = || card.began || card.entry.is_none();
        wanted.is_named(card) && (own.wants(card) || is_lost() && lost.wants(card))
    };
    (all, may)
}

impl Source {
    /// What of it is read for so many transactions: first, and where these were not enough.
    pub(super) fn readings(&self, filter: &Filter, limit: usize) -> [Reading; 2] {
        let only_told = matches!(self, Self::Begun) && filter.asks_for_followed();
        let of_each = match self {
            Self::Named(_) => return [Reading { most: MAX_LOOKED_AT, only_told }; 2],
            Self::Runs(_) => RUNS_OF_EACH,
            Self::Failures(_) => FAILURES_OF_EACH,
            Self::Begun if only_told => RUNS_OF_EACH,
            Self::Begun => BEGUN_OF_EACH,
        };
        let most = limit.saturating_mul(of_each).min(MAX_LISTED);
        [Reading { most, only_told }, Reading { most: MAX_LISTED, only_told: false }]
    }
}

impl Candidate {
    fn named(run: &Pointer) -> Self {
        Self { trace_id: run.trace_id.clone(), run: None }
    }

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
