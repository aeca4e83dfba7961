//! How long a transaction took, as far as the clocks of its runs tell it.

use crate::run::Card;
use crate::time::is_time;

/// Clocks of AWS's machines differ by less than this, in milliseconds.
const USUAL: u64 = 2;
/// So long after all else has ended nobody waits for the answer of a call, in microseconds.
const PATIENCE: u64 = 60_000_000;

/// From its first start to its last end, in microseconds; and whether clocks disagree. `cards` are by start, and `first` is
/// the one with which it began. A clock that says what can't be takes no time. Of a run that began before the root, or was
/// called over HTTP when nobody was there to call, the clock is off: the run is told as if it had begun with the
/// transaction, and so are those that go by the same clock.
pub(super) fn took(cards: &[Card], first: Option<&Card>) -> (u64, bool) {
    let timed = || cards.iter().filter(|card| is_time(card.start.saturating_mul(1_000_000)));
    let earliest = timed().map(|card| card.start).min().unwrap_or_default();
    let root = first.filter(|first| first.began && is_time(first.start.saturating_mul(1_000_000)));
    let begin = root.map_or(earliest, |root| root.start);
    let start = begin.saturating_mul(1000);
    let mut skewed = begin > earliest.saturating_add(USUAL);
    // Down to where something ran, by the clocks; and by how much those since the last pause are off.
    let (mut reached, mut off, mut end) = (u64::MAX, 0, start);
    for card in timed() {
        let (from, took) = (card.start.saturating_mul(1000), card.lasted.unwrap_or(card.duration));
        if from > reached.saturating_add(PATIENCE) {
            off = if is_called(card) { from.saturating_sub(start) } else { 0 };
            skewed |= off > 0;
        }
        let to = from.saturating_add(took);
        reached = if reached == u64::MAX { to } else { reached.max(to) };
        end = end.max(from.max(start).saturating_sub(off).saturating_add(took));
    }
    (end.saturating_sub(start), skewed)
}

/// Whether somebody called it and waited. What comes in from outside is not known to have been called.
fn is_called(card: &Card) -> bool {
    !card.began && card.source.as_ref().is_some_and(|source| source.starts_with("http "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_795_176_000_000;
    const HOUR: u64 = 3_600_000;

    fn run(source: &str, start: u64, millis: u64) -> Card {
        Card { source: Some(source.into()), start, duration: millis * 1000, ..Card::default() }
    }

    /// How long these took together, in milliseconds: the first is the root.
    fn of(mut cards: Vec<Card>) -> (u64, bool) {
        let root = Card { began: true, ..cards[0].clone() };
        cards[0] = root.clone();
        cards.sort_by_key(|card| card.start);
        let (took, skewed) = took(&cards, Some(&root));
        (took / 1000, skewed)
    }

    #[test]
    fn a_clock_that_is_off_is_not_told_as_time() {
        let root = || run("http POST /orders", NOON, 50);
        assert_eq!(of(vec![root(), run("http GET /stock", NOON + 10, 90)]), (100, false));
        assert_eq!(of(vec![root(), run("http GET /stock", NOON + HOUR, 30)]), (50, true));
        assert_eq!(of(vec![root(), run("http GET /stock", NOON - HOUR, 80)]), (80, true));
        // Whom that one calls has the same clock; who reads a queue later has its own.
        let ahead = vec![
            root(),
            run("http GET /stock", NOON + HOUR, 30),
            run("http GET /shelf", NOON + HOUR + 5, 40),
            run("sqs mail", NOON + 2 * HOUR, 10),
        ];
        assert_eq!(of(ahead), (2 * HOUR + 10, true));
    }

    #[test]
    fn what_waited_has_taken_its_time() {
        let root = || run("http POST /orders", NOON, 50);
        let waited = run("sqs mail", NOON + HOUR, 30);
        let called = run("http GET /stock", NOON + HOUR + 10, 10);
        assert_eq!(of(vec![root(), waited, called]), (HOUR + 30, false));
        let back = Card { began: true, ..run("http POST /approvals", NOON + HOUR, 30) };
        assert_eq!(of(vec![root(), back]), (HOUR + 30, false), "it came in from outside");
        assert_eq!(of(vec![root(), run("http GET /stock", 5, 9)]), (50, false), "of 1970");
        assert_eq!(took(&[], None), (0, false));
    }
}
