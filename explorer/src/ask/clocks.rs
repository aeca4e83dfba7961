//! Clocks: each function has its own, and what a span says of time may be absurd.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use throughline_store::time::is_time;

use super::when;
use crate::trace::{Span, duration};

/// Clocks of AWS's machines differ by less than this, in nanoseconds.
const USUAL: u64 = 2_000_000;

/// Two functions whose clocks disagree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Skew {
    /// Whose clock is behind: it began before it was called.
    pub(super) behind: String,
    /// The caller.
    pub(super) of: String,
    /// By so many milliseconds at least.
    pub(super) millis: f64,
}

impl Skew {
    pub(super) fn told(&self) -> String {
        let Self { behind, of, millis } = self;
        format!("{behind} began before {of} called it: its clock is at least {} behind", duration(*millis))
    }
}

/// Moves spans whose times can't be to where their parents began, and says so, by their ids. Parents lead to a root.
pub(super) fn mend(spans: &mut [Span]) -> BTreeMap<String, String> {
    let absurd: BTreeMap<String, String> =
        spans.iter().filter_map(|span| Some((span.span_id.clone(), absurd(span)?))).collect();
    if absurd.is_empty() {
        return absurd;
    }
    let known = |span: &&Span| !absurd.contains_key(&span.span_id);
    let first = spans.iter().filter(known).map(|span| span.start).min();
    let place: HashMap<String, usize> =
        spans.iter().enumerate().map(|(at, span)| (span.span_id.clone(), at)).collect();
    for at in 0..spans.len() {
        let Some(span) = spans.get(at).filter(|span| absurd.contains_key(&span.span_id)) else { continue };
        // Where only its end is wrong, its start is right.
        let mut start = Some(span.start).filter(|start| is_time(*start));
        let mut above = span.parent_id.as_ref();
        while start.is_none()
            && let Some(parent) = above.and_then(|id| spans.get(*place.get(id)?))
        {
            start = Some(parent.start).filter(|start| is_time(*start));
            above = parent.parent_id.as_ref();
        }
        let start = start.or(first).unwrap_or_default();
        if let Some(span) = spans.get_mut(at) {
            (span.start, span.end) = (start, start);
        }
    }
    absurd
}

/// What is wrong with the times of a span.
fn absurd(span: &Span) -> Option<String> {
    let date = |at: u64| when::full(at / 1_000_000).split(' ').next().unwrap_or_default().to_owned();
    match (is_time(span.start), is_time(span.end)) {
        (false, _) => Some(format!("says that it began on {}", date(span.start))),
        (true, _) if span.end == 0 => Some("says of no end".to_owned()),
        (true, false) => Some(format!("says that it ended on {}", date(span.end))),
        (true, true) if span.end < span.start => {
            let millis = (span.start - span.end) as f64 / 1e6;
            Some(format!("says that it ended {} before it began", duration(millis)))
        }
        _ => None,
    }
}

/// Where a function began before another called it: by how much most, for each two.
pub(super) fn skews(spans: &[Span]) -> Vec<Skew> {
    let by_id: HashMap<&str, &Span> = spans.iter().map(|span| (span.span_id.as_str(), span)).collect();
    let mut most: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for span in spans {
        let caller = span.parent_id.as_deref().and_then(|id| by_id.get(id));
        let Some(caller) = caller.filter(|caller| caller.function != span.function) else { continue };
        let early = caller.start.saturating_sub(span.start);
        if early > USUAL {
            let so_far = most.entry((&span.function, &caller.function)).or_default();
            *so_far = early.max(*so_far);
        }
    }
    let skew = |((behind, of), nanos): ((&str, &str), u64)| Skew {
        behind: behind.to_owned(),
        of: of.to_owned(),
        millis: nanos as f64 / 1e6,
    };
    most.into_iter().map(skew).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::testing::{Told as _, span};

    const NOON: u64 = 1_795_176_000_000;

    #[test]
    fn who_began_before_it_was_called_has_a_clock_behind() {
        let spans = [
            span("t", "1", None, "api").at(NOON, NOON + 50),
            span("t", "2", Some("1"), "mailer").at(NOON - 35, NOON),
            span("t", "3", Some("1"), "mailer").at(NOON - 5, NOON),
            span("t", "4", Some("1"), "ledger").at(NOON - 1, NOON),
            span("t", "5", Some("1"), "api").at(NOON - 90, NOON),
        ];
        let told: Vec<String> = skews(&spans).iter().map(Skew::told).collect();
        assert_eq!(told, ["mailer began before api called it: its clock is at least 35 ms behind"]);
    }

    #[test]
    fn absurd_times_are_told_and_moved_to_where_they_may_have_been() {
        let mut spans = [
            span("t", "1", None, "api").at(NOON, NOON + 50),
            span("t", "2", Some("1"), "f").at(NOON + 10, NOON + 20),
            span("t", "3", Some("2"), "f").at(0, 5),
            span("t", "4", Some("2"), "f").at(NOON + 15, NOON + 12),
            span("t", "5", Some("3"), "f").at(16_725_225_600_000, 16_725_225_600_001),
            span("t", "6", None, "f").at(7, 8),
            Span { end: u64::MAX, ..span("t", "7", None, "f").at(NOON + 1, 0) },
            span("t", "8", None, "f").at(NOON + 1, 0),
        ];
        let notes = mend(&mut spans);
        let told: Vec<&str> = notes.values().map(String::as_str).collect();
        assert_eq!(
            told,
            [
                "says that it began on 1970-01-01",
                "says that it ended 3 ms before it began",
                "says that it began on 2500-01-01",
                "says that it began on 1970-01-01",
                "says that it ended on 2554-07-21",
                "says of no end",
            ]
        );
        let after: Vec<u64> = spans.iter().map(|span| span.start / 1_000_000 - NOON).collect();
        assert_eq!(after, [0, 10, 10, 15, 10, 0, 1, 1]);
        assert!(spans.iter().all(|span| span.end >= span.start));

        let mut alone = [span("t", "1", None, "f").at(0, 1)];
        assert_eq!(mend(&mut alone).len(), 1);
        assert!(mend(&mut []).is_empty());
    }
}
