//! Transactions in a list: found the shortest way that what is asked for allows, and looked at as wholes.
//!
//! A transaction is wanted if one of its runs is all that is asked for. Where no function is named, how long it took is
//! asked of the whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::future::try_join_all;
use serde::Serialize;

use super::ask::Ask;
use super::filter::Wanted;
use super::lists::MAX_LISTED;
use super::traces::by_trace;
use super::{Answer, By, Effort, Filter, Reader};
use crate::Error;
use crate::item::Pointer;
use crate::run::Card;
use crate::schema::Partition;
use crate::time::{Window, is_time};
use crate::totals::OTHER;

/// How many transactions are looked at for wanted runs, the newest.
pub(super) const MAX_LOOKED_AT: usize = 500;
/// How many of them are read before it is seen whether that was enough.
const AT_ONCE: usize = 50;
/// Of how many functions the failures are read where none is named, those that fail most.
pub(super) const MAX_FUNCTIONS: usize = 10;

/// A transaction in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The run with which it began, as far as it is known.
    pub first: Card,
    /// The newest run that was asked for, one that failed before others; where nothing was asked for, the first.
    pub run: Card,
    /// From its first start to its last end, in microseconds.
    pub duration: u64,
    /// How many runs it has.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
    /// The functions that took part.
    pub functions: BTreeSet<String>,
}

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
    /// At most as many requests as for a list of runs, and one for each of 500 transactions that are looked at. By
    /// ids and users they are found in 16 + 50. Failures of no certain function are those of the ten that fail most: as
    /// many requests as for their counts, and for each of ten lists.
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
        let candidates = self.candidates(window, filter, &wanted, limit, &mut effort).await?;
        let mut found = Vec::new();
        for some in candidates.chunks(AT_ONCE) {
            if found.len() >= limit {
                break;
            }
            let asks = some.iter().map(|one| Ask::all(Partition::Trace(one.trace_id.clone())));
            let items = self.all(asks.collect(), &mut effort).await?;
            let mut cards = by_trace(items, &mut effort);
            for candidate in some {
                let cards = cards.remove(&candidate.trace_id).unwrap_or_default();
                found.extend(told(candidate, cards, filter, &wanted, window));
            }
        }
        let mut found = wholes(found);
        effort.at_least |= found.len() < limit && candidates.len() >= MAX_LOOKED_AT;
        found.truncate(limit);
        Ok(effort.answer(found))
    }

    /// The newest first, each once.
    async fn candidates(
        &self,
        window: Window,
        filter: &Filter,
        wanted: &Wanted<'_>,
        limit: usize,
        effort: &mut Effort,
    ) -> Result<Vec<Candidate>, Error> {
        let mut candidates: Vec<Candidate> =
            if let Some(runs) = self.looked_up(window, filter, wanted, effort).await? {
                let of_run = |run: Pointer| Candidate { trace_id: run.trace_id, run: None };
                runs.into_iter().map(of_run).collect()
            } else if let Some(function) = &filter.function {
                // A transaction may have several of them, a batch too.
                let most = limit.saturating_mul(2);
                let runs = if filter.only_failures() {
                    self.failures(function, window, filter, most).await?
                } else {
                    self.runs(function, window, filter, most).await?
                };
                effort.take(runs).into_iter().map(Candidate::of).collect()
            } else if filter.only_failures() {
                self.failed(window, filter, limit, effort).await?.into_iter().map(Candidate::of).collect()
            } else {
                let by_entry = Filter { entry: filter.entry.clone(), ..Filter::default() };
                // Those of an entry point are hardly ever others: their first runs know it.
                let most = if *filter == by_entry { limit.saturating_mul(2) } else { MAX_LOOKED_AT };
                let may = |card: &Card| filter.may_follow(card);
                let begun = self.begun(window, filter.only_followed(), may, most, effort).await?;
                begun.into_iter().map(|card| Candidate { trace_id: card.trace_id, run: None }).collect()
            };
        let mut seen = HashSet::new();
        candidates.retain(|one| seen.insert(one.trace_id.clone()));
        candidates.truncate(MAX_LOOKED_AT.max(limit));
        Ok(candidates)
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
    async fn failed(
        &self,
        window: Window,
        filter: &Filter,
        limit: usize,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        // How long it took is asked of the whole.
        let filter = &Filter { longer_than: None, shorter_than: None, ..filter.clone() };
        let failing = self.failing(window, filter, effort).await?;
        effort.at_least |= failing.len() > MAX_FUNCTIONS;
        let asked = failing.iter().take(MAX_FUNCTIONS);
        let lists =
            try_join_all(asked.map(|function| self.failures(function, window, filter, limit))).await?;
        let mut failures: Vec<Card> = lists.into_iter().flat_map(|list| effort.take(list)).collect();
        failures.sort_by(|a, b| (b.at(), &b.span_id).cmp(&(a.at(), &a.span_id)));
        Ok(failures)
    }

    /// The functions that have failures such as are wanted, the one with the most first.
    pub(super) async fn failing(
        &self,
        window: Window,
        filter: &Filter,
        effort: &mut Effort,
    ) -> Result<Vec<String>, Error> {
        let totals = self.totals(window.whole_hours(), filter.function.as_deref(), effort).await?;
        let counted = totals.into_iter().map(|(function, mut totals)| {
            filter.narrow(&mut totals);
            let sum = totals.sum();
            let counted =
                |wanted: &String| sum.errors.keys().any(|(kind, _)| kind == wanted || kind == OTHER);
            (if filter.error.as_ref().is_none_or(counted) { sum.failures } else { 0 }, function)
        });
        let mut failing: Vec<(u64, String)> = counted.filter(|(failures, _)| *failures > 0).collect();
        failing.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Ok(failing.into_iter().map(|(_, function)| function).collect())
    }
}

impl Candidate {
    fn of(card: Card) -> Self {
        Self { trace_id: card.trace_id.clone(), run: Some(card) }
    }
}

/// What is told of a transaction, with the runs that it has; nothing if none of them is wanted.
fn told(
    candidate: &Candidate,
    cards: Vec<Card>,
    filter: &Filter,
    wanted: &Wanted<'_>,
    window: Window,
) -> Option<(Summary, Runs)> {
    // Whose clock says what can't be took no time.
    let timed = || cards.iter().filter(|card| is_time(card.start.saturating_mul(1_000_000)));
    let end = |card: &Card| card.start.saturating_mul(1000).saturating_add(card.duration);
    let start = timed().map(|card| card.start).min().unwrap_or_default();
    let duration = timed().map(end).max().unwrap_or_default().saturating_sub(start.saturating_mul(1000));
    let of_whole = filter.function.is_none();
    let fits = !of_whole
        || filter.longer_than.is_none_or(|longer| duration >= longer)
            && filter.shorter_than.is_none_or(|shorter| duration <= shorter);
    let runs = || cards.iter().filter(|card| card.part_of.is_none());
    let first = runs().find(|card| card.began).or_else(|| runs().next()).or(cards.first())?;
    let is_wanted = |card: &&Card| {
        let is = if of_whole { wanted.wants_but_for_time(card) } else { wanted.wants(card) };
        is && window.contains(card.at())
    };
    let run = match &candidate.run {
        Some(run) => run,
        None if *filter == Filter::default() => first,
        None => cards.iter().filter(is_wanted).max_by_key(|card| (card.failed(), card.at()))?,
    };
    let summary = Summary {
        duration,
        runs: runs().count() as u64,
        failures: cards.iter().filter(|card| card.failed()).count() as u64,
        functions: cards.iter().map(|card| card.function.clone()).collect(),
        first: first.clone(),
        run: run.clone(),
    };
    let keys = cards.iter().map(|card| (card.request_id.clone(), card.span_id.clone())).collect();
    fits.then_some((summary, keys))
}

/// Request ids and spans of the runs of a transaction.
type Runs = BTreeSet<(String, String)>;

/// Without those that are only a part of another: the runs that link to a trace are told in it.
fn wholes(found: Vec<(Summary, Runs)>) -> Vec<Summary> {
    let mut having: HashMap<&(String, String), Vec<usize>> = HashMap::new();
    for (at, (_, runs)) in found.iter().enumerate() {
        runs.iter().for_each(|run| having.entry(run).or_default().push(at));
    }
    let is_part = |(_, runs): &(Summary, Runs)| {
        let others = runs.first().and_then(|run| having.get(run)).into_iter().flatten();
        let others = others.filter_map(|at| found.get(*at));
        others.into_iter().any(|(_, other)| other.len() > runs.len() && runs.is_subset(other))
    };
    let parts: Vec<bool> = found.iter().map(is_part).collect();
    found.into_iter().zip(parts).filter(|(_, is_part)| !is_part).map(|((summary, _), _)| summary).collect()
}
