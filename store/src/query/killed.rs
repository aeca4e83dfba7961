//! Which message it is that kills its process, and with it all others of its batch.
//!
//! They have all failed, but most have nothing to do with it: some had been handled by then, others came and went well
//! in a batch without it. What was being handled at each of its ends is what is left; and where several were handled
//! at once, most of these wait for a call while the one runs at which the process dies.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::verdicts;
use crate::run::{Card, Open, open};
use crate::span::Span;

/// How many are told.
const MAX_TOLD: usize = 20;
/// What the platform calls the end of an invocation that ran out of time.
pub(super) const TIMED_OUT: &str = "Sandbox.Timedout";

/// Messages that were killed with others of their batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Killed {
    /// The function.
    pub function: String,
    /// How many batches were killed while some of their records were being handled.
    pub ends: u64,
    /// How many transactions had records in them.
    pub transactions: u64,
    /// Those that were being handled at each end of theirs, the most suspicious first; 20 at most.
    pub suspects: Vec<Suspect>,
}

/// A transaction whose record was being handled each time that its batch was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// The record's trace.
    pub trace_id: String,
    /// On whose behalf.
    pub user: Option<String>,
    /// The customer.
    pub account: Option<String>,
    /// How many ends it was at.
    pub ends: u64,
    /// At how many of them it ran while all others that were being handled waited for a call.
    pub ran: u64,
    /// Whether it was the only one: each other record of these batches had been handled, or was not begun, at an end of its own.
    pub only: bool,
}

impl Killed {
    /// The one that is known to be the only one, else the only one that ran each time while all others waited.
    #[must_use]
    pub fn likely(&self) -> Option<&Suspect> {
        let alone = |is: fn(&Suspect) -> bool| {
            let mut those = self.suspects.iter().filter(|suspect| is(suspect));
            those.next().filter(|_| those.next().is_none())
        };
        alone(|suspect| suspect.only).or_else(|| alone(|suspect| suspect.ran == suspect.ends))
    }
}

/// A batch that was killed.
#[derive(Default)]
struct End<'a> {
    /// Whether it ran out of time: who waits then is no less suspicious than who runs.
    timed_out: bool,
    /// The traces with a record in it, and what these were at.
    traces: BTreeMap<&'a str, Option<Open>>,
}

/// A record of a batch that was killed.
struct Record<'a> {
    /// The invocation: the request's and the span's id, or the trace's and the span's.
    end: (&'a str, &'a str),
    /// What the platform calls it.
    kind: &'a str,
    trace_id: &'a str,
    user: Option<&'a str>,
    account: Option<&'a str>,
    open: Option<Open>,
}

/// The invocation of a card.
fn end(card: &Card) -> (&str, &str) {
    (&card.request_id, &card.span_id)
}

/// The failures of which something is known: of batches that were killed while records of theirs were being handled.
pub(super) fn batches(failures: &[Card]) -> Vec<Card> {
    let open = failures.iter().filter(|card| card.open.is_some());
    let ends: BTreeSet<(&str, &str)> = open.map(end).collect();
    failures.iter().filter(|card| card.record.is_some() && ends.contains(&end(card))).cloned().collect()
}

/// Of batches of one function, those that hit one of these.
pub(super) fn of_failures<'a>(batches: &'a [Card], hit: impl Iterator<Item = &'a Card>) -> Option<Killed> {
    let hit: BTreeSet<(&str, &str)> = hit.map(end).collect();
    let records = batches.iter().filter(|card| hit.contains(&end(card)));
    let record = |card: &'a Card| Record {
        end: end(card),
        kind: card.error.as_ref().map_or("", |error| error.kind.as_str()),
        trace_id: &card.trace_id,
        user: card.user.as_deref(),
        account: card.account.as_deref(),
        open: card.open,
    };
    killed(&batches.first()?.function, records.map(record))
}

/// Of all spans of some runs, with those of the records of others, by function.
pub(super) fn of_spans<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> Vec<Killed> {
    let open = open(spans.clone());
    if open.is_empty() {
        return Vec::new();
    }
    let record = |head: &'a Span, span: &'a Span| Record {
        end: (&head.trace_id, &head.span_id),
        kind: head.attribute("error.type").unwrap_or_default(),
        trace_id: &span.trace_id,
        user: span.attribute("user.id"),
        account: span.attribute("account.id"),
        open: open.get(&(span.trace_id.as_str(), span.span_id.as_str())).copied(),
    };
    let mut by_function: BTreeMap<&str, Vec<Record<'_>>> = BTreeMap::new();
    for (head, span) in verdicts::given(spans).into_iter().filter(|(head, _)| head.error().is_some()) {
        by_function.entry(&head.function).or_default().push(record(head, span));
    }
    by_function.into_iter().filter_map(|(function, records)| killed(function, records.into_iter())).collect()
}

fn killed<'a>(function: &str, records: impl Iterator<Item = Record<'a>>) -> Option<Killed> {
    let mut ends: BTreeMap<(&str, &str), End<'_>> = BTreeMap::new();
    let mut whose: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for Record { end, kind, trace_id, user, account, open } in records {
        let end = ends.entry(end).or_default();
        end.timed_out |= kind == TIMED_OUT;
        let was = end.traces.entry(trace_id).or_default();
        *was = open.max(*was);
        let known = whose.entry(trace_id).or_default();
        *known = (known.0.or(user), known.1.or(account));
    }
    ends.retain(|_, end| end.traces.values().any(Option::is_some));
    // Where each message came alone it is plain which it is.
    if !ends.values().any(|end| end.traces.len() > 1) {
        return None;
    }
    let mut of_trace: BTreeMap<&str, Vec<&End<'_>>> = BTreeMap::new();
    for end in ends.values() {
        end.traces.keys().for_each(|trace| of_trace.entry(trace).or_default().push(end));
    }
    let is_suspect = |trace: &&str| of_trace[trace].iter().all(|end| end.traces[trace].is_some());
    let suspects: BTreeSet<&str> = of_trace.keys().copied().filter(is_suspect).collect();
    let suspect = |trace: &&str| {
        let (user, account) = whose.get(trace).copied().unwrap_or_default();
        let ends = &of_trace[trace];
        let is_other = |other: &&str| other != trace && suspects.contains(other);
        Suspect {
            trace_id: (*trace).to_owned(),
            user: user.map(str::to_owned),
            account: account.map(str::to_owned),
            ends: ends.len() as u64,
            ran: ends.iter().filter(|end| end.ran_alone(trace)).count() as u64,
            only: !ends.iter().any(|end| end.traces.keys().any(is_other)),
        }
    };
    let mut suspects: Vec<Suspect> = suspects.iter().map(suspect).collect();
    suspects.sort_by_key(|suspect| Reverse((suspect.only, suspect.ran, suspect.ends)));
    suspects.truncate(MAX_TOLD);
    let function = function.to_owned();
    Some(Killed { function, ends: ends.len() as u64, transactions: of_trace.len() as u64, suspects })
}

impl End<'_> {
    /// Whether this one ran, and whatever else was being handled waited.
    fn ran_alone(&self, trace: &str) -> bool {
        let ran = |(other, open): (&&str, &Option<Open>)| (*other == trace) == (*open == Some(Open::Ran));
        !self.timed_out && self.traces.iter().all(ran)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches by what the records of their traces were at: `a:ran b:waited c:over`.
    fn killed(kind: &str, batches: &[&str]) -> Option<Killed> {
        let ends: Vec<String> = (0..batches.len()).map(|end| end.to_string()).collect();
        let records = batches.iter().zip(&ends).flat_map(|(batch, end)| {
            batch.split(' ').map(move |record| {
                let (trace_id, open) = record.split_once(':').unwrap();
                let open = match open {
                    "ran" => Some(Open::Ran),
                    "waited" => Some(Open::Waited),
                    _ => None,
                };
                Record { end: (end, ""), kind, trace_id, user: None, account: None, open }
            })
        });
        super::killed("worker", records)
    }

    #[test]
    fn the_message_that_was_being_handled_each_time_is_suspicious() {
        for (batches, suspects, likely) in [
            (&["a:over b:ran c:over"][..], &["b"][..], Some("b")),
            (&["a:over b:ran", "a:ran b:ran"], &["b"], Some("b")),
            (&["a:waited b:ran", "a:waited b:ran"], &["b", "a"], Some("b")),
            (&["a:waited b:ran", "b:ran"], &["b", "a"], Some("b")),
            (&["a:ran b:ran"], &["a", "b"], None),
            (&["a:waited b:waited"], &["a", "b"], None),
            (&["a:waited b:ran", "a:ran b:waited"], &["a", "b"], None),
            (&["a:ran b:over", "a:over b:ran"], &[], None),
            (&["a:ran b:over", "c:ran d:over"], &["a", "c"], None),
            (&["a:ran a:over b:waited"], &["a", "b"], Some("a")),
        ] {
            let killed = killed("Runtime.ExitError", batches).unwrap();
            let told: Vec<_> = killed.suspects.iter().map(|suspect| suspect.trace_id.as_str()).collect();
            assert_eq!(told, suspects, "{batches:?}");
            assert_eq!(killed.likely().map(|one| one.trace_id.as_str()), likely, "{batches:?}");
        }
        assert_eq!(killed("Runtime.ExitError", &["a:ran", "b:ran"]), None, "each came alone");
        assert_eq!(killed("Runtime.ExitError", &["a:over b:over"]), None, "nothing is known");
        let slow = killed(TIMED_OUT, &["a:waited b:ran"]).unwrap();
        assert_eq!(slow.likely(), None, "who waits takes time as well");
    }
}
