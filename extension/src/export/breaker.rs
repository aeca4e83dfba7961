//! A circuit breaker: a backend that fails is left alone for a while, so that it costs no invocation anything.
//!
//! Closed, a flush tries until its time is up; after a flush that came to nothing the next tries once (half-open);
//! after the second in a row nothing is tried until a pause is over (open), which doubles with each probe that fails.
//! It lives as long as the sandbox, over invocations and freezes. In a freeze either clock may stand still, and
//! the wall clock may be set back: a pause is over as soon as one of them says so.

use super::retry;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Flushes in a row that come to nothing before the breaker opens.
const PATIENCE: u32 = 2;
/// The first pause: probes stay under one in a hundred invocations of a sandbox that has ten in a second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    pub(super) wall: SystemTime,
}

/// What a flush may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Try, and try again.
    Closed,
    /// Try once.
    HalfOpen,
    /// Leave it.
    Open,
}

/// The breaker of one destination.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Flushes in a row that came to nothing.
    failures: u32,
    open_until: Option<Moment>,
}

// === impl Moment ===

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    fn is_before(self, then: Self) -> bool {
        self.steady < then.steady && self.wall < then.wall
    }

    /// `None` beyond all time.
    fn checked_add(self, pause: Duration) -> Option<Self> {
        Some(Self { steady: self.steady.checked_add(pause)?, wall: self.wall.checked_add(pause)? })
    }
}

// === impl Breaker ===

impl Breaker {
    pub(super) fn state(&self, now: Moment) -> State {
        match self.open_until {
            Some(then) if now.is_before(then) => State::Open,
            _ if self.failures > 0 => State::HalfOpen,
            _ => State::Closed,
        }
    }

    /// When to try again what is left, unless something else comes before.
    pub(super) fn next_try(&self, now: Moment) -> Instant {
        match (self.state(now), self.open_until) {
            (State::Open, Some(then)) => then.steady,
            (State::Closed, _) => now.steady,
            _ => now.steady + FIRST_PAUSE,
        }
    }

    /// A flush came to nothing; the backend may have `asked` for a pause. `random` is from 0 to 1. Tells whether an outage
    /// begins.
    pub(super) fn failed(&mut self, now: Moment, asked: Option<Duration>, random: f64) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.open_until = if asked.is_some() || self.failures >= PATIENCE {
            let probes = self.failures.saturating_sub(PATIENCE);
            now.checked_add(retry::pause(FIRST_PAUSE, probes, asked, random))
        } else {
            None
        };
        self.failures == 1
    }

    /// The backend took something. Tells whether an outage ends.
    pub(super) fn succeeded(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, FIRST_PAUSE, Moment, State};
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};
    use tokio::time::Instant;

    fn start() -> Moment {
        Moment { steady: Instant::now(), wall: UNIX_EPOCH + Duration::from_secs(1_800_000_000) }
    }

    fn after(moment: Moment, pause: Duration) -> Moment {
        moment.checked_add(pause).expect("a moment")
    }

    #[test]
    fn the_second_flush_in_a_row_that_fails_opens_it() {
        let (now, mut breaker) = (start(), Breaker::default());
        assert_eq!(breaker.state(now), State::Closed);
        assert!(breaker.failed(now, None, 0.0), "an outage begins");
        assert_eq!(breaker.state(now), State::HalfOpen);
        assert!(!breaker.failed(now, None, 0.0), "the same outage");
        assert_eq!(breaker.state(now), State::Open);
        assert_eq!(breaker.state(after(now, FIRST_PAUSE)), State::HalfOpen);
        assert!(breaker.succeeded(), "an outage ends");
        assert_eq!(breaker.state(now), State::Closed);
        assert!(!breaker.succeeded());
    }

    #[test]
    fn each_probe_that_fails_doubles_the_pause_and_jitter_takes_half_of_it_at_most() {
        let (mut now, mut breaker) = (start(), Breaker::default());
        breaker.failed(now, None, 0.0);
        for factor in [1, 2, 4, 8] {
            breaker.failed(now, None, 0.0);
            assert_eq!(
                breaker.state(after(now, FIRST_PAUSE * factor - Duration::from_millis(1))),
                State::Open
            );
            now = after(now, FIRST_PAUSE * factor);
            assert_eq!(breaker.state(now), State::HalfOpen);
        }
        breaker.failed(now, None, 1.0);
        assert_eq!(breaker.state(after(now, FIRST_PAUSE * 8)), State::HalfOpen, "half of 16");
    }

    #[test]
    fn what_the_backend_asks_for_opens_it_at_once_and_is_the_least() {
        let (now, mut breaker) = (start(), Breaker::default());
        breaker.failed(now, Some(Duration::from_secs(7)), 1.0);
        assert_eq!(breaker.state(after(now, Duration::from_millis(6_999))), State::Open);
        assert_eq!(breaker.state(after(now, Duration::from_secs(7))), State::HalfOpen);
    }

    #[test]
    fn what_nobody_asks_for_is_tried_when_the_pause_is_over() {
        let (now, mut breaker) = (start(), Breaker::default());
        assert_eq!(breaker.next_try(now), now.steady, "there was no time for more");
        breaker.failed(now, None, 0.0);
        assert_eq!(breaker.next_try(now), now.steady + FIRST_PAUSE);
        breaker.failed(now, Some(Duration::from_secs(7)), 0.0);
        let later = after(now, Duration::from_secs(3));
        assert_eq!(breaker.next_try(later), now.steady + Duration::from_secs(7));
        assert_ne!(breaker.state(after(now, Duration::from_secs(7))), State::Open, "and then it may");
    }

    #[test]
    fn a_freeze_may_stop_either_clock() {
        let (now, mut breaker) = (start(), Breaker::default());
        breaker.failed(now, None, 0.0);
        breaker.failed(now, None, 0.0);
        let hour = Duration::from_secs(3600);
        assert_eq!(breaker.state(Moment { wall: now.wall + hour, ..now }), State::HalfOpen);
        assert_eq!(breaker.state(Moment { steady: now.steady + hour, ..now }), State::HalfOpen);
        let set_back = Moment { steady: now.steady + hour, wall: UNIX_EPOCH };
        assert_eq!(
            breaker.state(set_back),
            State::HalfOpen,
            "a wall clock that was wrong keeps nothing shut"
        );
    }

    proptest! {
        /// However a backend fails, it is asked again within a minute, and hardly ever before.
        #[test]
        fn probes_are_rare_and_never_end(random in 0.0_f64..1.0, asked in prop::option::of(0_u64..1 << 40)) {
            let (mut now, mut breaker) = (start(), Breaker::default());
            let mut tries = 0;
            for _ in 0..36_000 {
                if breaker.state(now) != State::Open {
                    tries += 1;
                    breaker.failed(now, asked.map(Duration::from_secs), random);
                }
                now = after(now, Duration::from_millis(100));
            }
            prop_assert!((60..=130).contains(&tries), "{tries} in an hour");
        }
    }
}
