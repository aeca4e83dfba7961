//! `throughline trace`: what happened in one transaction.

mod chapters;
mod compared;
mod detail;
mod markdown;
mod same_items;
mod title;

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use throughline_store::log::LogLine;
use throughline_store::time::{HOUR, Window};
use throughline_store::{Answer, Card, Comparison, Filter, Incomparable, SameItem, Transaction};

use super::clocks::Skew;
use super::lines::NOT_KEPT;
use super::story::Story;
use super::words::counted;
use super::{Asked, Common, Told, harmless, named, when};
use crate::columns::{Look, flowed, folded};
use crate::trace::{Style, attempts, paint, rows};
use chapters::{Chapter, chapters, ranked};
use compared::compared;
use detail::{How, detail};
use markdown::{Beside, markdown};
use title::title;

/// What is asked of the last hour finds a transaction that began so long ago, for a while, in milliseconds.
const RECENT: u64 = 45 * 60_000;
/// How many runs are told one by one, unless all is asked for.
const MAX_RUNS: usize = 3;
/// How many rows of the tree.
const MAX_ROWS: usize = 300;

/// What `throughline trace` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The id of a trace (a traceparent or X-Ray id too), a request or a message, a correlation id, or a user's: the newest is
    /// told
    #[arg(value_name = "ID")]
    id: String,

    /// Tell of every run, and all of messages, stacks and payloads
    #[arg(long, help_heading = super::ANSWER)]
    full: bool,

    /// Tell the log lines of all runs, not just the last ones of those that failed
    #[arg(long, help_heading = super::ANSWER)]
    logs: bool,

    /// Answer with Markdown, for a ticket
    #[arg(long, help_heading = super::ANSWER, conflicts_with = "json")]
    markdown: bool,

    #[command(flatten)]
    pub(super) common: Common,
}

/// A transaction, and what is told beside it.
#[derive(Debug, Default, Serialize)]
struct Tale {
    #[serde(flatten)]
    transaction: Transaction,
    /// The log lines of the runs that failed, or of all, and of programs that have no run here.
    logs: Vec<LogLine>,
    /// From its first start to its last end, in microseconds, with clocks set right that can't be.
    duration: u64,
    /// Functions whose clocks disagree. The spans have the times that these told.
    skews: Vec<Skew>,
    /// Against the last good transaction of the same shape, if there is one.
    good: Option<Comparison>,
    /// Why there is none.
    not_compared: Option<Incomparable>,
    /// Whether all of its runs and spans were read.
    #[serde(skip)]
    is_whole: bool,
    /// Of one that failed: the items of DynamoDB that it and others wrote.
    same_items: Vec<SameItem>,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (answer, note) = named::transaction(&self.id, asked).await?;
        let Answer { found: transaction, mut at_least, left_out, mut damaged, mut requests } = answer;
        if transaction.spans.is_empty() && transaction.runs.is_empty() {
            let unknown = format!("nothing is known of {}", harmless(&self.id));
            let lines = told(&unknown, Style::plain, asked.style);
            let answer = Answer { found: Tale::default(), at_least, left_out, damaged, requests };
            return asked.tell(&answer, false, lines, &["traces", "--since", "24h"]);
        }
        let is_whole = !at_least && damaged.is_empty();
        let is_wanted = |run: &&Card| self.logs || run.failed() || swallowed(run) > 0;
        let wanted: Vec<Card> = transaction.runs.iter().filter(is_wanted).cloned().collect();
        let logs = asked.answered(asked.reader.logs_within(&transaction, &wanted).await)?;
        let good = asked.answered(asked.reader.last_good(&transaction).await)?;
        let same_items = if transaction.runs.iter().any(Card::failed) {
            asked.answered(asked.reader.same_items(&transaction).await)?
        } else {
            Answer::default()
        };
        at_least |= logs.at_least;
        requests += logs.requests + good.requests + same_items.requests;
        damaged.extend([logs.damaged, good.damaged, same_items.damaged].into_iter().flatten());

        let story = Story::new(&transaction);
        let tale = Tale {
            logs: logs.found,
            duration: (story.tree.millis() * 1000.0).round() as u64,
            skews: story.skews.clone(),
            not_compared: good.found.as_ref().err().copied(),
            good: good.found.ok(),
            is_whole,
            same_items: same_items.found,
            transaction,
        };
        let next = next(&tale.transaction, asked.now);
        let next: Vec<&str> = next.iter().map(String::as_str).collect();
        let how = How { style: asked.style, full: self.full, logs: self.logs };
        let answer = Answer { found: tale, at_least, left_out, damaged, requests };
        if self.markdown {
            return self.ticket(asked, &answer, &story, how, &next).await;
        }
        let mut lines = Vec::new();
        lines.extend(note.into_iter().flat_map(|note| told(&note, Style::dim, asked.style)));
        lines.extend(answer.found.lines(&story, how, asked.now));
        asked.tell(&answer, true, lines, &next)
    }

    async fn ticket(
        &self,
        asked: &Asked<'_>,
        answer: &Answer<Tale>,
        story: &Story,
        how: How,
        next: &[&str],
    ) -> anyhow::Result<Told> {
        let runs = &answer.found.transaction.runs;
        let impact = match runs.iter().find(|run| run.failed()) {
            Some(run) => {
                let window = Window::new(run.at().saturating_sub(24 * HOUR), asked.now);
                let impact = asked.reader.impact(&run.function, window, &Filter::default()).await;
                Some(asked.answered(impact)?)
            }
            None => None,
        };
        let trace = answer.found.transaction.trace_ids.first().map_or(self.id.as_str(), String::as_str);
        let commands = [&["trace", trace, "--full", "--logs"][..], &["export", trace, "--logs"], next];
        let beside = Beside {
            impact: impact.as_ref(),
            commands: commands.map(|command| asked.connection.command(command)).into(),
            at_least: answer.at_least,
            damaged: answer.damaged.len(),
            now: asked.now,
        };
        let text = markdown(&answer.found, story, how, &beside);
        Ok(Told { is_found: true, text, next: None, json: serde_json::Value::Null })
    }
}

/// The next useful question: what failed, else what else came in there, at that time.
fn next(transaction: &Transaction, now: u64) -> Vec<String> {
    let failed = transaction.runs.iter().find(|run| run.failed());
    let entry = transaction.runs.iter().find_map(|run| run.entry.as_deref());
    let mut next: Vec<String> = match (failed, entry) {
        (Some(run), _) => vec!["impact".to_owned(), run.function.clone()],
        (None, Some(entry)) => vec!["traces".to_owned(), "--entry".to_owned(), entry.to_owned()],
        (None, None) => vec!["traces".to_owned()],
    };
    let start = transaction.runs.iter().map(Card::at).min().unwrap_or(now);
    if now.saturating_sub(start) > RECENT {
        next.extend(["--since".to_owned(), when::said(start / 60_000 * 60_000)]);
    }
    next
}

fn swallowed(run: &Card) -> u64 {
    run.swallowed.unwrap_or_default()
}

impl Tale {
    fn lines(&self, story: &Story, how: How, now: u64) -> Vec<String> {
        let style = how.style;
        let mut lines = flowed(&title(&self.transaction, story, self.is_whole), "  ", style);
        lines.extend(tree(story, how));
        let notes = notes(&self.transaction, story, self.is_whole);
        lines.extend(notes.iter().flat_map(|note| told(note, Style::amber, style)));
        lines.extend(self.details(story, how));
        // That one which went well differs in nothing is nothing to tell.
        let failed = self.transaction.runs.iter().any(Card::failed);
        if let Some(good) = self.good.as_ref().filter(|good| failed || good.differs()) {
            lines.push(String::new());
            lines.extend(compared(good, now, style));
        }
        if !self.same_items.is_empty() {
            lines.push(String::new());
            lines.extend(same_items::told(&self.same_items, style));
        }
        if lines.iter().any(String::is_empty) {
            lines.push(String::new());
        }
        lines.extend(self.limits().iter().flat_map(|limits| told(limits, Style::dim, style)));
        let traces = format!("trace {}", harmless(&self.transaction.trace_ids.join(", ")));
        lines.extend(told(&traces, Style::dim, style));
        lines
    }

    /// What it is not compared with, or in.
    fn limits(&self) -> Option<String> {
        let good = self.good.as_ref().map(Ok).or_else(|| self.not_compared.map(Err));
        good.and_then(compared::limits)
    }

    /// Of the runs that failed, or dropped errors, or of all.
    fn details(&self, story: &Story, how: How) -> Vec<String> {
        let chapters = chapters(&self.transaction, &self.logs, &attempts(&story.tree));
        let is_told = |chapter: &&Chapter<'_>| {
            let run = chapter.run;
            how.full || run.failed() || swallowed(run) > 0 || how.logs && !chapter.lines.is_empty()
        };
        let mut worth: Vec<&Chapter<'_>> = chapters.iter().filter(is_told).collect();
        let all = how.full || how.logs;
        let shown = if all { worth.len() } else { MAX_RUNS.min(worth.len()) };
        // Of all runs the story is told in its order.
        if !all {
            worth = ranked(worth);
        }
        let mut lines = Vec::new();
        for chapter in worth.iter().take(shown) {
            lines.push(String::new());
            lines.extend(detail(chapter, how));
        }
        if worth.len() > shown {
            let more = counted((worth.len() - shown) as u64, "run more", "runs more");
            let more = format!("… and {more} of which there is something to tell (--full)");
            lines.extend(told(&more, Style::dim, how.style));
        }
        let of_no_run = detail::of_no_run(&chapters::of_no_run(&self.transaction, &self.logs), how);
        lines.extend((!of_no_run.is_empty()).then(String::new));
        lines.extend(of_no_run);
        if how.logs && self.logs.is_empty() {
            let runs = counted(chapters.len() as u64, "run", "runs");
            lines.extend(["".to_owned()].into_iter().chain(told(
                &format!("{runs}, and {NOT_KEPT}"),
                Style::amber,
                how.style,
            )));
        }
        lines
    }
}

/// The rows of the tree, as many as one reads.
fn tree(story: &Story, how: How) -> Vec<String> {
    let mut rows = rows(&story.tree);
    let more = if how.full { 0 } else { rows.len().saturating_sub(MAX_ROWS) };
    rows.truncate(rows.len() - more);
    let mut lines = paint(&rows, how.style);
    let rest = || format!("… and {} (--full)", counted(more as u64, "row more", "rows more"));
    lines.extend((more > 0).then(rest));
    lines
}

/// A text of ours on as many lines as it takes.
fn told(text: &str, look: Look, style: Style) -> Vec<String> {
    folded(text, style.width).iter().map(|line| look(style, line)).collect()
}

/// What else is to be said.
fn notes(transaction: &Transaction, story: &Story, is_whole: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let mut swallowed = BTreeMap::<&str, u64>::new();
    for (run, errors) in transaction.runs.iter().filter_map(|run| Some((run, run.swallowed?))) {
        let sum = swallowed.entry(&run.function).or_default();
        *sum = sum.saturating_add(errors);
    }
    for (function, errors) in swallowed.into_iter().filter(|(_, errors)| *errors > 0) {
        let errors = counted(errors, "error", "errors");
        notes.push(format!("{} had {errors} of which it says nothing", harmless(function)));
    }
    if !transaction.senders.is_empty() {
        let senders = counted(transaction.senders.len() as u64, "other transaction", "other transactions");
        notes.push(format!("its messages came in one batch with those of {senders}"));
    }
    notes.extend(
        transaction.killed.iter().map(|killed| crate::ask::killed::told(killed, &transaction.trace_ids)),
    );
    for run in transaction.runs.iter().filter(|run| run.filed.is_some()) {
        let (function, start) = (harmless(&run.function), when::full(run.start));
        let why = "that can't be, or is longer ago than it is kept: it is told as of when it came in";
        notes.push(format!("{function} says that it began on {start} UTC; {why}"));
    }
    notes.extend(
        story.skews.iter().map(|skew| harmless(&format!("{}; the tree makes up for it", skew.told()))),
    );
    let orphans = story.tree.orphans().len() as u64;
    if orphans > 0 {
        let spans = counted(orphans, "span names a parent", "spans name a parent");
        let why = if is_whole { "not written yet, lost, or of somebody else" } else { "not all was read" };
        notes.push(format!("{spans} that is not here: {why}"));
    }
    if story.circles > 0 {
        notes.push(format!("{} in a circle of parents", counted(story.circles, "span is", "spans are")));
    }
    if story.too_deep > 0 {
        let spans = counted(story.too_deep, "span", "spans");
        notes.push(format!("{spans} deeper than {} levels: see --json", crate::ask::story::MAX_DEPTH));
    }
    notes
}

#[cfg(test)]
mod tests;
