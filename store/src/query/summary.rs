//! A transaction by the cards of its runs: what is told of it in a list, and what was lost on the way to some of them.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::ended::ended_well;
use super::filter::Wanted;
use super::joined::{Known, Whole};
use super::took::took;
use crate::run::Card;
use crate::time::Window;

/// A transaction in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The run with which it began, as far as it is known; what that was triggered by is its entry point then.
    pub first: Card,
    /// The newest run that was asked for, one that failed before others; where nothing was asked for, the first. Where no
    /// context reached it, entry point and user are those of its sender.
    pub run: Card,
    /// All runs that were asked for, by start. None where nothing was asked for.
    pub wanted: Vec<Card>,
    /// Its traces, the one with which it began first.
    pub trace_ids: Vec<String>,
    /// Traces of others, whose messages came in one batch with this one's.
    pub senders: Vec<String>,
    /// From its first start to its last end, in microseconds.
    pub duration: u64,
    /// Whether its clocks disagree: then that is about how long it took.
    pub skewed: bool,
    /// How many runs it has.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How many errors were dropped in runs that did not fail.
    pub swallowed: u64,
    /// Whether all that failed was done again and did not fail.
    pub ended_well: bool,
    /// The functions that took part.
    pub functions: BTreeSet<String>,
    /// On whose behalf.
    pub users: BTreeSet<String>,
}

/// All runs of a transaction.
#[derive(Debug)]
pub(super) struct Runs {
    trace_ids: Vec<String>,
    senders: Vec<String>,
    /// Those of its traces that another of them led to.
    continued: BTreeSet<String>,
    /// By start, each run once: of a batch its record in the trace that is nearest.
    cards: Vec<Card>,
    /// Whether all of them are known.
    complete: bool,
    /// Which of them is the first.
    first: usize,
    /// What its beginning tells.
    told: Card,
    /// What one of its runs tells: where it came in, its correlation id, and the user, if it has only one.
    known: Card,
}

impl Runs {
    /// Those of the transaction of which a trace is part.
    pub(super) fn of(known: &Known, trace: &str) -> Self {
        let whole = known.whole(trace);
        let complete = whole.is_complete();
        let Whole { traces, joins, senders, .. } = whole;
        let mut cards: Vec<&Card> = Vec::new();
        let mut seen = BTreeSet::new();
        for card in traces.iter().flat_map(|trace| known.parts(trace)).map(|part| &part.card) {
            if seen.insert((&card.request_id, &card.span_id)) {
                cards.push(card);
            }
        }
        let mut continued: BTreeSet<String> = joins.into_iter().map(|join| join.to).collect();
        if traces.iter().all(|trace| continued.contains(trace)) {
            // A circle.
            continued.clear();
        }
        cards.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut cards: Vec<Card> = cards.into_iter().cloned().collect();
        let first = begin(&cards, &continued);
        if let Some(first) = cards.get_mut(first) {
            // As far as is known it came in there.
            first.entry = first.entry.take().or_else(|| first.source.clone());
        }
        let told = told(cards.iter().filter(|card| !continued.contains(&card.trace_id)));
        let (known, senders) = (known_of(&cards), senders.into_iter().collect());
        Self { trace_ids: traces, senders, continued, cards, complete, first, told, known }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// Whether all that failed was done again and did not fail. What is not known may have failed.
    pub(super) fn ended_well(&self) -> bool {
        self.complete && ended_well(&self.cards)
    }

    /// Those that count: what came by itself is a part of one.
    fn whole(&self) -> impl Iterator<Item = &Card> {
        self.cards.iter().filter(|card| card.part_of.is_none())
    }

    /// The run with which it began, with where it came in, as far as it is known.
    pub(super) fn first(&self) -> Option<&Card> {
        self.cards.get(self.first)
    }

    /// A run with what the transaction tells of itself where no context reached it. It came in where its sender did.
    pub(super) fn with_lost(&self, card: &Card) -> Card {
        let mut card = card.clone();
        if !self.continued.contains(&card.trace_id) {
            return card;
        }
        let Card { entry, correlation_id, .. } = self.told.clone();
        card.entry = entry.or(card.entry);
        card.correlation_id = correlation_id.or(card.correlation_id);
        with_user(card, &self.told)
    }

    /// A run with what its transaction tells, wherever it does not itself; the user only where it has no other.
    pub(super) fn named(&self, card: &Card) -> Card {
        let mut named = self.with_lost(card);
        named.entry = named.entry.or_else(|| self.known.entry.clone());
        named.correlation_id = named.correlation_id.or_else(|| self.known.correlation_id.clone());
        with_user(named, &self.known)
    }

    /// What is told of it in a list; nothing if none of its runs is wanted. `found` is one that is, if it was read.
    pub(super) fn summary(
        &self,
        found: Option<&Card>,
        wanted: &Wanted<'_>,
        window: Window,
    ) -> Option<Summary> {
        let (duration, skewed) = took(&self.cards, self.first());
        if !wanted.wants_whole(duration) {
            return None;
        }
        let first = self.first()?;
        let is_wanted = |card: &&Card| window.contains(card.at()) && self.is_wanted(card, wanted);
        let newest = || self.cards.iter().filter(is_wanted).max_by_key(|card| (card.failed(), card.at()));
        let run = match found.filter(is_wanted) {
            Some(run) => run,
            None if wanted.wants_any() => first,
            None => newest()?,
        };
        let mut trace_ids = self.trace_ids.clone();
        trace_ids.sort_by_key(|trace| *trace != first.trace_id);
        Some(Summary {
            duration,
            skewed,
            runs: self.whole().count() as u64,
            failures: self.cards.iter().filter(|card| card.failed()).count() as u64,
            swallowed: self.whole().filter(|card| !card.failed()).filter_map(|card| card.swallowed).sum(),
            ended_well: self.ended_well(),
            functions: self.cards.iter().map(|card| card.function.clone()).collect(),
            users: self.cards.iter().filter_map(|card| card.user.clone()).collect(),
            trace_ids,
            senders: self.senders.clone(),
            first: first.clone(),
            wanted: if wanted.wants_any() { Vec::new() } else { self.invocations(is_wanted) },
            run: self.with_lost(run),
        })
    }

    /// The runs that are such, or parts of which are.
    fn invocations(&self, is_such: impl Fn(&&Card) -> bool) -> Vec<Card> {
        let such: BTreeSet<&str> =
            self.cards.iter().filter(is_such).map(|card| card.request_id.as_str()).collect();
        let of = |card: &&Card| such.contains(card.request_id.as_str());
        self.whole().filter(of).cloned().collect()
    }

    /// Whether a run is wanted: as it tells itself, as its sender does, or as others of the transaction do where these two
    /// tell nothing. Most tools carry neither user nor entry point from one service to the next.
    fn is_wanted(&self, card: &Card, wanted: &Wanted<'_>) -> bool {
        if !wanted.asks_for_carried() {
            return wanted.wants_run(card);
        }
        let is_own = !self.continued.contains(&card.trace_id);
        is_own && wanted.wants_run(card)
            || wanted.wants_run(&self.named(card))
            || !is_own && wanted.wants_run(&with_user(card.clone(), &self.told))
    }
}

/// A card with the user of another, if it has none itself.
fn with_user(mut card: Card, of: &Card) -> Card {
    if card.user.is_none() {
        let Card { user, account, plan, test_user, .. } = of.clone();
        card.user = user;
        card.account = card.account.or(account);
        card.plan = card.plan.or(plan);
        card.test_user |= test_user;
    }
    card
}

/// Which is the run with which it began: one that nobody sent, else the earliest.
fn begin(cards: &[Card], continued: &BTreeSet<String>) -> usize {
    let position =
        |of: &dyn Fn(&Card) -> bool| cards.iter().position(|card| card.part_of.is_none() && of(card));
    let is_sent = |card: &Card| continued.contains(&card.trace_id);
    let first = position(&|card| card.began && !is_sent(card)).or_else(|| position(&|card| !is_sent(card)));
    first.or_else(|| position(&|_| true)).unwrap_or_default()
}

/// What any tells: the first entry point and correlation id, and the user, if all that tell one tell the same.
fn known_of(cards: &[Card]) -> Card {
    let correlation_id = cards.iter().find_map(|card| card.correlation_id.clone());
    let users: BTreeSet<&String> = cards.iter().filter_map(|card| card.user.as_ref()).collect();
    let one = cards.iter().find(|card| card.user.is_some()).filter(|_| users.len() == 1);
    let known = one.map(|one| with_user(Card::default(), one)).unwrap_or_default();
    Card { entry: cards.iter().find_map(|card| card.entry.clone()), correlation_id, ..known }
}

/// What the first tell of a transaction that know it.
fn told<'a>(cards: impl Iterator<Item = &'a Card>) -> Card {
    let mut told = Card::default();
    for card in cards {
        told.entry = told.entry.or_else(|| card.entry.clone());
        told.correlation_id = told.correlation_id.or_else(|| card.correlation_id.clone());
        told = with_user(told, card);
    }
    told
}

/// Transactions that were found, each once.
#[derive(Debug, Default)]
pub(super) struct Listed {
    found: Vec<Summary>,
    /// By the trace with which they began.
    begun: HashMap<String, usize>,
}

impl Listed {
    /// Adds one. Where it was found already, by another of its traces, the run stays that was found first.
    pub(super) fn add(&mut self, summary: Summary) {
        let at = *self.begun.entry(summary.first.trace_id.clone()).or_insert(self.found.len());
        match self.found.get_mut(at) {
            Some(known) if known.trace_ids.len() < summary.trace_ids.len() => {
                let run = std::mem::replace(known, summary).run;
                self.found[at].run = run;
            }
            Some(_) => {}
            None => self.found.push(summary),
        }
    }

    /// Without those that are a part of others: of a batch each sender is told.
    pub(super) fn wholes(&self) -> Vec<&Summary> {
        let mut part_of: HashMap<&str, Vec<&Summary>> = HashMap::new();
        for one in &self.found {
            one.trace_ids.iter().for_each(|trace| part_of.entry(trace).or_default().push(one));
        }
        let is_whole = |one: &&Summary| {
            let first = &one.first.trace_id;
            let others = part_of.get(first.as_str()).into_iter().flatten();
            !others
                .into_iter()
                .any(|other| other.first.trace_id != *first && !one.trace_ids.contains(&other.first.trace_id))
        };
        self.found.iter().filter(is_whole).collect()
    }
}
