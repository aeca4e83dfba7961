//! Clocks: each function has its own, and what a span says of time may be absurd.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use throughline_store::span::Kind;
use throughline_store::time::is_time;

use super::when;
use crate::trace::{Span, duration};

/// Clocks of AWS's machines differ by less than this, in nanoseconds.
const USUAL: u64 = 2_000_000;
/// So long after its caller gave up a call may still begin, in nanoseconds: as long as a front keeps requests waiting.
const PATIENCE: u64 = 60_000_000_000;

/// Two functions whose clocks disagree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Skew {
    /// Whose clock is behind.
    pub(super) behind: String,
    /// The other, who called it or was called by it.
    pub(super) of: String,
    /// By so many milliseconds at least.
    pub(super) millis: f64,
    pub(super) told_by: Evidence,
}

/// What tells that a clock is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Evidence {
    /// It began before it was called.
    Call,
    /// It was answered before its call began.
    Answer,
}

impl Skew {
    pub(super) fn told(&self) -> String {
        let Self { behind, of, millis, told_by } = self;
        let how = match told_by {
            Evidence::Call => format!("{behind} began before {of} called it"),
            Evidence::Answer => format!("{behind} was answered before {of} began"),
        };
        format!("{how}: its clock is at least {} behind", duration(*millis))
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

/// Sets clocks right that can't be: moves a function that began before another called it, or after that had its answer, with
/// all below it that goes by the same clock, to where its call leaves room for it; in the middle, as what the way there and
/// back took is not known. Jaeger does the same. By how much most, for each two. Parents lead to a root.
pub(super) fn set_right(spans: &mut [Span]) -> Vec<Skew> {
    let place: HashMap<String, usize> =
        spans.iter().enumerate().map(|(at, span)| (span.span_id.clone(), at)).collect();
    let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut next: Vec<(usize, i128)> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        match span.parent_id.as_ref().and_then(|parent| place.get(parent)) {
            Some(parent) => below.entry(*parent).or_default().push(at),
            None => next.push((at, 0)),
        }
    }
    let mut most: BTreeMap<(String, String, Evidence), u64> = BTreeMap::new();
    while let Some((at, shift)) = next.pop() {
        let Some(span) = spans.get_mut(at) else { continue };
        (span.start, span.end) = (moved(span.start, shift), moved(span.end, shift));
        let (caller, children) = (span.clone(), below.remove(&at).unwrap_or_default());
        for child in children {
            let Some(span) = spans.get(child) else { continue };
            let mut shift = shift;
            if span.function != caller.function {
                let skew = skew(&caller, span);
                shift = skew.map_or(0, |(_, _, shift)| shift);
                if let Some((told_by, nanos, _)) = skew {
                    let (callee, caller) = (span.function.clone(), caller.function.clone());
                    let (behind, of) = match told_by {
                        Evidence::Call => (callee, caller),
                        Evidence::Answer => (caller, callee),
                    };
                    let so_far = most.entry((behind, of, told_by)).or_default();
                    *so_far = nanos.max(*so_far);
                }
            }
            next.push((child, shift));
        }
    }
    let skew = |((behind, of, told_by), nanos)| Skew { behind, of, millis: nanos as f64 / 1e6, told_by };
    most.into_iter().map(skew).collect()
}

/// What tells that the clocks of a caller and of whom it called disagree, by how much at least, and by how much the called
/// one is to be moved, in nanoseconds.
fn skew(caller: &Span, called: &Span) -> Option<(Evidence, u64, i128)> {
    let waits = caller.kind == Kind::Client && called.kind == Kind::Server;
    let (early, late) = (caller.start.saturating_sub(called.start), called.start.saturating_sub(caller.end));
    // Who gave up may be called late.
    let usual = if caller.error().is_some() { PATIENCE } else { USUAL };
    let (told_by, nanos) = if early > USUAL {
        (Evidence::Call, early)
    } else if waits && late > usual {
        (Evidence::Answer, late)
    } else {
        return None;
    };
    let way = if waits { caller.took().saturating_sub(called.took()) / 2 } else { 0 };
    Some((told_by, nanos, i128::from(caller.start) + i128::from(way) - i128::from(called.start)))
}

fn moved(at: u64, shift: i128) -> u64 {
    u64::try_from(i128::from(at).saturating_add(shift).max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::testing::{Told as _, span};

    const NOON: u64 = 1_795_176_000_000;

    #[test]
    fn who_began_before_it_was_called_has_a_clock_behind() {
        let mut spans = [
            span("t", "1", None, "api").at(NOON, NOON + 50),
            span("t", "2", Some("1"), "mailer").at(NOON - 35, NOON),
            span("t", "3", Some("1"), "mailer").at(NOON - 5, NOON),
            span("t", "4", Some("1"), "ledger").at(NOON - 1, NOON),
            span("t", "5", Some("1"), "api").at(NOON - 90, NOON),
        ];
        let told: Vec<String> = set_right(&mut spans).iter().map(Skew::told).collect();
        assert_eq!(told, ["mailer began before api called it: its clock is at least 35 ms behind"]);
        assert_eq!(times(&spans), [(0, 50), (0, 35), (0, 5), (-1, 0), (-90, 0)]);
    }

    fn times(spans: &[Span]) -> Vec<(i64, i64)> {
        let after = |nanos: u64| (nanos / 1_000_000) as i64 - NOON as i64;
        spans.iter().map(|span| (after(span.start), after(span.end))).collect()
    }

    /// The stock's clock is an hour ahead, or behind; its database has none, and the queue's reader goes by the right time.
    #[test]
    fn a_call_takes_no_longer_than_its_caller_waited() {
        const HOUR: u64 = 3_600_000;
        for (stock, told) in [
            (NOON + HOUR, "api was answered before stock began: its clock is at least 3600 s behind"),
            (NOON - HOUR, "stock began before api called it: its clock is at least 3600 s behind"),
        ] {
            let client = |span: Span| Span { kind: Kind::Client, ..span };
            let server = |span: Span| Span { kind: Kind::Server, ..span };
            let mut spans = [
                server(span("t", "1", None, "api").at(NOON, NOON + 50)),
                client(span("t", "2", Some("1"), "api").at(NOON, NOON + 40)),
                server(span("t", "3", Some("2"), "stock").at(stock, stock + 30)),
                client(span("t", "4", Some("3"), "stock").at(stock + 10, stock + 20)),
                span("t", "5", Some("4"), "mailer").at(NOON + 90_000, NOON + 90_001),
            ];
            let skews: Vec<String> = set_right(&mut spans).iter().map(Skew::told).collect();
            assert_eq!(skews.len(), 1, "{skews:?}");
            assert!(skews[0].split(" 3600 s").next() == told.split(" 3600 s").next(), "{skews:?}");
            assert_eq!(times(&spans), [(0, 50), (0, 40), (5, 35), (15, 25), (90_000, 90_001)]);
            assert!(set_right(&mut spans).is_empty());
        }
    }

    #[test]
    fn what_may_have_been_is_left_as_it_is() {
        let client = |span: Span| Span { kind: Kind::Client, ..span };
        let server = |span: Span| Span { kind: Kind::Server, ..span };
        let mut spans = [
            server(span("t", "1", None, "api").at(NOON, NOON + 50)),
            // Longer than its caller waited.
            client(span("t", "2", Some("1"), "api").at(NOON, NOON + 40)),
            server(span("t", "3", Some("2"), "slow").at(NOON + 10, NOON + 900)),
            // Its caller gave up before it came to it.
            client(span("t", "4", Some("1"), "api").at(NOON, NOON + 40)).failed("time-out"),
            server(span("t", "5", Some("4"), "late").at(NOON + 9_000, NOON + 9_001)),
            // A message waited.
            span("t", "6", Some("1"), "queued").at(NOON + 9_000_000, NOON + 9_000_001),
        ];
        let before = times(&spans);
        assert!(set_right(&mut spans).is_empty());
        assert_eq!(times(&spans), before);
        assert!(set_right(&mut []).is_empty());
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
