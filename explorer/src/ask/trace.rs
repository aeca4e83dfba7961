//! `throughline trace`: what happened in one transaction.

use std::collections::BTreeSet;

use clap::Args;
use throughline_store::{Answer, Card, Transaction};

use super::story::Story;
use super::words::counted;
use super::{Asked, Common, Told, harmless, when};
use crate::trace::{duration, paint, rows, trigger};

/// What is asked of the last hour finds a transaction that began so long ago, for a while, in milliseconds.
const RECENT: u64 = 45 * 60_000;

/// What `throughline trace` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The id of a trace, or what `throughline find` finds
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let answer = self.transaction(asked).await?;
        let transaction = &answer.found;
        if transaction.spans.is_empty() && transaction.runs.is_empty() {
            let lines = vec![format!("nothing is known of {}", harmless(&self.id))];
            return asked.tell(&answer, false, lines, &["traces", "--since", "24h"]);
        }
        let failed = transaction.runs.iter().find(|run| run.failed());
        let entry = transaction.runs.iter().find_map(|run| run.entry.as_deref());
        let mut next: Vec<String> = match (failed, entry) {
            (Some(run), _) => vec!["impact".to_owned(), run.function.clone()],
            (None, Some(entry)) => vec!["traces".to_owned(), "--entry".to_owned(), entry.to_owned()],
            (None, None) => vec!["traces".to_owned()],
        };
        // The next question is about that time too.
        let start = transaction.runs.iter().map(Card::at).min().unwrap_or(asked.now);
        if asked.now.saturating_sub(start) > RECENT {
            next.extend(["--since".to_owned(), when::said(start / 60_000 * 60_000)]);
        }
        let next: Vec<&str> = next.iter().map(String::as_str).collect();
        asked.tell(&answer, true, lines(transaction, asked), &next)
    }

    /// The transaction with this trace id, else the first that the text leads to.
    async fn transaction(&self, asked: &Asked<'_>) -> anyhow::Result<Answer<Transaction>> {
        let id = self.id.trim();
        if id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let answer = asked.answered(asked.reader.transaction(id).await)?;
            if !answer.found.runs.is_empty() || !answer.found.spans.is_empty() {
                return Ok(answer);
            }
        }
        let found = asked.answered(asked.reader.find(id, &[]).await)?;
        let Some(first) = found.found.first() else {
            let Answer { at_least, damaged, requests, .. } = found;
            return Ok(Answer { found: Transaction::default(), at_least, damaged, requests });
        };
        let mut answer = asked.answered(asked.reader.transaction(&first.run.trace_id).await)?;
        answer.requests += found.requests;
        Ok(answer)
    }
}

fn lines(transaction: &Transaction, asked: &Asked<'_>) -> Vec<String> {
    let style = asked.style;
    let story = Story::new(transaction);
    let runs = &transaction.runs;
    let said = |of: fn(&Card) -> Option<&String>| runs.iter().find_map(of).map(|text| harmless(text));
    let mut title = Vec::new();
    let entry = said(|run| run.entry.as_ref()).or_else(|| runs.first().map(|run| harmless(&run.function)));
    title.push(style.bold(&entry.as_deref().map_or_else(|| "a transaction".to_owned(), trigger)));
    title.extend(said(|run| run.user.as_ref()).map(|user| format!("user {user}")));
    title.extend(said(|run| run.account.as_ref()).map(|account| format!("account {account}")));
    title.extend(said(|run| run.correlation_id.as_ref()).map(|id| format!("correlation {id}")));
    title.push(duration(story.tree.millis()));
    let failed = runs.iter().any(|run| run.failed()) || story.tree.failed();
    title.push(if failed { style.red("failed") } else { style.green("ok") });
    let start = story.tree.spans.first().map(|span| span.start / 1_000_000);
    let start = start.or_else(|| runs.first().map(|run| run.start));
    title.extend(start.map(|at| style.dim(&format!("{} UTC", when::full(at)))));
    let mut lines = vec![title.join("  ")];
    lines.extend(paint(&rows(&story.tree), style));
    let notes = notes(transaction, &story);
    lines.extend(notes.iter().map(|note| style.amber(note)));
    lines.push(style.dim(&format!("trace {}", harmless(&transaction.trace_ids.join(", ")))));
    lines
}

/// What else is to be said.
fn notes(transaction: &Transaction, story: &Story) -> Vec<String> {
    let mut notes = Vec::new();
    let builds: BTreeSet<String> = transaction
        .runs
        .iter()
        .filter_map(|run| {
            let build = run.build.as_ref()?;
            run.failed().then(|| format!("{} {}", harmless(&run.function), harmless(build)))
        })
        .collect();
    if !builds.is_empty() {
        notes.push(format!("failed with build: {}", builds.into_iter().collect::<Vec<_>>().join(", ")));
    }
    for run in transaction.runs.iter().filter(|run| run.swallowed.is_some_and(|errors| errors > 0)) {
        let errors = counted(run.swallowed.unwrap_or_default(), "error", "errors");
        notes.push(format!("{} had {errors} of which it says nothing", harmless(&run.function)));
    }
    if !transaction.senders.is_empty() {
        let senders = counted(transaction.senders.len() as u64, "other transaction", "other transactions");
        notes.push(format!("its messages came in one batch with those of {senders}"));
    }
    notes.extend(story.skews.iter().map(|skew| harmless(&skew.told())));
    let orphans = story.tree.orphans().len() as u64;
    if orphans > 0 {
        let spans = counted(orphans, "span names a parent", "spans name a parent");
        notes.push(format!("{spans} that is not here: not written yet, lost, or of somebody else"));
    }
    if story.circles > 0 {
        notes.push(format!("{} in a circle of parents", counted(story.circles, "span is", "spans are")));
    }
    if story.too_deep > 0 {
        let spans = counted(story.too_deep, "span", "spans");
        notes.push(format!("{spans} deeper than {} levels: see --json", super::story::MAX_DEPTH));
    }
    notes
}
