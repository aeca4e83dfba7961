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
mod tests {
    use super::{Batch, BatchLimit, Buffer, Entry, OVERHEAD};
    use crate::otlp::Signal;
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const ALL: BatchLimit = BatchLimit { bytes: usize::MAX, entries: usize::MAX, items: u64::MAX };

    fn entry(number: u8, size: usize, signal: Signal) -> Entry {
        Entry::new(signal, Bytes::from(vec![number; size]), u64::from(number), None)
    }

    /// The bound for so many entries of so many bytes in all.
    fn room(entries: usize, bytes: usize) -> usize {
        entries * OVERHEAD + bytes
    }

    fn traces(number: u8, size: usize) -> Entry {
        entry(number, size, Signal::Traces)
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut buffer = Buffer::new(room(2, 10));
        assert!(buffer.push(traces(1, 4)).is_empty());
        assert!(buffer.push(traces(2, 4)).is_empty());
        assert_eq!(buffer.push(traces(3, 8)), [traces(1, 4), traces(2, 4)]);
        let huge = traces(4, OVERHEAD + 11);
        assert_eq!(buffer.push(huge.clone()), [huge], "never fits: refused, the rest stays");
        assert_eq!(buffer.queued(), room(1, 8));
    }

    #[test]
    fn small_entries_take_no_more_than_large_ones() {
        let mut buffer = Buffer::new(room(10, 0));
        let dropped: usize = (0..20).map(|_| buffer.push(traces(1, 0)).len()).sum();
        assert_eq!((buffer.entries().count(), dropped), (10, 10));
    }

    #[test]
    fn what_is_being_sent_leaves_room_and_is_still_the_oldest() {
        let mut buffer = Buffer::new(room(2, 10));
        for number in 1..=2 {
            assert!(buffer.push(traces(number, 4)).is_empty());
        }
        let batch = buffer.take(ALL).expect("one");
        assert_eq!(batch.entries, [traces(1, 4)], "a quarter of the bound, or one entry");
        assert!(buffer.push(traces(3, 5)).is_empty());
        assert_eq!(buffer.put_back(batch), [traces(1, 4)]);
        assert_eq!(buffer.entries().map(|entry| entry.items).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_batch_is_of_one_signal_and_bounded() {
        let mut buffer = Buffer::new(room(40, 0));
        for entry in [traces(1, 4), traces(2, 4), entry(3, 1, Signal::Logs), traces(4, 30)] {
            assert!(buffer.push(entry).is_empty());
        }
        let limit = BatchLimit { bytes: 8, entries: 10, items: 100 };
        let sizes: Vec<usize> =
            std::iter::from_fn(|| buffer.take(limit)).map(|batch| batch.entries.len()).collect();
        assert_eq!(sizes, [2, 1, 1], "the last is larger than a batch and goes alone");
    }

    #[test]
    fn bodies_are_concatenated() {
        let batch = Batch { signal: Signal::Traces, entries: vec![traces(1, 2), traces(2, 1)] };
        assert_eq!(batch.body(), [1, 1, 2].as_slice());
        assert_eq!(batch.items(), 3);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize, bool),
        Take(usize),
        Delivered,
        PutBack,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0_usize..40, any::<bool>()).prop_map(|(size, logs)| Step::Push(size, logs)),
            2 => (1_usize..60).prop_map(Step::Take),
            1 => Just(Step::Delivered),
            1 => Just(Step::PutBack),
        ]
    }

    proptest! {
        /// Every entry is, at every moment, in exactly one place; the bound always holds.
        #[test]
        fn nothing_is_lost_and_nothing_is_twice(steps in vec(step(), 0..60)) {
            let limit = room(8, 100);
            let mut buffer = Buffer::new(limit);
            let mut out: Option<Batch> = None;
            let (mut pushed, mut gone) = (0_u64, Vec::new());
            for step in steps {
                match step {
                    Step::Push(size, logs) => {
                        pushed += 1;
                        let signal = if logs { Signal::Logs } else { Signal::Traces };
                        let entry = Entry { items: pushed, ..entry(0, size, signal) };
                        gone.extend(buffer.push(entry).into_iter().map(|entry| entry.items));
                    }
                    Step::Take(bytes) if out.is_none() => {
                        out = buffer.take(BatchLimit { bytes, entries: 3, items: u64::MAX });
                    }
                    Step::Delivered => if let Some(batch) = out.take() {
                        gone.extend(batch.entries.iter().map(|entry| entry.items));
                    },
                    Step::PutBack => if let Some(batch) = out.take() {
                        gone.extend(buffer.put_back(batch).iter().map(|entry| entry.items));
                    },
                    Step::Take(_) => {}
                }
                let waiting: Vec<u64> = buffer.entries().map(|entry| entry.items).collect();
                prop_assert!(waiting.is_sorted(), "oldest first");
                let bytes: usize = buffer.entries().map(|entry| entry.bytes.len()).sum();
                prop_assert!(buffer.queued() <= limit && buffer.queued() == room(waiting.len(), bytes));
                let held: Vec<u64> = out.iter().flat_map(|batch| &batch.entries).map(|entry| entry.items).collect();
                let mut all: Vec<u64> = waiting.into_iter().chain(held).chain(gone.iter().copied()).collect();
                all.sort_unstable();
                prop_assert_eq!(all, (1..=pushed).collect::<Vec<_>>());
            }
        }
    }
}
