//! What became of everything that was received. Nothing is lost silently.

use crate::otlp::Signal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Counts by signal.
#[derive(Debug, Default)]
pub struct Accounts([Count; 3]);

/// Counts of spans, metrics or log records.
#[derive(Debug, Default)]
struct Count {
    received: u64,
    exported: u64,
    spilled: u64,
    dropped: BTreeMap<Reason, u64>,
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
        }
    }
}

// === impl Accounts ===

impl Accounts {
    /// Accepted at the intake.
    pub fn received(&mut self, signal: Signal, items: u64) {
        self.0[signal.index()].received += items;
    }

    /// Taken by the backend.
    pub fn exported(&mut self, signal: Signal, items: u64) {
        self.0[signal.index()].exported += items;
    }

    /// Written to stdout at SHUTDOWN because the backend could not be reached in time.
    pub fn spilled(&mut self, signal: Signal, items: u64) {
        self.0[signal.index()].spilled += items;
    }

    /// Given up.
    pub fn dropped(&mut self, signal: Signal, items: u64, reason: Reason) {
        *self.0[signal.index()].dropped.entry(reason).or_default() += items;
    }

    /// The fields of the summary line: signals that were seen, and what is neither exported, spilled
    /// nor dropped as `kept`.
    pub fn summary(&self) -> Value {
        let signals = Signal::ALL.into_iter().filter_map(|signal| {
            let count = &self.0[signal.index()];
            let dropped: u64 = count.dropped.values().sum();
            let kept = count.received.saturating_sub(count.exported + count.spilled + dropped);
            let why: Map<String, Value> = count
                .dropped
                .iter()
                .map(|(reason, items)| (reason.name().to_owned(), json!(items)))
                .collect();
            (count.received > 0 || signal == Signal::Traces).then(|| {
                let name = signal.items().replace(' ', "_");
                let row = json!({
                    "received": count.received, "exported": count.exported, "spilled": count.spilled,
                    "kept": kept, "dropped": dropped, "dropped_why": why,
                });
                (name, row)
            })
        });
        Value::Object(signals.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, Reason};
    use crate::otlp::Signal;
    use serde_json::json;

    #[test]
    fn everything_received_is_accounted_for() {
        let mut accounts = Accounts::default();
        accounts.received(Signal::Traces, 10);
        accounts.exported(Signal::Traces, 4);
        accounts.dropped(Signal::Traces, 2, Reason::BufferFull);
        accounts.dropped(Signal::Traces, 1, Reason::Refused);
        accounts.spilled(Signal::Traces, 1);
        accounts.received(Signal::Logs, 1);
        let expected = json!({
            "spans": {"received": 10, "exported": 4, "spilled": 1, "kept": 2, "dropped": 3,
                      "dropped_why": {"buffer-full": 2, "refused": 1}},
            "log_records": {"received": 1, "exported": 0, "spilled": 0, "kept": 1, "dropped": 0, "dropped_why": {}},
        });
        assert_eq!(accounts.summary(), expected);
    }
}
