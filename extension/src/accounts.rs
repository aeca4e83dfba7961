//! What became of everything that was received. Nothing is lost silently.

use crate::otlp::Signal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Counts by signal and destination.
#[derive(Debug)]
pub struct Accounts {
    destinations: Vec<Destination>,
}

/// What became of it at one destination.
#[derive(Debug)]
struct Destination {
    name: String,
    counts: [Count; 3],
}

/// Counts of spans, metrics or log records.
#[derive(Debug, Default)]
struct Count {
    received: u64,
    exported: u64,
    spilled: u64,
    unanswered: u64,
    dropped: BTreeMap<Reason, u64>,
}

/// One number, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The metric's name.
    pub name: &'static str,
    /// What it counts.
    pub signal: Signal,
    /// Where.
    pub destination: String,
    /// Why, of what was dropped.
    pub reason: Option<Reason>,
    /// How many.
    pub count: u64,
    /// It tells how many there are now, and not how many there have been.
    pub stays: bool,
}

/// Why something was dropped. The names are part of the log format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The buffer was full and this was the oldest.
    BufferFull,
    /// The backend refused it for good.
    Refused,
    /// The sandbox went away before it could be written down.
    OutOfTime,
    /// `THROUGHLINE_ENABLED=false`.
    Disabled,
    /// The same spans came before, from the flight recorder.
    Duplicate,
    /// The destination takes nothing of this signal.
    Unsupported,
}

// === impl Reason ===

impl Reason {
    /// The name in log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::BufferFull => "buffer-full",
            Reason::Refused => "refused",
            Reason::OutOfTime => "out-of-time",
            Reason::Disabled => "disabled",
            Reason::Duplicate => "duplicate",
            Reason::Unsupported => "unsupported",
        }
    }
}

// === impl Accounts ===

impl Accounts {
    /// Of destinations of these names; everywhere else they go by their position.
    pub fn new(destinations: Vec<String>) -> Self {
        let destination = |name| Destination { name, counts: Default::default() };
        Self { destinations: destinations.into_iter().map(destination).collect() }
    }

    /// The name of a destination, if there are several.
    pub fn name_among_several(&self, to: usize) -> Option<&str> {
        self.destinations.get(to).map(|it| it.name.as_str()).filter(|_| self.destinations.len() > 1)
    }

    /// Accepted at the intake.
    pub fn received(&mut self, signal: Signal, items: u64) {
        for to in 0..self.destinations.len() {
            self.received_for(to, signal, items);
        }
    }

    /// Accepted for this destination: by an extension that died and owed it, or because not everybody takes it.
    pub fn received_for(&mut self, to: usize, signal: Signal, items: u64) {
        self.count(to, signal, |count| count.received += items);
    }

    /// Taken by the backend.
    pub fn exported(&mut self, to: usize, signal: Signal, items: u64) {
        self.count(to, signal, |count| count.exported += items);
    }

    /// Items that backends have taken so far.
    pub fn all_exported(&self) -> u64 {
        self.destinations.iter().flat_map(|it| &it.counts).map(|count| count.exported).sum()
    }

    /// Written to stdout at SHUTDOWN because the backend could not be reached in time.
    pub fn spilled(&mut self, to: usize, signal: Signal, items: u64) {
        self.count(to, signal, |count| count.spilled += items);
    }

    /// Sent without an answer: the backend may have it, and gets it again. Counted each time, besides all else.
    pub fn unanswered(&mut self, to: usize, signal: Signal, items: u64) {
        self.count(to, signal, |count| count.unanswered += items);
    }

    /// Given up.
    pub fn dropped(&mut self, to: usize, signal: Signal, items: u64, reason: Reason) {
        self.count(to, signal, |count| *count.dropped.entry(reason).or_default() += items);
    }

    fn count(&mut self, to: usize, signal: Signal, change: impl FnOnce(&mut Count)) {
        if let Some(destination) = self.destinations.get_mut(to) {
            change(&mut destination.counts[signal.index()]);
        }
    }

    /// All numbers, for metrics, of signals that were seen.
    pub fn tallies(&self) -> Vec<Tally> {
        let mut tallies = Vec::new();
        for (destination, signal) in
            self.destinations.iter().flat_map(|it| Signal::ALL.map(|signal| (it, signal)))
        {
            let count = &destination.counts[signal.index()];
            if count.received == 0 {
                continue;
            }
            let of = |name, count| {
                let destination = destination.name.clone();
                Tally { name, signal, destination, reason: None, count, stays: false }
            };
            tallies.push(of("throughline.received", count.received));
            tallies.push(of("throughline.exported", count.exported));
            tallies.push(of("throughline.spilled", count.spilled));
            tallies.push(of("throughline.unanswered", count.unanswered));
            let dropped = count.dropped.iter();
            tallies.extend(
                dropped.map(|(why, items)| Tally { reason: Some(*why), ..of("throughline.dropped", *items) }),
            );
            tallies.push(Tally { stays: true, ..of("throughline.kept", count.kept()) });
        }
        tallies
    }

    /// The fields of the summary line: signals that were seen, and what is neither exported, spilled
    /// nor dropped as `kept`. Of several destinations each has its own, under `destinations`.
    pub fn summary(&self) -> Value {
        if let [only] = self.destinations.as_slice() {
            return Value::Object(only.rows());
        }
        let destinations = self.destinations.iter().map(|destination| {
            let mut rows = destination.rows();
            rows.insert("destination".to_owned(), json!(destination.name));
            Value::Object(rows)
        });
        json!({ "destinations": destinations.collect::<Vec<_>>() })
    }
}

// === impl Destination ===

impl Destination {
    fn rows(&self) -> Map<String, Value> {
        let seen = |signal: &Signal| self.counts[signal.index()].received > 0 || *signal == Signal::Traces;
        let row = |signal: Signal| {
            let name = signal.items().replace(' ', "_");
            (name, self.counts[signal.index()].row())
        };
        Signal::ALL.into_iter().filter(seen).map(row).collect()
    }
}

// === impl Tally ===

impl Tally {
    /// Whether both count the same.
    pub fn is_of(&self, other: &Self) -> bool {
        (self.name, self.signal, &self.destination, self.reason)
            == (other.name, other.signal, &other.destination, other.reason)
    }
}

// === impl Count ===

impl Count {
    fn kept(&self) -> u64 {
        let dropped: u64 = self.dropped.values().sum();
        self.received.saturating_sub(self.exported + self.spilled + dropped)
    }

    fn row(&self) -> Value {
        let dropped: u64 = self.dropped.values().sum();
        let why: Map<String, Value> =
            self.dropped.iter().map(|(reason, items)| (reason.name().to_owned(), json!(items))).collect();
        json!({
            "received": self.received, "exported": self.exported, "spilled": self.spilled,
            "kept": self.kept(),
            "dropped": dropped, "dropped_why": why, "unanswered": self.unanswered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, Reason, Tally};
    use crate::otlp::Signal;
    use serde_json::json;

    #[test]
    fn everything_received_is_accounted_for() {
        let mut accounts = Accounts::new(vec!["one".into()]);
        accounts.received(Signal::Traces, 10);
        accounts.exported(0, Signal::Traces, 4);
        accounts.dropped(0, Signal::Traces, 2, Reason::BufferFull);
        accounts.dropped(0, Signal::Traces, 1, Reason::Refused);
        accounts.spilled(0, Signal::Traces, 1);
        accounts.unanswered(0, Signal::Traces, 5);
        accounts.received(Signal::Logs, 1);
        let expected = json!({
            "spans": {"received": 10, "exported": 4, "spilled": 1, "kept": 2, "dropped": 3,
                      "dropped_why": {"buffer-full": 2, "refused": 1}, "unanswered": 5},
            "log_records": {"received": 1, "exported": 0, "spilled": 0, "kept": 1, "dropped": 0, "dropped_why": {},
                            "unanswered": 0},
        });
        assert_eq!(accounts.summary(), expected);
        assert_eq!(accounts.name_among_several(0), None);
        let tallies = accounts.tallies();
        let of_spans = |name| move |tally: &&Tally| tally.name == name && tally.signal == Signal::Traces;
        let unanswered = tallies.iter().find(of_spans("throughline.unanswered"));
        assert_eq!(unanswered.map(|tally| tally.count), Some(5));
    }

    #[test]
    fn each_of_several_destinations_adds_up_for_itself() {
        let mut accounts = Accounts::new(vec!["one".into(), "two".into()]);
        accounts.received(Signal::Traces, 3);
        accounts.exported(0, Signal::Traces, 3);
        accounts.spilled(1, Signal::Traces, 1);
        let expected = json!({"destinations": [
            {"destination": "one", "spans":
                {"received": 3, "exported": 3, "spilled": 0, "kept": 0, "dropped": 0, "dropped_why": {},
                 "unanswered": 0}},
            {"destination": "two", "spans":
                {"received": 3, "exported": 0, "spilled": 1, "kept": 2, "dropped": 0, "dropped_why": {},
                 "unanswered": 0}},
        ]});
        assert_eq!(accounts.summary(), expected);
        assert_eq!(accounts.name_among_several(1), Some("two"));
        accounts.received_for(0, Signal::Metrics, 2);
        let rows = &accounts.summary()["destinations"];
        assert_eq!(rows[0]["metrics"]["kept"], 2);
        assert!(rows[1].get("metrics").is_none());
    }
}
