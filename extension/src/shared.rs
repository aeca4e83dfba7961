//! What the tasks of the extension share: the queues, the ends and the accounts, under one lock that is
//! held for moments only, and a bell that rings when any of them changed.

use crate::accounts::{Accounts, Reason};
use crate::bad_end::BadEnds;
use crate::buffer::{Buffer, Entry};
use crate::ends::Ends;
use crate::facts::Facts;
use crate::flush::is_crowded;
use crate::otlp::{InvocationSpan, Signal, first_trace, invocations, split_within};
use crate::overflow::Overflow;
use crate::spool::{Spool, Ticket};
use crate::told::{Teller, Told};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The longest that the answer to a hand-over is held. The wrapper waits for two seconds.
const HELD: Duration = Duration::from_millis(1500);

/// A request that is larger, or has more items, is taken apart: CloudWatch takes 5 MB and 10,000 spans in one, and what is
/// encoded as JSON on its way out is decoded as a whole.
const MAX_BYTES: usize = 1024 * 1024;
const MAX_ITEMS: u64 = 10_000;

/// The shared state.
#[derive(Debug)]
pub struct Shared {
    enabled: bool,
    inner: Mutex<Inner>,
    bell: Notify,
    /// Rings when a flush is over.
    sent: Notify,
}

/// What the lock guards.
#[derive(Debug)]
pub struct Inner {
    /// What waits to be sent, for each destination.
    pub queues: Vec<Buffer>,
    /// Which invocations ended.
    pub ends: Ends,
    /// Which of them were told, and by whom.
    pub told: Told,
    /// Which of them ended badly and are not told yet.
    pub bad_ends: BadEnds,
    /// What the platform told.
    pub facts: Facts,
    /// What became of everything.
    pub accounts: Accounts,
    /// What full buffers had no room for, until it is told.
    pub overflow: Overflow,
    /// The request id of the running invocation.
    pub current: Option<Arc<str>>,
    /// What waits to be sent, on disk.
    pub spool: Spool,
    /// A failure came since the last flush.
    pub urgent: bool,
    /// The next event was asked for ahead: who hands over a failure at its end gets its answer once that was sent.
    pub hold_failures: bool,
    /// Somebody waits for that.
    held: bool,
    /// The number of the latest entry.
    latest: u64,
}

// === impl Shared ===

impl Shared {
    /// For one destination; see [`with_destinations`](Self::with_destinations).
    pub fn new(buffer_bytes: usize, enabled: bool) -> Self {
        Self::with_destinations(buffer_bytes, enabled, vec![String::new()])
    }

    /// With an empty queue of at most `buffer_bytes` for each destination. Not `enabled`, it takes everything and
    /// keeps nothing.
    pub fn with_destinations(buffer_bytes: usize, enabled: bool, names: Vec<String>) -> Self {
        let inner = Inner {
            queues: names.iter().map(|_| Buffer::new(buffer_bytes)).collect(),
            ends: Ends::default(),
            told: Told::default(),
            bad_ends: BadEnds::default(),
            facts: Facts::default(),
            accounts: Accounts::new(names),
            overflow: Overflow::default(),
            current: None,
            spool: Spool::off(),
            urgent: false,
            hold_failures: false,
            held: false,
            latest: 0,
        };
        Self { enabled, inner: Mutex::new(inner), bell: Notify::new(), sent: Notify::new() }
    }

    /// Locks the state. Nothing panics under this lock that would leave it half changed.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changed since the last call.
    pub async fn changed(&self) {
        self.bell.notified().await;
    }

    /// Keeps an accepted OTLP request.
    pub fn received(&self, signal: Signal, bytes: Bytes, items: u64, ended: &[String]) {
        let mut inner = self.lock();
        let request_id = ended.first().map(|id| id.as_str().into()).or_else(|| inner.current.clone());
        let spans = if ended.is_empty() { Vec::new() } else { invocations(&bytes) };
        let entry = Entry::new(signal, bytes, items, request_id);
        if inner.are_told_by_recorder(&spans) {
            inner.accounts.received(signal, items);
            for to in 0..inner.queues.len() {
                let why = "the flight recorder told them before";
                inner.drop_entries(to, std::slice::from_ref(&entry), Reason::Duplicate, why);
            }
            return;
        }
        if self.enabled {
            ended.iter().for_each(|id| inner.ends.span_arrived(id));
            for span in &spans {
                inner.told.note(&span.request_id, span.span_id, Teller::Function);
                inner.facts.span_told(span);
            }
            if let Some(trace_id) = first_trace(&entry.bytes).filter(|_| signal == Signal::Traces) {
                inner.facts.trace_seen(entry.request_id.as_deref(), trace_id);
            }
        }
        self.keep(&mut inner, entry);
        drop(inner);
        self.bell.notify_one();
    }

    /// A failure is in what is about to be received.
    pub fn failed(&self) {
        self.lock().urgent = self.enabled;
    }

    /// Waits until what may not wait was sent, where only this keeps the sandbox from freezing: the next event was
    /// asked for ahead, and the function's own request for it comes after the answer to its hand-over.
    pub async fn until_sent(&self) {
        let sent = self.sent.notified();
        {
            let mut inner = self.lock();
            if !(inner.hold_failures && (inner.urgent || inner.is_crowded())) {
                return;
            }
            inner.held = true;
        }
        self.bell.notify_one();
        // The flush has its own end, and before this.
        let _ = tokio::time::timeout(HELD, sent).await;
    }

    /// Whether a flush cannot wait for the next event, although that was asked for: somebody waits for it, or the
    /// buffer would run over.
    pub fn is_pressing(&self) -> bool {
        let inner = self.lock();
        inner.held || inner.is_crowded()
    }

    /// A flush is over, whatever came of it.
    pub fn flushed(&self) {
        let mut inner = self.lock();
        (inner.urgent, inner.held) = (false, false);
        inner.tell_overflow();
        drop(inner);
        self.sent.notify_waiters();
    }

    /// Keeps the spans that a flight recorder told of this request. They tell a failure.
    pub fn recovered(&self, request_id: &str, bytes: Bytes, spans: u64) {
        let mut inner = self.lock();
        for span in invocations(&bytes) {
            inner.told.note(&span.request_id, span.span_id, Teller::Recorder);
            inner.facts.span_told(&span);
        }
        let request_id = Some(request_id.into());
        inner.urgent = self.enabled;
        self.keep(&mut inner, Entry::new(Signal::Traces, bytes, spans, request_id));
    }

    pub(crate) fn keep(&self, inner: &mut Inner, entry: Entry) {
        self.keep_for(inner, entry, |_| true);
    }

    /// Keeps it for some destinations only.
    pub(crate) fn keep_for(&self, inner: &mut Inner, entry: Entry, takes: impl Fn(usize) -> bool) {
        for to in (0..inner.queues.len()).filter(|to| takes(*to)) {
            inner.accounts.received_for(to, entry.signal, entry.items);
        }
        for entry in in_parts(entry) {
            if !self.enabled {
                inner.disabled(&entry);
            } else if entry.items > 0 {
                // What carries nothing would only push out what carries something.
                let place = inner.spool.write(entry.signal, entry.request_id.as_deref(), &entry.bytes);
                let all = (0..inner.queues.len()).map(|to| (to, place.ticket(to)));
                inner.queue(&entry, all.filter(|(to, _)| takes(*to)));
            }
        }
    }

    /// Whether anything is kept.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Something changed.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }
}

/// A request as requests that every backend takes; but for a single item, which may be larger.
fn in_parts(entry: Entry) -> Vec<Entry> {
    if entry.bytes.len() <= MAX_BYTES && entry.items <= MAX_ITEMS {
        return vec![entry];
    }
    let parts = split_within(&entry.bytes, MAX_BYTES, MAX_ITEMS as usize);
    parts.into_iter().map(|bytes| entry.part(bytes)).collect()
}

// === impl Inner ===

impl Inner {
    /// The extension is done with this invocation, with or without its end.
    pub fn close(&mut self, request_id: &str) {
        self.ends.close(request_id);
        self.facts.close(request_id);
    }

    /// Puts an entry into the queues of those who are to get it.
    pub(crate) fn queue(&mut self, entry: &Entry, to: impl IntoIterator<Item = (usize, Ticket)>) {
        self.latest += 1;
        for (to, ticket) in to {
            let dropped = self.queues[to].push(Entry { number: self.latest, ticket, ..entry.clone() });
            self.overflowed(to, &dropped);
        }
    }

    fn disabled(&mut self, entry: &Entry) {
        for to in 0..self.queues.len() {
            self.accounts.dropped(to, entry.signal, entry.items, Reason::Disabled);
        }
    }

    fn is_crowded(&self) -> bool {
        is_crowded(self.queued(), self.limit())
    }

    /// Whether these are invocations, all of which the flight recorder told already.
    fn are_told_by_recorder(&self, spans: &[InvocationSpan]) -> bool {
        let by_recorder =
            |span: &InvocationSpan| self.told.by(&span.request_id, span.span_id) == Some(Teller::Recorder);
        !spans.is_empty() && spans.iter().all(by_recorder)
    }

    /// Bytes that wait to be sent, in the queue that has most.
    pub fn queued(&self) -> usize {
        self.queues.iter().map(Buffer::queued).max().unwrap_or_default()
    }

    /// What waits to be sent, for whichever destination.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.queues.iter().flat_map(Buffer::entries)
    }

    /// The bound of each queue, in bytes.
    pub fn limit(&self) -> usize {
        self.queues.first().map(Buffer::limit).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
