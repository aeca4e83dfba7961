//! A function fails: what does that break, for whom, since when, and where is the cause?

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::Serialize;

use super::cause::cause;
use super::counted::within;
use super::errors::grouped;
use super::{Answer, BuildRow, Effort, ErrorGroup, Filter, Reader};
use crate::Error;
use crate::run::Card;
use crate::time::Window;
use crate::totals::{Totals, cut};

/// How many transactions are looked at for how they ended, the newest.
pub(super) const MAX_ENDINGS: usize = 100;
/// How many users are told.
const MAX_TOLD: usize = 20;
/// Of how many groups of errors the cause is looked for: each time a transaction is read.
pub(super) const MAX_CAUSES: usize = 5;

/// What the failures of a function hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Impact {
    /// How often the function ran in the hours asked for; `None` where the filter asks for more than is counted
    /// ([`Filter::is_counted`]).
    pub runs: Option<u64>,
    /// How many failures were read: of a batch each record that failed.
    pub failures: u64,
    /// How many there were in the time of the same length before.
    pub failures_before: u64,
    /// How often the function ran in as many [whole hours](Window::whole_hours) before; as in [`Impact::runs`].
    pub runs_before: Option<u64>,
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
    /// How many of the failures hit test users.
    pub test_failures: u64,
    /// The users hit most.
    pub top_users: Vec<UserHit>,
    /// How many accounts were hit.
    pub accounts: u64,
    /// What the function did by build.
    pub builds: Vec<BuildRow>,
    /// Of how many transactions it was looked up how they ended.
    pub looked_at: u64,
    /// How many of those ended well: the function did it again and did not fail.
    pub ended_well: u64,
}

/// What was hit of one entry point.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EntryHit {
    /// The entry point; empty if none is known.
    pub entry: String,
    /// How many failures.
    pub failures: u64,
    /// How many there were in the time of the same length before.
    pub failures_before: u64,
    /// In how many transactions.
    pub transactions: u64,
    /// How many runs of the function came from there in all, in the hours asked for; as in [`Impact::runs`].
    pub runs: Option<u64>,
    /// How many users.
    pub users: u64,
    /// How many of the transactions that were looked at ended well.
    pub ended_well: u64,
}

/// A user who was hit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserHit {
    /// Who.
    pub user: String,
    /// The customer.
    pub account: Option<String>,
    /// What the customer pays for.
    pub plan: Option<String>,
    /// By how many failures.
    pub failures: u64,
}

impl Reader {
    /// What the failures of a function hit that are wanted; the filter's own function is not asked.
    ///
    /// At most days × 16 and days × 4 + 50 requests, of the window and the time of the same length before together, 100 for how transactions ended, and those of five
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
        let counted = counted.get(function).filter(|_| filter.is_counted());
        let in_hours = |hours| {
            let mut totals = within(counted?, hours);
            filter.narrow(&mut totals);
            Some(totals)
        };
        let nothing = || filter.is_counted().then(Totals::default);
        let totals = in_hours(hours).or_else(nothing);
        let runs_before = in_hours(hours.before()).or_else(nothing).map(|totals| totals.sum().runs);
        let mut before = self.all_failures(function, window.with_before(), &mut effort).await?;
        before.retain(|failure| wanted.wants(failure));
        let mut failures = before.split_off(before.partition_point(|failure| failure.at() < window.from));

        let mut seen = BTreeSet::new();
        let newest = failures.iter().rev().filter(|failure| seen.insert(failure.trace_id.clone()));
        let looked_at: Vec<Card> = newest.take(MAX_ENDINGS).cloned().collect();
        let mut well = BTreeSet::new();
        let count = looked_at.len() as u64;
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (failure, cards) in self.with_cards(looked_at, &mut effort).await? {
            // Who does not say where the transaction came in is told by who does.
            known.extend(cards.iter().find_map(|card| Some((failure.trace_id.clone(), card.entry.clone()?))));
            if ended_well(&failure, &cards) {
                well.insert(failure.trace_id);
            }
        }
        for failure in failures.iter_mut().filter(|failure| failure.entry.is_none()) {
            failure.entry = known.get(&failure.trace_id).cloned();
        }
        let mut impact = of(&failures, totals.as_ref(), &well, effort.at_least);
        impact.looked_at = count;
        impact.failures_before = before.len() as u64;
        impact.runs_before = runs_before;
        for hit in &mut impact.entries {
            let same = |card: &&Card| card.entry.as_deref().unwrap_or_default() == hit.entry;
            hit.failures_before = before.iter().filter(same).count() as u64;
        }
        impact.errors = grouped([before, failures].concat(), window);
        let groups = impact.errors.iter().take(MAX_CAUSES);
        let transactions = groups.map(|group| self.transaction(&group.example.trace_id));
        let transactions = try_join_all(transactions).await?;
        for (group, transaction) in impact.errors.iter_mut().zip(transactions) {
            effort.requests += transaction.requests;
            group.cause = cause(&group.example, &transaction.found.spans);
        }
        Ok(effort.answer(impact))
    }
}

/// Whether the function did again what failed, and did not fail.
fn ended_well(failure: &Card, cards: &[Card]) -> bool {
    let again = |card: &&Card| card.function == failure.function && card.source == failure.source;
    let last = cards.iter().filter(again).max_by_key(|card| card.start);
    last.is_some_and(|last| !last.failed() && last.start > failure.start)
}

fn of(failures: &[Card], totals: Option<&Totals>, well: &BTreeSet<String>, incomplete: bool) -> Impact {
    let sum = totals.map(Totals::sum);
    let real = |card: &&Card| !card.test_user;
    let users: BTreeSet<&str> =
        failures.iter().filter(real).filter_map(|card| card.user.as_deref()).collect();
    let accounts: BTreeSet<&str> = failures.iter().filter_map(|card| card.account.as_deref()).collect();
    let estimate = sum.as_ref().map_or(0, |sum| sum.users_hit.estimate());
    Impact {
        runs: sum.map(|sum| sum.runs),
        failures: failures.len() as u64,
        failures_before: 0,
        runs_before: None,
        since: failures.first().map(Card::at),
        entries: entries(failures, totals, well),
        errors: Vec::new(),
        users: if incomplete { estimate.max(users.len() as u64) } else { users.len() as u64 },
        users_estimated: incomplete,
        test_failures: failures.iter().filter(|card| card.test_user).count() as u64,
        top_users: top_users(failures),
        accounts: accounts.len() as u64,
        builds: totals.map(super::functions::builds).unwrap_or_default(),
        looked_at: 0,
        ended_well: well.len() as u64,
    }
}

fn entries(failures: &[Card], totals: Option<&Totals>, well: &BTreeSet<String>) -> Vec<EntryHit> {
    let runs = |entry: &str| {
        let flows = totals?.flows.iter().filter(|((of, _), _)| *of == cut(entry));
        Some(flows.map(|(_, flow)| flow.runs).sum())
    };
    let mut hits: BTreeMap<&str, Vec<&Card>> = BTreeMap::new();
    for failure in failures {
        hits.entry(failure.entry.as_deref().unwrap_or_default()).or_default().push(failure);
    }
    let mut entries: Vec<EntryHit> = hits
        .into_iter()
        .map(|(entry, failures)| {
            let traces: BTreeSet<&String> = failures.iter().map(|card| &card.trace_id).collect();
            let real = failures.iter().filter(|card| !card.test_user);
            let users: BTreeSet<&String> = real.filter_map(|card| card.user.as_ref()).collect();
            EntryHit {
                entry: entry.to_owned(),
                failures: failures.len() as u64,
                failures_before: 0,
                transactions: traces.len() as u64,
                runs: runs(entry),
                users: users.len() as u64,
                ended_well: traces.iter().filter(|trace| well.contains(**trace)).count() as u64,
            }
        })
        .collect();
    entries.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.entry.cmp(&b.entry)));
    entries
}

fn top_users(failures: &[Card]) -> Vec<UserHit> {
    let mut hits: BTreeMap<&str, UserHit> = BTreeMap::new();
    for card in failures.iter().filter(|card| !card.test_user) {
        let Some(user) = card.user.as_deref() else { continue };
        let hit = hits.entry(user).or_insert_with(|| UserHit {
            user: user.to_owned(),
            account: card.account.clone(),
            plan: card.plan.clone(),
            failures: 0,
        });
        hit.failures += 1;
    }
    let mut hits: Vec<UserHit> = hits.into_values().collect();
    hits.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.user.cmp(&b.user)));
    hits.truncate(MAX_TOLD);
    hits
}
