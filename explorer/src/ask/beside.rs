//! The time before, beside which figures are told.

use serde_json::{Value, json};
use throughline_store::Figures;
use throughline_store::time::{DAY, HOUR, Window};

use super::table::{Cell, Column, dim, plain, red};
use super::when;
use super::words::{change, count, rate, share, took};

/// The whole hours that are counted, and those before them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    hours: Window,
    now: u64,
}

impl Counted {
    pub(super) fn new(window: Window, now: u64) -> Self {
        Self { hours: window.whole_hours(), now }
    }

    /// So many a minute: of the hour that is not over, only what has passed counts.
    pub(super) fn a_minute(self, number: u64) -> f64 {
        number as f64 / minutes(Window { to: self.hours.to.min(self.now), ..self.hours })
    }

    /// The same before.
    pub(super) fn a_minute_before(self, number: u64) -> f64 {
        number as f64 / minutes(self.hours.before())
    }

    /// The columns of [`Counted::cells`], by the name of what is counted.
    pub(super) fn columns(what: &'static str) -> [Column; 9] {
        [what, "a min", "", "failed", "", "was", "p50", "p95", "was"].map(Column::Number)
    }

    /// How often, how often a minute, how often it failed and how long it took; what of it was otherwise before, too.
    pub(super) fn cells(self, now: &Figures, before: &Figures) -> [Cell; 9] {
        let (a_minute, was) = (self.a_minute(now.runs), self.a_minute_before(before.runs));
        let of_before = |text: String| dim(if before.runs > 0 { text } else { String::new() });
        let [runs, failed, share, p50, p95] = cells(now);
        let changed = of_before(change(a_minute, was));
        let (failed_before, p95_before) = (of_before(failed_share(before)), of_before(took(before.p95)));
        [runs, plain(rate(a_minute)), changed, failed, share, failed_before, p50, p95, p95_before]
    }

    /// For people.
    pub(super) fn told(self) -> String {
        let (from, before) = (self.brief(self.hours.from), self.brief(self.hours.before().from));
        format!("counted in whole hours: {} from {from}, beside as many from {before}", self.count())
    }

    /// Which they are: `since 14:00`; of a time that is over `from 14:00 to 16:00`.
    pub(super) fn named(self) -> String {
        let (from, end) = (self.hours.from, self.hours.to + 1);
        if end > self.now {
            return format!("since {}", self.brief(from));
        }
        let is_same_day = from / DAY == end / DAY;
        let end = if is_same_day { when::clock(end)[..5].to_owned() } else { self.brief(end) };
        format!("from {} to {end}", self.brief(from))
    }

    /// Those before: `in the 2 hours before`.
    pub(super) fn named_before(self) -> String {
        match self.count() {
            1 => "in the hour before".to_owned(),
            hours => format!("in the {hours} hours before"),
        }
    }

    fn count(self) -> u64 {
        (self.hours.to + 1 - self.hours.from) / HOUR
    }

    /// When an hour begins: whole hours have no seconds.
    fn brief(self, at: u64) -> String {
        let told = when::brief(at, self.now);
        let whole = told.strip_suffix(":00").filter(|told| told.len() == "14:00".len());
        whole.map(str::to_owned).unwrap_or(told)
    }

    /// For programs, in milliseconds since 1970.
    pub(super) fn json(self) -> Value {
        json!({ "window": self.hours, "before": self.hours.before() })
    }
}

/// How often, how often it failed, the share of that, p50 and p95.
pub(super) fn cells(figures: &Figures) -> [Cell; 5] {
    let failed = if figures.failures > 0 { red(count(figures.failures)) } else { dim("0") };
    let [p50, p95] = [figures.p50, figures.p95].map(|time| plain(took(time)));
    [plain(count(figures.runs)), failed, plain(failed_share(figures)), p50, p95]
}

/// Of a batch several records may fail.
fn failed_share(figures: &Figures) -> String {
    share(figures.failures.min(figures.runs), figures.runs)
}

fn minutes(window: Window) -> f64 {
    ((window.to + 1).saturating_sub(window.from) as f64 / 60_000.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_time_that_has_passed() {
        let at = 500_000 * HOUR;
        // Half past, and an hour before that.
        let counted = Counted::new(Window { from: at - HOUR / 2, to: at + HOUR / 2 }, at + HOUR / 2);
        assert!((counted.a_minute(90) - 1.0).abs() < 0.01);
        assert!((counted.a_minute_before(240) - 2.0).abs() < 0.01);
        assert!(counted.told().starts_with("counted in whole hours: 2 from "), "{}", counted.told());
    }

    #[test]
    fn hours_are_named_with_their_end_where_they_are_over() {
        let day = 20_000 * DAY;
        for (hours, now, named, before) in [
            ((13, 14), 14, "since 13:00", "in the 2 hours before"),
            ((13, 13), 14, "from 13:00 to 14:00", "in the hour before"),
            ((13, 13), 50, "from 10-04 13:00 to 14:00", "in the hour before"),
            ((13, 23), 50, "from 10-04 13:00 to 10-05 00:00", "in the 11 hours before"),
        ] {
            let window = Window { from: day + hours.0 * HOUR + 1, to: day + hours.1 * HOUR + 1 };
            let counted = Counted::new(window, day + now * HOUR + 2);
            assert_eq!((counted.named().as_str(), counted.named_before().as_str()), (named, before));
        }
    }
}
