//! The DEBUG lines of an invocation, bounded: the oldest go first, and are counted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::SpanId;

/// The most bytes that are kept, whosever they are.
const MAX_BYTES: usize = 64 * 1024;
/// The most lines of one owner, so that a record that says much doesn't push out what its neighbours say.
const MAX_LINES: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Ring(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    /// Each with the span of the invocation, or of the record, that it belongs to.
    kept: VecDeque<(SpanId, String)>,
    bytes: usize,
    dropped: u64,
}

impl Ring {
    pub(super) fn keep(&self, of: SpanId, line: String) {
        let mut lines = self.lines();
        if lines.kept.iter().filter(|(owner, _)| *owner == of).count() >= MAX_LINES {
            let own = lines.kept.iter().position(|(owner, _)| *owner == of);
            lines.drop_one(own.unwrap_or_default());
        }
        lines.bytes += line.len();
        lines.kept.push_back((of, line));
        while lines.bytes > MAX_BYTES {
            lines.drop_one(0);
        }
    }

    /// Takes all lines, or those of one record, in the order they came.
    pub(super) fn take(&self, of: Option<SpanId>) -> Vec<String> {
        let mut lines = self.lines();
        let all = std::mem::take(&mut lines.kept);
        let taken;
        (taken, lines.kept) = all.into_iter().partition(|(owner, _)| of.is_none_or(|of| of == *owner));
        lines.bytes = lines.kept.iter().map(|(_, line)| line.len()).sum();
        VecDeque::into_iter(taken).map(|(_, line)| line).collect()
    }

    /// How many were pushed out since that was last asked, whosever they were.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lines().dropped)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn drop_one(&mut self, index: usize) {
        // With nothing left there are no bytes either.
        let oldest = self.kept.remove(index).map_or(self.bytes, |(_, line)| line.len());
        self.bytes -= oldest;
        self.dropped += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(number: u64) -> SpanId {
        SpanId::from_bytes(number.to_be_bytes())
    }

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let ring = Ring::default();
        (0..100).for_each(|n| ring.keep(span(1), n.to_string()));
        let kept = ring.take(None);
        assert_eq!((kept.len(), ring.take_dropped(), ring.take_dropped()), (MAX_LINES, 36, 0));
        assert_eq!((kept[0].as_str(), kept[63].as_str()), ("36", "99"));
        assert!(ring.take(None).is_empty());

        (0..9).for_each(|_| ring.keep(span(1), "x".repeat(16 * 1024)));
        assert_eq!((ring.take(None).len(), ring.lines().bytes), (4, 0));

        ring.keep(span(2), "quiet".to_owned());
        (0..100).for_each(|n| ring.keep(span(1), n.to_string()));
        assert_eq!(ring.take(Some(span(2))), ["quiet"]);
    }

    proptest! {
        #[test]
        fn what_is_kept_of_each_is_its_latest_in_order(owners in prop::collection::vec(0_u64..4, 0..MAX_LINES)) {
            let ring = Ring::default();
            for (number, owner) in owners.iter().enumerate() {
                ring.keep(span(*owner), format!("{owner} {number}"));
            }
            for owner in 0..4 {
                let own = owners.iter().enumerate().filter(|(_, of)| **of == owner);
                let expected: Vec<_> = own.map(|(number, _)| format!("{owner} {number}")).collect();
                prop_assert_eq!(ring.take(Some(span(owner))), expected);
            }
            prop_assert_eq!((ring.take(None).len(), ring.lines().bytes), (0, 0));
        }

        #[test]
        fn it_is_bounded_whatever_comes(sizes in prop::collection::vec(0_usize..20_000, 0..200)) {
            let ring = Ring::default();
            for size in sizes {
                ring.keep(span(1), "x".repeat(size));
                let lines = ring.lines();
                prop_assert!(lines.bytes <= MAX_BYTES && lines.kept.len() <= MAX_LINES);
                prop_assert_eq!(lines.bytes, lines.kept.iter().map(|(_, line)| line.len()).sum::<usize>());
            }
        }
    }
}
