//! Time as keys have it: milliseconds since 1970, and the days and hours of them.
//!
//! Nothing here reads a clock. What is written or asked gets the time from its caller.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// An hour, in milliseconds.
pub const HOUR: u64 = 3_600_000;
/// A day, in milliseconds.
pub const DAY: u64 = 24 * HOUR;
/// Lambda and OpenTelemetry are not that old, in nanoseconds since 1970: 2014.
const EARLIEST: u64 = 1_388_534_400_000_000_000;
/// The year 2100.
const LATEST: u64 = 4_102_444_800_000_000_000;
/// How far ahead of us another clock may be.
const AHEAD: u64 = HOUR;
/// The last millisecond that the 13 digits of a key can tell, in the year 2286.
pub(crate) const LAST: u64 = 9_999_999_999_999;

/// Milliseconds since 1970; 0 for what was before.
#[must_use]
pub fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX).min(LAST)
}

/// From when to when is asked for, in milliseconds since 1970, both included.
///
/// ```
/// use throughline_store::time::{DAY, HOUR, Window};
///
/// let window = Window::new(DAY - 1, DAY + HOUR);
/// assert_eq!(window.days().collect::<Vec<_>>(), [0, 1]);
/// assert_eq!(window.hours().collect::<Vec<_>>(), [23, 24, 25]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first millisecond.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

impl Window {
    /// The most days that one asks for. Of a longer window the newest are asked for.
    pub const MAX_DAYS: u64 = 31;

    /// From `from` to `to`. If that touches more than [`Window::MAX_DAYS`], its newest part.
    #[must_use]
    pub fn new(from: u64, to: u64) -> Self {
        let to = to.min(LAST);
        let earliest = (to / DAY).saturating_sub(Self::MAX_DAYS - 1) * DAY;
        Self { from: from.max(earliest), to }
    }

    /// The time before `now`.
    #[must_use]
    pub fn last(duration: Duration, now: SystemTime) -> Self {
        let to = millis(now);
        let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::new(to.saturating_sub(length), to)
    }

    /// The days that it touches, since 1970.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = u64> + use<> {
        self.units(DAY)
    }

    /// The hours that it touches, since 1970.
    pub fn hours(&self) -> impl DoubleEndedIterator<Item = u64> + use<> {
        self.units(HOUR)
    }

    /// None of a window that ends before it begins.
    fn units(self, length: u64) -> Range<u64> {
        if self.from > self.to { 0..0 } else { self.from / length..self.to / length + 1 }
    }

    /// The whole hours that it touches: what is counted by the hour is asked of in these.
    #[must_use]
    pub fn whole_hours(self) -> Self {
        Self { from: self.from / HOUR * HOUR, to: (self.to / HOUR + 1) * HOUR - 1 }
    }

    /// The time of the same length before it.
    ///
    /// ```
    /// use throughline_store::time::Window;
    ///
    /// let window = Window { from: 100, to: 199 };
    /// assert_eq!(window.before(), Window { from: 0, to: 99 });
    /// ```
    #[must_use]
    pub fn before(self) -> Self {
        let length = (self.to + 1).saturating_sub(self.from);
        Self { from: self.from.saturating_sub(length), to: self.from.saturating_sub(1) }
    }

    /// It and the time before.
    #[must_use]
    pub fn with_before(self) -> Self {
        Self { from: self.before().from, to: self.to }
    }

    /// Whether `at` is in it.
    #[must_use]
    pub fn contains(&self, at: u64) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// Whether a clock that runs may have said this, in nanoseconds since 1970: from 2014 up to 2100.
#[must_use]
pub fn is_time(nanos: u64) -> bool {
    (EARLIEST..LATEST).contains(&nanos)
}

/// When something began, as far as it can be believed: what says it was before everything that is kept, or after now,
/// is filed under now. `now` and `retention` in milliseconds.
#[must_use]
pub fn believable(start_nanos: u64, now: u64, retention: u64) -> u64 {
    let at = start_nanos / 1_000_000;
    let believable = at > now.saturating_sub(retention) && at <= now.saturating_add(AHEAD);
    if believable { at.min(LAST) } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_all_days_and_hours_that_it_touches() {
        assert_eq!(Window::new(HOUR, HOUR).hours().collect::<Vec<_>>(), [1]);
        assert_eq!(Window::new(0, 2 * HOUR - 1).hours().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(Window::new(5 * HOUR, 2 * HOUR).hours().count(), 0, "it ends before it begins");
        assert_eq!(Window::new(5 * HOUR, 2 * HOUR).days().count(), 0);
        assert_eq!(Window::new(DAY, 2 * DAY - 1).days().collect::<Vec<_>>(), [1]);
        assert_eq!(Window::new(0, u64::MAX).days().count() as u64, Window::MAX_DAYS);
        let now = UNIX_EPOCH + Duration::from_secs(7200);
        assert_eq!(Window::last(Duration::from_secs(3600), now), Window { from: HOUR, to: 2 * HOUR });
        assert_eq!(Window::last(Duration::MAX, now).from, 0);
    }

    #[test]
    fn absurd_times_are_filed_under_now() {
        let (now, retention) = (1_800_000_000_000, 24 * HOUR);
        let nanos = |ms: u64| ms.saturating_mul(1_000_000);
        for (start, filed) in [
            (now, now),
            (now - 1, now - 1),
            (now + HOUR, now + HOUR),
            (now + HOUR + 1, now),
            (now - 24 * HOUR, now),
            (now - 24 * HOUR + 1, now - 24 * HOUR + 1),
            (0, now),
        ] {
            assert_eq!(believable(nanos(start), now, retention), filed, "{start}");
        }
        assert_eq!(believable(u64::MAX, now, retention), now);
    }
}
