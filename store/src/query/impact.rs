//! A function fails: what does that break, for whom, since when, and where is the cause?

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::Serialize;

use super::cause::{Origin, origin, timed_out, waited};
use super::counted::within;
use super::ended::ended_well;
use super::errors::grouped;
use super::hits::{Hit, entries, top_users};
use super::joined::{Known, MAX_JOINING};
use super::killed::{self, Killed};
use super::summary::Runs;
use super::{Answer, BuildRow, Effort, EntryHit, ErrorGroup, Filter, Reader, UserHit};
use crate::Error;
use crate::run::Card;
use crate::schema::bounded;
use crate::time::Window;
use crate::totals::{Flow, Totals};

/// How many transactions are looked at for how they ended, the newest.
pub(super) const MAX_ENDINGS: usize = 100;
/// How many more are, of failures that do not say where they came in.
pub(super) const MAX_UNTOLD: usize = 400;
/// Of how many groups of errors the cause is looked for: each time a transaction is read.
pub(super) const MAX_CAUSES: usize = 5;

/// What the failures of a function hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Impact {
    /// How often the function ran in the [whole hours](Window::whole_hours) asked for; `None` where the filter asks for
    /// more than is counted ([`Filter::is_counted`]), or what was counted does not tell it of all failures.
    pub runs: Option<u64>,
    /// How many failures were counted in those hours, as they are read: where there are more than were read, some are not of the window.
    /// As in [`Impact::runs`].
    pub failures_counted: Option<u64>,
    /// How many failures were read: of a batch each record that failed.
    pub failures: u64,
    /// How many there were in the time of the same length before.
    pub failures_before: u64,
    /// How often the function ran in as many [whole hours](Window::whole_hours) before; as in [`Impact::runs`].
    pub runs_before: Option<u64>,
    /// How many failures were counted in those.
    pub failures_counted_before: Option<u64>,
    /// The first of them, in milliseconds since 1970.
    pub since: Option<u64>,
    /// The entry points whose transactions were hit, the one with the most failures first.
    pub entries: Vec<EntryHit>,
    /// By error, the most frequent first.
    pub errors: Vec<ErrorGroup>,
    /// How many users were hit, test users aside.
    pub users: u64,
    /// Whether that is an estimate: not all failures were read.
    pub users_estimated: bool,
    /// How many of the failures do not say whom they hit.
    pub failures_of_unknown: u64,
    /// How many of the failures hit test users.
    pub test_failures: u64,
    /// The users hit most.
    pub top_users: Vec<UserHit>,
    /// How many accounts were hit, those of test users aside.
    pub accounts: u64,
    /// What the function did by build.
    pub builds: Vec<BuildRow>,
    /// Of how many transactions it was looked up how they ended.
    pub looked_at: u64,
    /// How many of those ended well: all that failed there, in any function, was done again and did not fail.
    pub ended_well: u64,
    /// Where batches of several messages were killed: which of them was being handled each time.
    pub killed: Option<Killed>,
}

impl Reader {
    /// What the failures of a function hit that are wanted; the filter's own function is not asked.
    ///
    /// At most days × 16 and days × 4 + 50 requests, of the window and the time of the same length before together, 100 for
    /// how transactions ended, 400 for those that do not say where they came in, 400 for what joins those that do not say for whom they were or may have ended well, and those of five
    /// [transactions](Reader::transaction) for the causes.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn impact(
        &self,
        function: &str,
        window: Window,
        filter: &Filter,
    ) -> Result<Answer<Impact>, Error> {
        let mut effort = Effort::default();
        let filter = &Filter { function: None, ..filter.clone() };
        let wanted = self.wanted(filter, window, &mut effort).await?;
        let hours = window.whole_hours();
        let counted = self.totals_by_hour(hours.with_before(), Some(function), &mut effort).await?;
        let counted = counted.get(&*bounded(function)).filter(|_| filter.is_counted());
        let in_hours = |hours| {
            let mut totals = within(counted?, hours);
            filter.narrow(&mut totals);
            Some(totals)
        };
        let nothing = || filter.is_counted().then(Totals::default);
        let totals = in_hours(hours).or_else(nothing);
        let totals_before = in_hours(hours.before()).or_else(nothing);
        let mut before = self.all_failures(function, window.with_before(), &mut effort).await?;
        let mut failures = before.split_off(before.partition_point(|failure| failure.at() < window.from));
        before.retain(|failure| wanted.wants(failure));
        // Whoever is wanted may have been killed with another's message.
        let batches = killed::batches(&failures);
        // What no context reached does not say itself for whom it was.
        let lost = filter.without_carried();
        let may =
            |card: &Card| (card.began || card.entry.is_none()) && wanted.is_named(card) && lost.wants(card);
        failures.retain(|failure| wanted.wants(failure) || may(failure));
        let Asked { mut hits, looked_at, well } = self.asked(failures, &mut effort).await?;
        hits.retain(|hit| {
            let is_wanted = wanted.wants(&hit.card) || wanted.wants(&hit.told_itself());
            effort.at_least |= !is_wanted && !hit.is_asked;
            is_wanted
        });

        // A run that does not say what is asked for is counted, but not as such.
        let is_told = |totals: &Totals| {
            let (runs, in_hours, failures) = (totals.sum().runs, failed(&totals.sum()), hits.len() as u64);
            let is_narrow = filter.entry.is_some() || filter.build.is_some();
            (runs > 0 || in_hours + failures == 0) && (!is_narrow || in_hours >= failures)
        };
        let totals = totals.filter(is_told);
        let sum_before = totals_before.filter(|_| totals.is_some()).map(|totals| totals.sum());
        let mut impact = of(&hits, totals.as_ref(), effort.at_least);
        impact.looked_at = looked_at;
        impact.ended_well = well.len() as u64;
        impact.killed = killed::of_failures(&batches, hits.iter().map(|hit| &hit.card));
        impact.failures_before = before.len() as u64;
        impact.runs_before = sum_before.as_ref().map(|sum| sum.runs);
        impact.failures_counted_before = sum_before.as_ref().map(failed);
        impact.entries = entries(&hits, &before, totals.as_ref(), &well);
        // Of a batch that ran out of time most records had been handled, or not begun: who waited knows more.
        let waiting = hits.iter().rfind(|hit| waited(&hit.card)).map(|hit| hit.card.clone());
        before.extend(hits.into_iter().map(|hit| hit.card));
        impact.errors = grouped(before, window);
        let knows = |group: &ErrorGroup| {
            let waiting = waiting.as_ref().filter(|_| timed_out(&group.example));
            waiting.unwrap_or(&group.example).clone()
        };
        let failures: Vec<Card> = impact.errors.iter().take(MAX_CAUSES).map(knows).collect();
        let transactions = failures.iter().map(|failure| self.transaction(&failure.trace_id));
        let transactions = try_join_all(transactions).await?;
        for ((group, failure), transaction) in impact.errors.iter_mut().zip(&failures).zip(transactions) {
            effort.requests += transaction.requests;
            let origin = origin(failure, &transaction.found.spans);
            group.unread = origin.is_none();
            let Origin { cause, failed_call, open_call } = origin.unwrap_or_default();
            (group.cause, group.failed_call, group.open_call) = (cause, failed_call, open_call);
        }
        Ok(effort.answer(impact))
    }

    /// Asks the transactions of the newest failures how they ended, and of those that do not say so where they came in and for
    /// whom: what these joined.
    async fn asked(&self, failures: Vec<Card>, effort: &mut Effort) -> Result<Asked, Error> {
        let mut seen = BTreeSet::new();
        let newest = failures.iter().rev().filter(|failure| seen.insert(failure.trace_id.as_str()));
        let mut newest: Vec<&Card> = newest.collect();
        let untold =
            newest.split_off(MAX_ENDINGS.min(newest.len())).into_iter().filter(|failure| is_untold(failure));
        newest.extend(untold.take(MAX_UNTOLD));
        let newest: Vec<&str> = newest.into_iter().map(|failure| failure.trace_id.as_str()).collect();
        let is_unknown = |failure: &&Card| failure.user.is_none() || failure.entry.is_none();
        let unknown: BTreeSet<&str> =
            failures.iter().filter(is_unknown).map(|failure| failure.trace_id.as_str()).collect();
        let mut known = Known::new(MAX_JOINING);
        self.read_traces(newest.iter().map(|trace| (*trace).to_owned()).collect(), &mut known, effort)
            .await?;
        let unknown: Vec<&str> = newest.iter().copied().filter(|trace| unknown.contains(trace)).collect();
        self.join(&unknown, &mut known, effort).await?;
        // Of what ended well as far as is known, the rest may have failed.
        let may_be_well = |trace: &&str| {
            let runs = Runs::of(&known, trace);
            !runs.is_complete() && ended_well(runs.cards())
        };
        let more: Vec<&str> = newest.iter().copied().filter(may_be_well).collect();
        let at_least = effort.at_least;
        self.join(&more, &mut known, effort).await?;
        // What is not known whole did not end well; of the failures nothing is missing.
        effort.at_least = at_least;
        let newest = newest.into_iter().map(|trace| (trace.to_owned(), Runs::of(&known, trace)));
        let newest: BTreeMap<String, Runs> = newest.collect();

        let (mut looked_at, mut well) = (BTreeSet::new(), BTreeSet::new());
        let mut hits = Vec::with_capacity(failures.len());
        for failure in failures {
            let Some(runs) = newest.get(&failure.trace_id) else {
                effort.at_least |= is_untold(&failure);
                hits.push(Hit::new(failure));
                continue;
            };
            let transaction = runs.first().map_or(&failure.trace_id, |first| &first.trace_id).clone();
            looked_at.insert(transaction.clone());
            if runs.ended_well() {
                well.insert(transaction.clone());
            }
            let card = runs.named(&failure);
            hits.push(Hit { card, transaction, is_asked: true, ..Hit::new(failure) });
        }
        Ok(Asked { hits, looked_at: looked_at.len() as u64, well })
    }
}

/// Failures, and what their transactions said.
struct Asked {
    hits: Vec<Hit>,
    /// How many transactions were looked at.
    looked_at: u64,
    /// Those that ended well.
    well: BTreeSet<String>,
}

/// Whether a failure says nothing of where its transaction came in: nothing at all, or where it came in itself, without a context.
fn is_untold(failure: &Card) -> bool {
    let is_web = || failure.source.as_deref().is_some_and(|source| source.starts_with("http "));
    failure.entry.is_none() || failure.began && failure.user.is_none() && !is_web()
}

/// How many failures were counted, of a batch each record that failed.
pub(super) fn failed(flow: &Flow) -> u64 {
    flow.kinds().into_values().fold(0, u64::saturating_add)
}

fn of(hits: &[Hit], totals: Option<&Totals>, incomplete: bool) -> Impact {
    let sum = totals.map(Totals::sum);
    let cards = || hits.iter().map(|hit| &hit.card);
    let real = |card: &&Card| !card.test_user;
    let users: BTreeSet<&str> = cards().filter(real).filter_map(|card| card.user.as_deref()).collect();
    let accounts: BTreeSet<&str> = cards().filter(real).filter_map(|card| card.account.as_deref()).collect();
    let estimate = sum.as_ref().map_or(0, |sum| sum.users_hit.estimate());
    Impact {
        runs: sum.as_ref().map(|sum| sum.runs),
        failures_counted: sum.as_ref().map(failed),
        failures: hits.len() as u64,
        since: cards().next().map(Card::at),
        users: if incomplete { estimate.max(users.len() as u64) } else { users.len() as u64 },
        users_estimated: incomplete,
        failures_of_unknown: cards().filter(|card| card.user.is_none() && !card.test_user).count() as u64,
        test_failures: cards().filter(|card| card.test_user).count() as u64,
        top_users: top_users(hits),
        accounts: accounts.len() as u64,
        builds: totals.map(super::functions::builds).unwrap_or_default(),
        ..Impact::default()
    }
}
