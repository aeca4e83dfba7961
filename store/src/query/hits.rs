//! Whom failures hit: entry points, with the share of their traffic, and users.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::impact::failed;
use crate::run::Card;

use crate::totals::{Totals, cut};

/// How many users are told.
const MAX_TOLD: usize = 20;

/// What was hit of one entry point.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EntryHit {
    /// The entry point; empty if none is known.
    pub entry: String,
    /// How many failures.
    pub failures: u64,
    /// How many there were in the time of the same length before; `None` where these do not say where they came in, as
    /// some of the window did not before their transactions were asked.
    pub failures_before: Option<u64>,
    /// In how many transactions.
    pub transactions: u64,
    /// How many runs of the function said the same as these failures of where they came in, in the hours asked for; `None`
    /// where it is not known: of a batch of several messages or entry points, of runs that say nothing of it and did not all
    /// fail, and as in [`Impact::runs`](super::Impact::runs).
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

/// A failure, with what its transaction tells where it does not itself.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) card: Card,
    /// What it told itself of where it came in.
    pub(super) told: String,
    /// The trace with which its transaction began.
    pub(super) transaction: String,
    /// Whether that was asked.
    pub(super) is_asked: bool,
}

impl Hit {
    /// One whose transaction was not asked.
    pub(super) fn new(card: Card) -> Self {
        let (told, transaction) = (card.entry.clone().unwrap_or_default(), card.trace_id.clone());
        Self { card, told, transaction, is_asked: false }
    }

    /// The failure, with the entry point that it told itself.
    pub(super) fn told_itself(&self) -> Card {
        Card { entry: Some(self.told.clone()).filter(|told| !told.is_empty()), ..self.card.clone() }
    }
}

/// By entry point, the one with the most failures first. `before` are the failures before the window, `well` the
/// transactions that ended well.
pub(super) fn entries(
    hits: &[Hit],
    before: &[Card],
    totals: Option<&Totals>,
    well: &BTreeSet<String>,
) -> Vec<EntryHit> {
    let mut by_entry: BTreeMap<&str, Vec<&Hit>> = BTreeMap::new();
    for hit in hits {
        by_entry.entry(hit.card.entry.as_deref().unwrap_or_default()).or_default().push(hit);
    }
    // In how many rows each is that was told.
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for hits in by_entry.values() {
        let told: BTreeSet<&str> = hits.iter().map(|hit| hit.told.as_str()).collect();
        told.into_iter().for_each(|told| *rows.entry(told).or_default() += 1);
    }
    let entry = |(entry, hits): (&str, Vec<&Hit>)| {
        let told: BTreeSet<&str> = hits.iter().map(|hit| hit.told.as_str()).collect();
        // What told the same as that of another entry point is counted with it.
        let is_apart = told.iter().all(|told| rows.get(told) == Some(&1));
        let transactions: BTreeSet<&String> = hits.iter().map(|hit| &hit.transaction).collect();
        let real = hits.iter().filter(|hit| !hit.card.test_user);
        let users: BTreeSet<&String> = real.filter_map(|hit| hit.card.user.as_ref()).collect();
        let earlier = before.iter().filter(|card| told.contains(card.entry.as_deref().unwrap_or_default()));
        let earlier = earlier.count() as u64;
        let is_known = earlier == 0 || told.iter().eq([&entry]);
        EntryHit {
            entry: entry.to_owned(),
            failures: hits.len() as u64,
            failures_before: is_known.then_some(earlier),
            transactions: transactions.len() as u64,
            runs: totals.filter(|_| is_apart).and_then(|totals| runs(&hits, &told, totals)),
            users: users.len() as u64,
            ended_well: transactions.iter().filter(|trace| well.contains(**trace)).count() as u64,
        }
    };
    let mut entries: Vec<EntryHit> = by_entry.into_iter().map(entry).collect();
    entries.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.entry.cmp(&b.entry)));
    entries
}

/// How many runs said the same of where they came in: as far as these were counted with the failures, each in a run of its
/// own, and no others were.
fn runs(hits: &[&Hit], told: &BTreeSet<&str>, totals: &Totals) -> Option<u64> {
    let flows_of = |entry: &str| {
        let entry = cut(entry);
        totals.flows.iter().filter(move |((of, _), _)| *of == entry).map(|(_, flow)| flow)
    };
    let flows = || told.iter().flat_map(|entry| flows_of(entry));
    let (runs, failures) = (flows().map(|flow| flow.runs).sum::<u64>(), flows().map(failed).sum::<u64>());
    // A batch of several does not say for which entry points it ran, and counts once.
    let of_batches =
        hits.iter().any(|hit| hit.card.record.is_some()) && flows_of("").any(|flow| flow.runs > 0);
    // Runs that tell nothing may have come in anywhere, but for those that failed.
    let is_told = hits.iter().all(|hit| !hit.told.is_empty() || hit.card.entry.is_none());
    let hits = hits.len() as u64;
    let is_like = failures >= hits && if is_told { runs >= hits } else { runs == hits };
    Some(runs).filter(|_| is_like && !of_batches)
}

/// The users that were hit most.
pub(super) fn top_users(hits: &[Hit]) -> Vec<UserHit> {
    let mut users: BTreeMap<&str, UserHit> = BTreeMap::new();
    for card in hits.iter().map(|hit| &hit.card).filter(|card| !card.test_user) {
        let Some(user) = card.user.as_deref() else { continue };
        let hit = users.entry(user).or_insert_with(|| UserHit {
            user: user.to_owned(),
            account: card.account.clone(),
            plan: card.plan.clone(),
            failures: 0,
        });
        hit.failures += 1;
    }
    let mut users: Vec<UserHit> = users.into_values().collect();
    users.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.user.cmp(&b.user)));
    users.truncate(MAX_TOLD);
    users
}
