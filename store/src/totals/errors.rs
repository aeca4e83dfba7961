//! Errors that say the same, told together: how many there were, since when, and where to look.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::{MAX_APART, OTHER};
use crate::run::Card;
use crate::schema::bounded;
use crate::span::Span;

/// Errors by type, and by what the messages of one type have in common.
pub type ErrorsByKind = BTreeMap<(String, String), Errors>;

/// Errors that say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// How many there were.
    pub count: u64,
    /// When the first of them began, in milliseconds since 1970; 0 if there is none.
    pub first: u64,
    /// The newest of them.
    pub newest: Example,
}

/// One of them. In the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Example {
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// The request id of its run.
    pub request_id: String,
    /// The span that stands for its run.
    pub span_id: String,
    /// The record that failed, if it isn't the run.
    pub record: Option<String>,
    /// When its run began.
    pub run_at: u64,
    /// Its trace.
    pub trace_id: String,
    /// What it says.
    pub message: String,
}

impl Errors {
    /// A failure of a run that began at `run_at`; nothing if it is none.
    pub(crate) fn of(failure: &Card, run_at: u64) -> Option<((String, String), Self)> {
        let error = failure.error.as_ref()?;
        let newest = Example {
            at: failure.at(),
            request_id: failure.request_id.clone(),
            span_id: failure.span_id.clone(),
            record: failure.record.clone(),
            run_at,
            trace_id: failure.trace_id.clone(),
            message: error.message.clone(),
        };
        Some((key(&error.kind, &error.message), Self { count: 1, first: failure.at(), newest }))
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.first = if self.first == 0 || other.first == 0 {
            self.first.max(other.first)
        } else {
            self.first.min(other.first)
        };
        if other.newest > self.newest {
            self.newest.clone_from(&other.newest);
        }
    }
}

/// By which errors are told together: the type, and the message without what differs each time, numbers and ids.
pub(crate) fn key(kind: &str, message: &str) -> (String, String) {
    let words = message.split(|c: char| !c.is_alphabetic());
    (kind.to_owned(), if kind == OTHER { String::new() } else { words.collect() })
}

/// Counts a failure of a run that began at `run_at`. Where too many are `known` already, those of all flows, it is told
/// together with others.
pub(super) fn count(errors: &mut ErrorsByKind, failure: &Card, run_at: u64, known: usize) {
    let Some((mut key, mut counted)) = Errors::of(failure, run_at) else { return };
    if known >= MAX_APART && !errors.contains_key(&key) {
        key = self::key(OTHER, "");
        counted.newest.message.clear();
    }
    errors.entry(key).or_default().merge(&counted);
}

/// What failed of a run: of what was killed its own span says nothing.
pub(super) struct Failed<'a> {
    /// Whether the run itself failed: with it what had not ended, a call as well.
    run: bool,
    /// By trace and span.
    told: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Failed<'a> {
    pub(super) fn of(head: &Card, failures: &'a [Card]) -> Self {
        let id = |card: &'a Card| card.record.as_deref().unwrap_or(&card.span_id);
        let told = failures.iter().map(|card| (card.trace_id.as_str(), id(card))).collect();
        Self { run: head.failed(), told }
    }

    pub(super) fn has(&self, span: &Span) -> bool {
        let key = (bounded(&span.trace_id), bounded(&span.span_id));
        span.error().is_some() || self.run && span.is_open() || self.told.contains(&(&*key.0, &*key.1))
    }
}
