//! Whether what failed was done again and went well.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::run::Card;

/// Whether of these runs of one transaction some failed, and for each of them there is a run of its own that did the same
/// again: the last of those did not fail then.
///
/// Two messages that one transaction sends to a function by the same way are told apart only by how often they have come.
/// Where that is not told, a second one that goes well may pass for the retry of a first that did not.
pub(super) fn ended_well<'a>(cards: impl IntoIterator<Item = &'a Card>) -> bool {
    let (mut runs, parts): (Vec<&Card>, Vec<&Card>) =
        cards.into_iter().partition(|card| card.part_of.is_none());
    // Of some only the platform tells that they failed, in a part that came by itself.
    let told: BTreeSet<&str> =
        parts.iter().filter(|part| part.failed()).filter_map(|part| part.part_of.as_deref()).collect();
    let mut failed: Vec<&Card> = runs.clone();
    failed.retain(|run| run.failed() || told.contains(run.span_id.as_str()));
    // The latest have the fewest to choose from; and each takes the next attempt, so that the others find theirs.
    failed.sort_by_key(|run| Reverse(run.start));
    runs.sort_by_key(|run| (run.attempt, run.start));
    let has_retry = |failure: &&Card| {
        let retry = runs.iter().position(|run| is_again(run, failure));
        retry.map(|at| runs.remove(at)).is_some()
    };
    let is_whole = told.iter().all(|head| failed.iter().any(|run| run.span_id == **head));
    is_whole && !failed.is_empty() && failed.iter().all(has_retry)
}

/// Whether a run may have done again what failed.
fn is_again(run: &Card, failure: &Card) -> bool {
    let came_again = run.attempt.is_none() || run.attempt > failure.attempt;
    // A dead letter that is sent back is counted anew.
    let is_sent_back = run.redriven && !failure.redriven;
    let is_same = run.function == failure.function && run.source == failure.source;
    is_same && run.start > failure.start && (came_again || is_sent_back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Failure;

    /// `3 pay 2 failed`: at 3, the function, how often its message had come, and how it ended.
    fn cards(told: &[&str]) -> Vec<Card> {
        let card = |told: &&str| {
            let words: Vec<&str> = told.split(' ').collect();
            Card {
                start: words[0].parse().unwrap(),
                span_id: words[0].to_owned(),
                function: words[1].to_owned(),
                attempt: words[2].parse().ok(),
                error: (words[3] == "failed").then(Failure::default),
                redriven: words.get(4) == Some(&"redriven"),
                part_of: words.get(5).map(|head| (*head).to_owned()),
                ..Card::default()
            }
        };
        told.iter().map(card).collect()
    }

    #[test]
    fn what_failed_ended_well_if_all_of_it_was_done_again_and_did_not_fail() {
        for (is_well, told, why) in [
            (true, &["1 pay 1 failed", "2 pay 2 ok"][..], "the retry went well"),
            (true, &["1 pay - failed", "2 pay - failed", "3 pay - ok"], "at last"),
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
                &["1 pay 1 ok", "2 - - failed x 1", "3 pay 2 ok"],
                "the platform told later that it failed",
            ),
            (false, &["1 pay 1 ok", "2 - - failed x 1"], "and nobody tried again"),
            (false, &["1 pay 1 failed", "2 - - failed x 7", "3 pay 2 ok"], "of a run that is not known"),
        ] {
            assert_eq!(ended_well(&cards(told)), is_well, "{why}: {told:?}");
        }
    }
}
