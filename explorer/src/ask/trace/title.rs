//! The first line of a transaction: what it was, for whom, when, and how it ended.

use throughline_store::{Card, Transaction};

use crate::ask::story::Story;
use crate::ask::when;
use crate::ask::words::{counted, harmless};
use crate::columns::{Look, Piece};
use crate::trace::{Style, duration, trigger};

/// What it was, for whom, how long it took, and how it ended.
pub(super) fn title(transaction: &Transaction, story: &Story, is_whole: bool) -> Vec<Piece> {
    let runs = &transaction.runs;
    let said = |of: fn(&Card) -> Option<&String>| runs.iter().find_map(of).map(|text| harmless(text));
    let plain = |text: String| (text, Style::plain as Look);
    let entry = said(|run| run.entry.as_ref()).or_else(|| runs.first().map(|run| harmless(&run.function)));
    let entry = entry.as_deref().map_or_else(|| "a transaction".to_owned(), trigger);
    let mut title: Vec<Piece> = vec![(entry, Style::bold)];
    title.extend(said(|run| run.user.as_ref()).map(|user| plain(format!("user {user}"))));
    title.extend(said(|run| run.account.as_ref()).map(|account| plain(format!("account {account}"))));
    title.extend(said(|run| run.correlation_id.as_ref()).map(|id| plain(format!("correlation {id}"))));
    title.push(plain(duration(story.tree.millis())));
    title.push(outcome(transaction, story, is_whole));
    title.push((format!("{} UTC", when::full(began(runs, story))), Style::dim));
    title
}

/// How it ended, as far as is known: `is_whole` if all of it was read.
pub(super) fn outcome(transaction: &Transaction, story: &Story, is_whole: bool) -> Piece {
    let failures = transaction.runs.iter().filter(|run| run.failed()).count() as u64;
    if transaction.ended_well {
        (format!("ended well after {}", counted(failures, "failure", "failures")), Style::amber)
    } else if failures > 0 {
        ("failed".to_owned(), Style::red)
    } else if story.tree.failed() {
        // A swallowed error, or a call that was made again: its function did not fail.
        ("ok, with errors in it".to_owned(), Style::amber)
    } else if !is_whole {
        ("ok as far as it was read".to_owned(), Style::amber)
    } else {
        ("ok".to_owned(), Style::green)
    }
}

/// When it began, in milliseconds since 1970: as lists have it, where a clock says what can't be when it came in; where
/// clocks disagree, as the tree has it.
pub(super) fn began(runs: &[Card], story: &Story) -> u64 {
    let start = || story.tree.spans.first().map(|span| span.start / 1_000_000);
    let runs = runs.iter().map(Card::at).filter(|_| story.skews.is_empty());
    runs.min().or_else(start).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use throughline_store::Failure;

    use super::*;
    use crate::trace::{Span, Status};

    #[test]
    fn an_error_within_is_no_failure_of_the_whole() {
        let ended = |is_error: bool, has_failed: bool, ended_well: bool, is_whole: bool| {
            let status = if is_error { Status::Error("503".to_owned()) } else { Status::Ok };
            let span = Span { trace_id: "t".into(), span_id: "1".into(), status, ..Span::default() };
            let run = Card { error: has_failed.then(Failure::default), ..Card::default() };
            let transaction =
                Transaction { runs: vec![run], spans: vec![span], ended_well, ..Transaction::default() };
            outcome(&transaction, &Story::new(&transaction), is_whole).0
        };
        assert_eq!(ended(false, false, false, false), "ok as far as it was read");
        assert_eq!(ended(false, false, false, true), "ok");
        assert_eq!(ended(true, false, false, true), "ok, with errors in it");
        assert_eq!(ended(true, true, false, true), "failed");
        assert_eq!(ended(true, true, true, true), "ended well after 1 failure");
    }
}
