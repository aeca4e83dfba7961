//! What was received and not yet delivered: a queue bounded by bytes, the oldest dropped first.
//!
//! What is being sent is not in the queue, and at most a quarter of its bound: what arrives meanwhile
//! finds room, and which entries go first does not depend on what a backend is just doing.
//!
//! An entry is charged for what it takes besides its bytes, or many small ones would take a multiple of the bound.

use crate::otlp::{Signal, inspect};
use crate::spool::Ticket;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that an entry takes besides its request: its place in a queue, which keeps up to as much again in reserve; the
/// heads of its allocations; its request id; its claim in the spool.
pub const OVERHEAD: usize = 320;

/// One accepted OTLP request, as encoded protobuf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the request carries.
    pub signal: Signal,
    /// The encoded request.
    pub bytes: Bytes,
    /// Number of spans, metrics or log records in it.
    pub items: u64,
    /// The invocation that it came from, where that is known.
    pub request_id: Option<Arc<str>>,
    /// Which accepted request it is, or a part of, in the order of their arrival.
    pub number: u64,
    /// Its destination's claim in the spool: done with when the last clone is dropped.
    pub ticket: Ticket,
}

/// Entries of one signal that leave together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The signal of every entry.
    pub signal: Signal,
    /// At least one entry, oldest first.
    pub entries: Vec<Entry>,
}

/// How much one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Encoded bytes; a single entry may be larger and then goes alone.
    pub bytes: usize,
    /// Number of entries.
    pub entries: usize,
    /// Number of spans, metrics or log records; of a single entry it is not looked at.
    pub items: u64,
}

/// The queue.
#[derive(Debug)]
pub struct Buffer {
    queue: VecDeque<Entry>,
    queued: usize,
    limit: usize,
}

// === impl Entry ===

impl Entry {
    /// One that has no number yet, and no place in the spool.
    pub fn new(signal: Signal, bytes: Bytes, items: u64, request_id: Option<Arc<str>>) -> Self {
        Self { signal, bytes, items, request_id, number: 0, ticket: Ticket::default() }
    }

    /// Bytes that it takes in a queue.
    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }

    /// A part of it, as a request of its own.
    pub fn part(&self, bytes: Bytes) -> Self {
        let items = inspect(self.signal, &bytes).map_or(0, |found| found.items);
        Self { bytes, items, ..self.clone() }
    }
}

// === impl Batch ===

impl Batch {
    /// The encoded requests as one.
    pub fn body(&self) -> Bytes {
        if let [only] = self.entries.as_slice() {
            return only.bytes.clone();
        }
        let mut body = BytesMut::with_capacity(self.size());
        self.entries.iter().for_each(|entry| body.extend_from_slice(&entry.bytes));
        body.freeze()
    }

    /// Number of spans, metrics or log records.
    pub fn items(&self) -> u64 {
        self.entries.iter().map(|entry| entry.items).sum()
    }

    fn size(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes.len()).sum()
    }
}

// === impl Buffer ===

impl Buffer {
    /// An empty buffer for at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { queue: VecDeque::new(), queued: 0, limit }
    }

    /// Appends an entry and returns what had to go for it: the oldest entries, or the entry itself
    /// if it never fits.
    #[must_use = "what is dropped must be counted"]
    pub fn push(&mut self, entry: Entry) -> Vec<Entry> {
        if entry.cost() > self.limit {
            return vec![entry];
        }
        self.queued += entry.cost();
        self.queue.push_back(entry);
        self.shrink()
    }

    /// Takes the oldest entry and those after it of the same signal, as far as they fit into one
    /// batch. What was not delivered must come [back](Self::put_back).
    pub fn take(&mut self, limit: BatchLimit) -> Option<Batch> {
        let first = self.queue.pop_front()?;
        let (signal, mut size, mut items, mut cost) =
            (first.signal, first.bytes.len(), first.items, first.cost());
        let mut entries = vec![first];
        while entries.len() < limit.entries
            && let Some(next) = self.queue.front()
            && next.signal == signal
            && size + next.bytes.len() <= limit.bytes
            && cost + next.cost() <= self.limit / 4
            && items + next.items <= limit.items
        {
            items += next.items;
            size += next.bytes.len();
            cost += next.cost();
            entries.extend(self.queue.pop_front());
        }
        self.queued -= cost;
        Some(Batch { signal, entries })
    }

    /// The batch stays: its entries are the oldest again. Returns what does not fit any more.
    #[must_use = "what is dropped must be counted"]
    pub fn put_back(&mut self, batch: Batch) -> Vec<Entry> {
        self.queued += batch.entries.iter().map(Entry::cost).sum::<usize>();
        batch.entries.into_iter().rev().for_each(|entry| self.queue.push_front(entry));
        self.shrink()
    }

    /// Drops the oldest until the bound holds.
    fn shrink(&mut self) -> Vec<Entry> {
        let mut dropped = Vec::new();
        while self.queued > self.limit
            && let Some(oldest) = self.queue.pop_front()
        {
            self.queued -= oldest.cost();
            dropped.push(oldest);
        }
        dropped
    }

    /// Gives up everything.
    #[must_use = "what is dropped must be counted"]
    pub fn clear(&mut self) -> Vec<Entry> {
        self.queued = 0;
        std::mem::take(&mut self.queue).into()
    }

    /// Bytes that wait to be sent, with what they take besides.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// The bound, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Entries that wait to be sent, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.queue.iter()
    }
}

#[cfg(test)]
#[path = "buffer_tests.rs"]
mod tests;
