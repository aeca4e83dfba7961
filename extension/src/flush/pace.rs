//! How often the function is invoked, and how long what is unsent has waited.
//!
//! In a freeze the machine's clocks may stand still or jump, so gaps between invocations are not measured
//! with them: an INVOKE bears its deadline, which is the platform's own clock plus the function's
//! time-out, and the time-out is the same for all. Within an invocation nothing freezes.

use std::time::Duration;

/// Invocations that follow each other within this time, one after the other, are frequent: the next one
/// will come soon enough to take along what this one leaves.
const FREQUENT: Duration = Duration::from_secs(1);
/// A gap counts as no longer than this: so many quick invocations it takes to be frequent again (eight, if
/// they come at once).
const SILENCE: Duration = Duration::from_secs(8);
/// The share of a shorter gap in what is expected. A longer one counts whole, and at once.
const WEIGHT: u32 = 4;

/// The rhythm of invocations and the age of what is unsent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// The deadline of the latest invocation, in milliseconds since 1970.
    invoked: Option<u64>,
    expected: Duration,
    unsent_since: Option<u64>,
    flushed: Option<u64>,
}

// === impl Pace ===

impl Pace {
    /// Of a sandbox without an invocation.
    pub fn new() -> Self {
        Self { invoked: None, expected: SILENCE, unsent_since: None, flushed: None }
    }

    /// An invocation began that has this deadline, in milliseconds since 1970. `tail`: something was still
    /// unsent then, from the one before at the latest.
    pub fn invoked(&mut self, deadline_ms: u64, tail: bool) {
        let before = self.invoked.replace(deadline_ms);
        if let Some(before) = before {
            let gap = Duration::from_millis(deadline_ms.saturating_sub(before)).min(SILENCE);
            self.expected = gap.max((self.expected * (WEIGHT - 1) + gap) / WEIGHT);
        }
        self.unsent_since = tail.then(|| self.unsent_since.or(before).unwrap_or(deadline_ms));
    }

    /// A flush was over when the invocation had run for this long; `all`: nothing is unsent now.
    pub fn flushed(&mut self, ran: Duration, all: bool) {
        self.flushed = Some(self.now(ran));
        if all {
            self.unsent_since = None;
        }
    }

    /// Whether the next invocation is expected soon.
    pub fn is_frequent(&self) -> bool {
        self.expected <= FREQUENT
    }

    /// For how long at most the oldest that is unsent has waited, where it is of an earlier invocation.
    pub fn age(&self, ran: Duration) -> Duration {
        self.unsent_since.map_or(Duration::ZERO, |since| self.since(since, ran))
    }

    /// How long ago something was sent last, if ever.
    pub fn since_flush(&self, ran: Duration) -> Option<Duration> {
        self.flushed.map(|flushed| self.since(flushed, ran))
    }

    fn since(&self, then: u64, ran: Duration) -> Duration {
        Duration::from_millis(self.now(ran).saturating_sub(then))
    }

    fn now(&self, ran: Duration) -> u64 {
        let ran = u64::try_from(ran.as_millis()).unwrap_or(u64::MAX);
        self.invoked.unwrap_or_default().saturating_add(ran)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, SILENCE};
    use proptest::prelude::*;
    use std::time::Duration;

    fn after_gaps(gaps: impl IntoIterator<Item = u64>) -> Pace {
        let (mut pace, mut now) = (Pace::new(), 1_000_000);
        pace.invoked(now, false);
        for gap in gaps {
            now += gap;
            pace.invoked(now, false);
        }
        pace
    }

    #[test]
    fn frequent_is_what_has_come_quickly_several_times_and_one_silence_ends_it() {
        for (gaps, frequent) in [
            (vec![], false),
            (vec![10; 7], false),
            (vec![10; 8], true),
            (vec![900; 13], false),
            (vec![900; 20], true),
            (vec![1100; 100], false),
            (vec![60_000; 5], false),
            ([vec![10; 50], vec![1500]].concat(), false),
            ([vec![10; 50], vec![900]].concat(), true),
            ([vec![10; 50], vec![u32::MAX.into()], vec![10; 7]].concat(), false),
            ([vec![10; 50], vec![u32::MAX.into()], vec![10; 8]].concat(), true),
        ] {
            assert_eq!(after_gaps(gaps.clone()).is_frequent(), frequent, "{gaps:?}");
        }
    }

    #[test]
    fn the_age_counts_from_the_invocation_that_left_it() {
        let mut pace = Pace::new();
        pace.invoked(10_000, false);
        assert_eq!(pace.age(Duration::from_secs(1)), Duration::ZERO);
        assert_eq!(pace.since_flush(Duration::ZERO), None);
        pace.invoked(12_000, true);
        assert_eq!(pace.age(Duration::from_secs(1)), Duration::from_secs(3));
        pace.invoked(13_000, true);
        pace.flushed(Duration::from_millis(500), false);
        assert_eq!(pace.age(Duration::from_millis(500)), Duration::from_millis(3500), "not all was taken");
        assert_eq!(pace.since_flush(Duration::from_secs(2)), Some(Duration::from_millis(1500)));
        pace.flushed(Duration::from_secs(1), true);
        assert_eq!(pace.age(Duration::from_secs(9)), Duration::ZERO);
    }

    proptest! {
        /// Any deadlines, also ones that go backwards.
        #[test]
        fn what_is_expected_is_never_beyond_a_silence(deadlines in prop::collection::vec(any::<u64>(), 0..20)) {
            let mut pace = Pace::new();
            for deadline in deadlines {
                pace.invoked(deadline, true);
                pace.flushed(Duration::MAX, false);
                prop_assert!(pace.expected <= SILENCE);
                let _ = (pace.age(Duration::MAX), pace.since_flush(Duration::ZERO));
            }
        }
    }
}
