//! Whether what failed was done again and went well.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use crate::run::{Card, OF_TRACE};

/// Whether of these runs of one transaction some failed, and for each of them there is a run of its own that did the same
/// again: the last of those did not fail then.
///
/// Who can't be told to have done the same again did something else: a false alarm is better than a false all-clear. Whom it
/// called was done again with it.
pub(super) fn ended_well<'a>(cards: impl IntoIterator<Item = &'a Card>) -> bool {
    let (runs, parts): (Vec<&Card>, Vec<&Card>) = cards.into_iter().partition(|card| card.part_of.is_none());
    // Of some only the platform tells that they failed, in a part that came by itself.
    let told: BTreeSet<&str> =
        parts.iter().filter(|part| part.failed()).filter_map(|part| part.part_of.as_deref()).collect();
    let mut failed: Vec<&Card> = runs.clone();
    failed.retain(|run| run.failed() || told.contains(run.span_id.as_str()));
    // The latest have the fewest to choose from; and each takes the next attempt, so that the others find theirs.
    failed.sort_by_key(|run| Reverse(run.start));
    let mut candidates = runs.clone();
    candidates.sort_by_key(|run| (run.attempt, run.start));
    let again = failed.iter().map(|failure| {
        let retry = candidates.iter().position(|run| is_again(run, failure));
        retry.map(|at| candidates.remove(at)).is_some()
    });
    let mut mended: Vec<bool> = again.collect();
    with_callers(&runs, &failed, &mut mended);
    let is_whole = told.iter().all(|head| failed.iter().any(|run| run.span_id == **head));
    is_whole && !failed.is_empty() && mended.into_iter().all(|is_mended| is_mended)
}

/// Marks those who were done again with their callers: the call was sent again and went well, or all that the caller did
/// was done again.
fn with_callers(runs: &[&Card], failed: &[&Card], mended: &mut [bool]) {
    if failed.iter().zip(&*mended).all(|(run, is_mended)| *is_mended || run.caller.is_none()) {
        return;
    }
    let places: HashMap<(&str, &str), usize> =
        failed.iter().enumerate().map(|(at, run)| ((&*run.request_id, &*run.span_id), at)).collect();
    let calls = runs.iter().copied().flat_map(|run| {
        run.failed_calls.iter().map(move |call| ((run.trace_id.as_str(), call.as_str()), run))
    });
    let callers: HashMap<(&str, &str), &Card> = calls.collect();
    // As often as there are callers of callers; they may go round in a circle.
    loop {
        let before = mended.iter().filter(|is_mended| **is_mended).count();
        for (at, run) in failed.iter().enumerate() {
            let Some(call) = &run.caller else { continue };
            let Some(caller) = callers.get(&(&*run.trace_id, &**call)) else { continue };
            mended[at] |= match places.get(&(&*caller.request_id, &*caller.span_id)) {
                Some(of_caller) => mended[*of_caller],
                None => caller.mended_calls.contains(call),
            };
        }
        if mended.iter().filter(|is_mended| **is_mended).count() == before {
            return;
        }
    }
}

/// Whether a run did again what failed: it was given the same message, or another attempt is told of what nobody names;
/// where neither is told, only an asynchronous retry is known, which has the same request id.
fn is_again(run: &Card, failure: &Card) -> bool {
    if run.function != failure.function || run.source != failure.source || run.consumer != failure.consumer {
        return false;
    }
    let is_later = run.start > failure.start;
    // Two that ran at once are none that came again.
    let ends = failure.start.saturating_mul(1000).saturating_add(failure.duration);
    let is_after = is_later && run.start.saturating_mul(1000) >= ends;
    // A dead letter that is sent back is counted anew.
    if is_later && run.redriven && !failure.redriven {
        return true;
    }
    let is_same = run.message.as_ref().zip(failure.message.as_ref()).map(|(one, other)| one == other);
    match (is_same, run.attempt, failure.attempt) {
        (Some(false), ..) => false,
        // The clocks of two sandboxes may differ; what counts the attempts does not.
        (Some(true), Some(attempt), Some(failed)) => attempt > failed,
        (Some(true), ..) => is_after,
        (None, Some(attempt), failed) => is_later && attempt > failed.unwrap_or(1),
        (None, None, Some(_)) => false,
        (None, None, None) => {
            is_later && run.request_id == failure.request_id && !run.request_id.starts_with(OF_TRACE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Failure;

    /// `3 pay 2 failed`: at 3, the function, how often its message had come, and how it ended; then any of `redriven`,
    /// `part:` and its run, `message:` and its id, `request:` and its id, `by:` and the call that it came by, `calls:` and one
    /// that failed, `again:` and one that was sent again.
    fn cards(told: &[&str]) -> Vec<Card> {
        let card = |told: &&str| {
            let words: Vec<&str> = told.split(' ').collect();
            let named = |name: &str| {
                let named = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
                named.map(str::to_owned)
            };
            Card {
                start: words[0].parse().unwrap(),
                span_id: words[0].to_owned(),
                function: words[1].to_owned(),
                attempt: words[2].parse().ok(),
                error: (words[3] == "failed").then(Failure::default),
                redriven: words.contains(&"redriven"),
                part_of: named("part"),
                message: named("message"),
                request_id: named("request").unwrap_or_else(|| words[0].to_owned()),
                caller: named("by"),
                failed_calls: named("calls").or_else(|| named("again")).into_iter().collect(),
                mended_calls: named("again").into_iter().collect(),
                ..Card::default()
            }
        };
        told.iter().map(card).collect()
    }

    #[test]
    fn what_failed_ended_well_if_all_of_it_was_done_again_and_did_not_fail() {
        for (is_well, told, why) in [
            (true, &["1 pay 1 failed", "2 pay 2 ok"][..], "the retry went well"),
            (
                true,
                &["1 pay - failed request:r", "2 pay - failed request:r", "3 pay - ok request:r"],
                "an asynchronous retry, at last",
            ),
            (
                false,
                &["1 bill - ok", "2 bill - failed", "3 bill - ok"],
                "three calls, and nobody tried again",
            ),
            (
                false,
                &["1 bill - failed request:trace:1", "2 bill - ok request:trace:1"],
                "all that a service does in a trace",
            ),
            (false, &["1 pay 1 failed", "2 pay - ok"], "what does not come from the queue"),
            (true, &["1 pay 1 failed message:a", "2 pay 2 ok message:a"], "the same message"),
            (true, &["2 pay 1 failed message:a", "1 pay 2 ok message:a"], "by clocks that differ"),
            (false, &["2 pay 1 failed message:a", "1 pay 2 ok message:b"], "by clocks that differ, another"),
            (false, &["1 pay 1 failed message:a", "2 pay 2 ok message:b"], "the retry of another message"),
            (true, &["1 pay - failed message:a", "2 pay - ok message:a"], "a stream counts no attempts"),
            (false, &["2 pay - failed message:a", "1 pay - ok message:a"], "a stream, before"),
            (true, &["1 pay 3 failed message:a", "9 pay 1 ok redriven message:b"], "sent back by another id"),
            (false, &[], "nothing"),
            (false, &["1 pay 1 ok"], "nothing failed"),
            (false, &["1 pay 1 failed"], "nobody tried again"),
            (false, &["1 pay 1 failed", "2 pay 2 failed"], "in vain"),
            (false, &["1 pay - ok", "2 pay - failed"], "it went well before"),
            (false, &["1 pay 1 failed", "2 mail 2 ok"], "another function"),
            (false, &["1 pay 1 failed", "2 mail 1 failed", "3 pay 2 ok"], "not all of it"),
            (true, &["1 pay 1 failed", "2 mail 1 failed", "3 pay 2 ok", "4 mail 2 ok"], "all of it"),
            (false, &["1 pay 1 failed", "2 pay 1 ok"], "another message"),
            (false, &["1 pay 1 failed", "2 pay 1 failed", "3 pay 2 ok"], "one of two messages"),
            (
                false,
                &["1 pay 1 failed", "2 pay 2 failed", "3 pay 1 failed", "4 pay 2 ok"],
                "one is a dead letter",
            ),
            (true, &["1 pay 1 failed", "2 pay 1 failed", "3 pay 2 ok", "4 pay 2 ok"], "both messages"),
            (
                true,
                &["1 pay 1 failed", "2 pay 1 failed", "3 pay 2 failed", "4 pay 2 ok", "5 pay 3 ok"],
                "in turn",
            ),
            (true, &["1 pay 3 failed", "9 pay 1 ok redriven"], "it was sent back"),
            (false, &["1 pay 1 failed redriven", "2 pay 1 ok redriven"], "another that was sent back"),
            (
                true,
                &["1 pay 1 ok", "2 - - failed part:1", "3 pay 2 ok"],
                "the platform told later that it failed",
            ),
            (false, &["1 pay 1 ok", "2 - - failed part:1"], "and nobody tried again"),
            (false, &["1 pay 1 failed", "2 - - failed part:7", "3 pay 2 ok"], "of a run that is not known"),
            (true, &["1 pay 1 failed calls:c", "2 bank - failed by:c", "3 pay 2 ok"], "with its caller"),
            (
                true,
                &[
                    "1 pay 1 failed calls:c",
                    "2 bank - failed by:c calls:d",
                    "3 disk - failed by:d",
                    "4 pay 2 ok",
                ],
                "with the caller of its caller",
            ),
            (false, &["1 pay 1 failed calls:c", "2 bank - failed by:d", "3 pay 2 ok"], "by another call"),
            (false, &["1 pay 1 failed calls:c", "2 bank - failed by:c", "3 pay 2 failed"], "in vain, both"),
            (false, &["1 api - ok calls:c", "2 bank - failed by:c"], "its caller dropped it"),
            (true, &["1 api - ok again:c", "2 bank - failed by:c"], "the request was sent again"),
            (
                false,
                &["1 api - failed again:c", "2 bank - failed by:c"],
                "but its caller failed all the same",
            ),
            (false, &["1 a - failed by:b calls:a", "2 b - failed by:a calls:b"], "round in a circle"),
        ] {
            assert_eq!(ended_well(&cards(told)), is_well, "{why}: {told:?}");
        }
    }

    /// A message is for each consumer group: what one of them did is no retry of what another did.
    #[test]
    fn two_that_ran_at_once_or_for_others_are_no_retries() {
        let run = |start, consumer: &str| Card {
            span_id: format!("{start:016x}"),
            function: "mail".to_owned(),
            message: Some("m-1".to_owned()),
            consumer: Some(consumer.to_owned()),
            duration: 500_000,
            start,
            ..Card::default()
        };
        let failed = || Card { error: Some(Failure::default()), ..run(1_000, "billing") };
        assert!(ended_well(&[failed(), run(1_500, "billing")]));
        assert!(!ended_well(&[failed(), run(1_499, "billing")]), "it began before");
        assert!(!ended_well(&[failed(), run(2_000, "audit")]));
    }
}
