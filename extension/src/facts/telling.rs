//! What the facts have to do with the shared state: the platform's word comes in, and what is due is kept.

use super::event::{Event, Fact};
use super::{Account, Last, logs, spans};
use crate::buffer::Entry;
use crate::ends::Outcome;
use crate::log::{self, Level};
use crate::otlp::Signal;
use crate::shared::{Inner, Shared};
use prost::Message as _;
use serde_json::json;
use tokio::time::Instant;

// === impl Shared ===

impl Shared {
    /// Notes what the platform told: of a batch all, before anyone looks, for a report follows its `runtimeDone`.
    pub fn platform_told(&self, events: &[Event]) {
        let mut inner = self.lock();
        for event in events {
            if let Fact::Done(request_id, end) = &event.fact {
                let bad_end = end.bad_end();
                let outcome = if bad_end.is_some() { Outcome::Gone } else { Outcome::Alive };
                inner.ends.runtime_done(request_id, outcome, Instant::now());
                if let Some(bad_end) = bad_end {
                    inner.bad_ends.push(request_id.clone(), bad_end);
                }
            }
            inner.facts.told(event);
        }
        drop(inner);
        self.ring();
    }

    /// Keeps the spans that only the platform's facts tell; at SHUTDOWN, whose reason and time `last` is, all of them.
    pub fn tell_facts(&self, last: Option<(&str, u64)>) {
        let mut inner = self.lock();
        let current = inner.current.clone();
        let is_last = last.is_some();
        let last = last.map(|(reason, time)| Last { reason, time, current: current.as_deref() });
        for Account { request_id, spans, failure } in inner.facts.due(last) {
            if let Some(failure) = failure {
                inner.urgent = self.is_enabled();
                log::line(
                    Level::Info,
                    "an invocation that ended badly is told from the platform's facts",
                    json!({ "request_id": request_id, "error_type": failure.error_type, "reason": failure.message }),
                );
            }
            let items = spans.len() as u64;
            let bytes = spans::request(&inner.facts.settings.function, spans).encode_to_vec().into();
            let request_id = Some(request_id.into());
            self.keep(&mut inner, Entry::new(Signal::Traces, bytes, items, request_id));
        }
        self.tell_lines(&mut inner, is_last);
    }

    /// Keeps the function's lines whose trace is known; all of them, if nothing will follow.
    fn tell_lines(&self, inner: &mut Inner, all: bool) {
        let records = inner.facts.lines_due(all);
        if records.is_empty() {
            return;
        }
        let items = records.len() as u64;
        let bytes = logs::request(&inner.facts.settings.function, records).encode_to_vec().into();
        let request_id = inner.current.clone();
        self.keep_own(inner, Entry::new(Signal::Logs, bytes, items, request_id));
    }

    /// Keeps what nobody has sent for those who take such.
    fn keep_own(&self, inner: &mut Inner, entry: Entry) {
        let (signal, all) = (entry.signal, 0..inner.queues.len());
        let takers: Vec<bool> = all.map(|to| inner.facts.settings.takes(to, signal)).collect();
        self.keep_for(inner, entry, |to| takers[to]);
    }

    /// Keeps the metrics, if it is time for them, for the destinations that take some; if it is the `last` time, in any
    /// case. They leave with whatever is sent next.
    pub fn tell_metrics(&self, now: u64, last: bool) {
        let mut inner = self.lock();
        let Inner { facts, accounts, .. } = &mut *inner;
        let Some((request, items)) = facts.metrics_due(accounts, now, last) else { return };
        let entry = Entry::new(Signal::Metrics, request.encode_to_vec().into(), items, None);
        self.keep_own(&mut inner, entry);
    }
}
