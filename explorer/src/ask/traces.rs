//! `throughline traces`: the newest transactions.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use throughline_store::{Answer, Card, Failure, Filter, Summary};

use super::filters::{Narrow, Reads};
use super::table::{Column, Table, dim, plain, red};
use super::words::{counted, micros};
use super::{ANSWER, Asked, Common, Told, when};
use crate::trace::trigger;

/// What `throughline traces` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    narrow: Narrow,

    /// How many are told, the newest
    #[arg(long, value_name = "NUMBER", help_heading = ANSWER, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,

    #[command(flatten)]
    pub(super) common: Common,
}

/// A transaction in the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    trace_id: String,
    /// When it began; of a named function, when that did. In milliseconds since 1970.
    at: u64,
    entry: Option<String>,
    user: Option<String>,
    account: Option<String>,
    correlation_id: Option<String>,
    /// In microseconds, of the whole; of a named function, of its run.
    duration: u64,
    /// The function that was named; else that of the run that was asked for, or with which it began.
    function: String,
    build: Option<String>,
    http_status: Option<u64>,
    /// The functions that took part.
    functions: BTreeSet<String>,
    runs: u64,
    failures: u64,
    /// Of the run that was asked for.
    error: Option<Failure>,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("traces", Reads::Runs, asked)?;
        let answer = asked.reader.transactions(window, &filter, usize::from(self.limit)).await;
        let Answer { found, at_least, damaged, requests } = asked.answered(answer)?;
        let found: Vec<Row> = found.into_iter().map(|one| Row::new(one, &filter)).collect();
        let answer = Answer { found, at_least, damaged, requests };
        let Some(first) = answer.found.first() else {
            let lines = vec![format!("no such transaction since {} UTC", when::full(window.from))];
            let words = self.narrow.longer(Reads::Runs, asked.now);
            return asked.tell_within(&answer, false, lines, &["traces"], &words);
        };
        let shown = answer.found.iter().find(|row| row.failures > 0).unwrap_or(first);
        asked.tell(&answer, true, table(&answer.found, &filter, asked), &["trace", &shown.trace_id])
    }
}

impl Row {
    fn new(summary: Summary, filter: &Filter) -> Self {
        let Summary { first, run, duration, runs, failures, functions } = summary;
        let of_run = filter.function.is_some();
        let (at, duration) = if of_run { (run.at(), run.duration) } else { (first.at(), duration) };
        // Who was hit is known of the run that was asked for, or else of the first.
        let Card { entry, user, account, correlation_id, .. } = run;
        Self {
            trace_id: first.trace_id,
            at,
            entry: first.entry.or(entry),
            user: user.or(first.user),
            account: account.or(first.account),
            correlation_id: correlation_id.or(first.correlation_id),
            duration,
            function: run.function,
            build: run.build,
            http_status: run.http_status,
            functions,
            runs,
            failures,
            error: run.error,
        }
    }

    /// How it ended, in a few words.
    fn outcome(&self, filter: &Filter) -> (String, super::table::Look) {
        match (&self.error, self.failures) {
            (Some(error), _) => red(format!("{} ✗ {}", self.function, error.kind)),
            (None, _) if filter.function.is_some() => dim(self.function.clone()),
            (None, failures @ 1..) => red(format!("✗ {}", counted(failures, "failure", "failures"))),
            (None, _) => dim(counted(self.runs, "run", "runs")),
        }
    }
}

fn table(rows: &[Row], filter: &Filter, asked: &Asked<'_>) -> Vec<String> {
    let mut table = Table::new([
        Column::Whole("time"),
        Column::Text("entry"),
        Column::Text("user"),
        Column::Number("took"),
        Column::Text(""),
        Column::Whole("trace"),
    ]);
    for row in rows {
        table.row([
            plain(when::brief(row.at, asked.now)),
            plain(row.entry.as_deref().map_or_else(|| row.function.clone(), trigger)),
            plain(row.user.clone().unwrap_or_default()),
            plain(micros(row.duration)),
            row.outcome(filter),
            plain(&row.trace_id),
        ]);
    }
    table.lines(asked.style)
}
