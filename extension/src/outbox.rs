//! What waits for one destination, and what becomes of it.
//!
//! Each destination has a queue of its own, so that one that is down takes no room from the others. The bytes in
//! them are shared: what waits for all of them is there once.

use crate::accounts::Reason;
use crate::buffer::{Batch, BatchLimit, Entry};
use crate::log::{self, Level};
use crate::otlp::Signal;
use crate::overflow::Lost;
use crate::shared::{Inner, Shared};
use crate::spool::Ticket;
use serde_json::{Value, json};
use throughline_store::Report;

/// One entry of a queue.
const ENTRY: BatchLimit = BatchLimit { bytes: 0, entries: 1, items: 0 };

/// The queue of one destination, and its account.
#[derive(Debug, Clone, Copy)]
pub struct Outbox<'a> {
    shared: &'a Shared,
    to: usize,
}

/// What one or several destinations did not get: the same request, or what is left of it.
#[derive(Debug)]
pub struct Undelivered {
    /// The request; in parts where some were delivered.
    pub entries: Vec<Entry>,
    /// For whom, and how many items of it.
    holders: Vec<(usize, u64)>,
    /// Their claims in the spool, until the fate of the request is known.
    tickets: Vec<Ticket>,
}

// === impl Outbox ===

impl<'a> Outbox<'a> {
    /// Of the destination in this position.
    pub fn new(shared: &'a Shared, to: usize) -> Self {
        Self { shared, to }
    }

    /// Takes a batch to be sent; its fate must be told.
    pub fn take(&self, limit: BatchLimit) -> Option<Batch> {
        let batch = self.shared.lock().queues[self.to].take(limit)?;
        batch.entries.iter().for_each(|entry| entry.ticket.leaves());
        Some(batch)
    }

    /// The batch could not be delivered now.
    pub fn put_back(&self, batch: Batch) {
        batch.entries.iter().for_each(|entry| entry.ticket.stays());
        let mut inner = self.shared.lock();
        let dropped = inner.queues[self.to].put_back(batch);
        inner.overflowed(self.to, &dropped);
    }

    /// The batch was sent and no answer came. It stays, and the backend may get it twice.
    pub fn unanswered(&self, batch: Batch) {
        batch.entries.iter().for_each(|entry| entry.ticket.unanswered());
        self.shared.lock().accounts.unanswered(self.to, batch.signal, batch.items());
        self.put_back(batch);
    }

    /// The backend has the batch, except for `rejected` items.
    pub fn delivered(&self, batch: &Batch, rejected: u64, why: &str) {
        let mut inner = self.shared.lock();
        let rejected = rejected.min(batch.items());
        inner.accounts.exported(self.to, batch.signal, batch.items() - rejected);
        inner.drop_items(self.to, batch.signal, rejected, Reason::Refused, why, &batch.entries);
    }

    /// The backend refuses the batch for good.
    pub fn refused(&self, batch: &Batch, why: &str) {
        self.shared.lock().drop_entries(self.to, &batch.entries, Reason::Refused, why);
    }

    /// The backend takes nothing of this signal. That is no news: it is counted and not logged.
    pub fn unsupported(&self, batch: &Batch) {
        let mut inner = self.shared.lock();
        inner.accounts.dropped(self.to, batch.signal, batch.items(), Reason::Unsupported);
    }

    /// What the platform reported of invocations since this was last asked for.
    pub fn take_reports(&self) -> Vec<Report> {
        self.shared.lock().facts.take_reports()
    }

    /// Logs a line about this destination.
    pub fn log(&self, level: Level, message: &str, mut fields: Value) {
        name_destination(&mut fields, self.shared.lock().accounts.name_among_several(self.to));
        log::line(level, message, fields);
    }
}

// === impl Shared ===

impl Shared {
    /// The outbox of the destination in this position.
    pub fn outbox(&self, to: usize) -> Outbox<'_> {
        Outbox::new(self, to)
    }

    /// Takes the oldest request that waits, out of every queue that holds it; its fate must be told.
    pub fn take_undelivered(&self) -> Option<Undelivered> {
        let mut inner = self.lock();
        let oldest = |inner: &Inner, to: usize| inner.queues[to].entries().next().map(|entry| entry.number);
        let destinations = 0..inner.queues.len();
        let number = destinations.clone().filter_map(|to| oldest(&inner, to)).min()?;
        let mut undelivered = Undelivered { entries: Vec::new(), holders: Vec::new(), tickets: Vec::new() };
        let mut most = 0;
        for to in destinations {
            let mut entries = Vec::new();
            while oldest(&inner, to) == Some(number) {
                entries.extend(inner.queues[to].take(ENTRY).into_iter().flat_map(|batch| batch.entries));
            }
            let items = entries.iter().map(|entry| entry.items).sum();
            if items > 0 {
                undelivered.holders.push((to, items));
            }
            for entry in &entries {
                entry.ticket.leaves();
                undelivered.tickets.push(entry.ticket.clone());
            }
            // Who has got a part misses no more than who has got none.
            if items > most {
                (most, undelivered.entries) = (items, entries);
            }
        }
        Some(undelivered)
    }

    /// So many items of it were written to stdout; the others are dropped.
    pub fn spilled(&self, undelivered: &Undelivered, written: u64, reason: Reason, why: &str) {
        let Some(signal) = undelivered.entries.first().map(|entry| entry.signal) else { return };
        let mut inner = self.lock();
        for &(to, items) in &undelivered.holders {
            let spilled = items.min(written);
            inner.accounts.spilled(to, signal, spilled);
            inner.drop_items(to, signal, items - spilled, reason, why, &undelivered.entries);
        }
    }

    /// There is no time left for what is buffered.
    pub fn out_of_time(&self) {
        let mut inner = self.lock();
        for to in 0..inner.queues.len() {
            let left = inner.queues[to].clear();
            inner.drop_entries(to, &left, Reason::OutOfTime, "no time left to write them down");
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Counts entries as dropped and says so.
    pub(crate) fn drop_entries(&mut self, to: usize, entries: &[Entry], reason: Reason, why: &str) {
        for signal in Signal::ALL {
            let of_signal: Vec<&Entry> = entries.iter().filter(|entry| entry.signal == signal).collect();
            let items = of_signal.iter().map(|entry| entry.items).sum();
            self.drop_items(to, signal, items, reason, why, of_signal);
        }
    }

    /// Counts what a full buffer had no room for. It is told when a flush is over.
    pub(crate) fn overflowed(&mut self, to: usize, entries: &[Entry]) {
        for entry in entries {
            self.accounts.dropped(to, entry.signal, entry.items, Reason::BufferFull);
            self.overflow.add(to, entry);
        }
    }

    /// Says what full buffers had no room for.
    pub(crate) fn tell_overflow(&mut self) {
        for ((to, signal), Lost { items, request_ids }) in self.overflow.take() {
            let ids: Vec<&str> = request_ids.iter().map(|id| &**id).collect();
            self.tell_dropped(to, signal, items, Reason::BufferFull, "the buffer is full", &ids);
        }
    }

    fn drop_items<'e>(
        &mut self,
        to: usize,
        signal: Signal,
        items: u64,
        reason: Reason,
        why: &str,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) {
        if items == 0 {
            return;
        }
        self.accounts.dropped(to, signal, items, reason);
        self.tell_dropped(to, signal, items, reason, why, &request_ids(entries));
    }

    fn tell_dropped(&self, to: usize, signal: Signal, items: u64, reason: Reason, why: &str, ids: &[&str]) {
        let mut fields = json!({ "dropped": items, "reason": reason.name(), "request_ids": ids });
        name_destination(&mut fields, self.accounts.name_among_several(to));
        log::line(Level::Warn, &format!("dropped {items} {}: {why}", signal.items()), fields);
    }
}

fn name_destination(fields: &mut Value, name: Option<&str>) {
    if let (Value::Object(fields), Some(name)) = (fields, name) {
        fields.insert("destination".to_owned(), name.into());
    }
}

fn request_ids<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = entries.into_iter().filter_map(|entry| entry.request_id.as_deref()).collect();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use crate::accounts::Reason;
    use crate::buffer::{BatchLimit, OVERHEAD};
    use crate::otlp::Signal;
    use crate::shared::Shared;
    use bytes::Bytes;

    const ALL: BatchLimit = BatchLimit { bytes: usize::MAX, entries: usize::MAX, items: u64::MAX };
    /// A request with one span.
    const ONE: Bytes = Bytes::from_static(&[0x0a, 4, 0x12, 2, 0x12, 0]);

    /// Room for two entries of 40 bytes, and not for three.
    const TWO: usize = 2 * (OVERHEAD + 40);

    fn two_destinations() -> Shared {
        Shared::with_destinations(TWO, true, vec!["a".into(), "b".into()])
    }

    #[test]
    fn one_that_is_full_takes_nothing_from_the_other() {
        let shared = two_destinations();
        for _ in 0..3 {
            shared.received(Signal::Traces, vec![0; 40].into(), 1, &[]);
            let batch = shared.outbox(0).take(ALL).expect("a batch");
            shared.outbox(0).delivered(&batch, 0, "");
        }
        assert_eq!([0, 1].map(|to| shared.lock().queues[to].queued()), [0, TWO]);
        let summary = shared.lock().accounts.summary();
        let [a, b] = [0, 1].map(|to| &summary["destinations"][to]["spans"]);
        assert_eq!((&a["exported"], &a["kept"], &a["dropped"]), (&3.into(), &0.into(), &0.into()));
        assert_eq!((&b["exported"], &b["kept"], &b["dropped"]), (&0.into(), &2.into(), &1.into()));
        assert_eq!(shared.lock().queued(), TWO, "the fullest counts");
    }

    #[test]
    fn what_two_miss_is_taken_once_and_counted_for_both() {
        let shared = two_destinations();
        shared.received(Signal::Traces, ONE, 1, &[]);
        shared.received(Signal::Logs, ONE, 1, &[]);
        let batch = shared.outbox(1).take(ALL).expect("a batch");
        shared.outbox(1).delivered(&batch, 0, "");
        let first = shared.take_undelivered().expect("the first misses it");
        shared.spilled(&first, 1, Reason::OutOfTime, "");
        let second = shared.take_undelivered().expect("both miss it");
        shared.spilled(&second, 0, Reason::OutOfTime, "");
        assert!(shared.take_undelivered().is_none());
        let summary = shared.lock().accounts.summary();
        let [a, b] = [0, 1].map(|to| &summary["destinations"][to]);
        assert_eq!((&a["spans"]["spilled"], &b["spans"]["spilled"]), (&1.into(), &0.into()));
        assert_eq!((&a["log_records"]["dropped"], &b["log_records"]["dropped"]), (&1.into(), &1.into()));
        assert_eq!((&a["spans"]["kept"], &b["spans"]["kept"]), (&0.into(), &0.into()));
    }
}
