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
