//! `throughline traces`: the newest transactions.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use throughline_store::{Answer, Card, Failure, Figures, Filter, Rates, Summary, last_name};

use super::beside::Counted;
use super::filters::{Narrow, Reads};
use super::table::{Column, Table, amber, dim, plain, red};
use super::words::{count, counted, micros, rate};
use super::{ANSWER, Asked, Common, Told, when};
use crate::trace::trigger;

/// What `throughline traces` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    pub(super) narrow: Narrow,

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
    /// All of its traces, where several are joined.
    trace_ids: Vec<String>,
    /// When it began; of a named function, when that did. In milliseconds since 1970.
    at: u64,
    entry: Option<String>,
    user: Option<String>,
    /// All on whose behalf it ran.
    users: BTreeSet<String>,
    account: Option<String>,
    correlation_id: Option<String>,
    /// In microseconds, of the whole; of a named function, of its run.
    duration: u64,
    /// Whether its clocks disagree: then that is about how long it took.
    skewed: bool,
    /// The function that was named; else that of the run that was asked for, or with which it began.
    function: String,
    build: Option<String>,
    http_status: Option<u64>,
    /// The functions that took part.
    functions: BTreeSet<String>,
    runs: u64,
    failures: u64,
    /// How many errors were dropped in runs that did not fail.
    swallowed: u64,
    /// Whether all that failed was done again and did not fail.
    ended_well: bool,
    /// Traces of others, whose messages came in one batch with this one's.
    senders: Vec<String>,
    /// Of the run that was asked for.
    error: Option<Failure>,
    /// Whether it is known that it began with its first run, and with no other.
    #[serde(skip)]
    began: bool,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("traces", Reads::Runs, asked)?;
        let limit = usize::from(self.limit);
        // One more than is told: whether there are more is told too.
        let transactions = asked.reader.transactions(window, &filter, limit + 1);
        // How many there are in all is counted by function, entry point and build alone.
        let rates = async {
            if filter.is_counted() { Some(asked.reader.rates(window, &filter).await) } else { None }
        };
        let (answer, rates) = tokio::join!(transactions, rates);
        let Answer { mut found, at_least, left_out, damaged, mut requests } = asked.answered(answer)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let rates = rates.map(|rates| asked.answered(rates)).transpose()?;
        requests += rates.as_ref().map_or(0, |rates| rates.requests);
        let found: Vec<Row> = found.into_iter().map(|one| Row::new(one, &filter)).collect();
        let answer = Answer { found, at_least, left_out, damaged, requests };
        let Some(first) = answer.found.first() else {
            let within = when::within(window, asked.now);
            let mut lines = vec![match answer.at_least {
                true => format!(
                    "no such transaction among the newest that were read {within}: --function, --entry or an earlier \
                     --until read others"
                ),
                false => format!("no such transaction {within}"),
            }];
            asked.note_left_out(&mut lines, &answer.left_out, "traces", &self.narrow.words(Reads::Runs));
            let words = self.narrow.longer(Reads::Runs, asked.now);
            return asked.tell_within(&answer, false, lines, &["traces"], &words);
        };
        // What failed for good comes before what a retry has mended.
        let worst = |row: &&Row| (row.failures > 0, !row.ended_well, row.swallowed > 0);
        let shown = answer.found.iter().rev().max_by_key(worst).unwrap_or(first);
        let mut lines = table(&answer.found, &filter, asked);
        if more {
            asked.note(&mut lines, &format!("the newest {limit}: more with --limit"));
        }
        let counted = Counted::new(window, asked.now);
        // A run that does not say what is asked for is listed with what it joined, but not counted as such.
        let has_failed = answer.found.iter().any(|row| row.failures > 0 || row.error.is_some());
        let is_told = |now: &Figures| now.runs > 0 && (now.failures > 0 || !has_failed);
        let rates = rates.filter(|rates| is_told(&rates.found.now));
        if let Some(rates) = &rates {
            let is_exact = answer.found.iter().all(|row| row.began);
            asked.note(&mut lines, &summary(&rates.found, &filter, counted, is_exact));
            asked.note(&mut lines, &counted.told());
        }
        asked.note_left_out(&mut lines, &answer.left_out, "traces", &self.narrow.words(Reads::Runs));
        let mut told = asked.tell(&answer, true, lines, &["trace", &shown.trace_id])?;
        told.json["more"] = more.into();
        if let Some(rates) = rates {
            told.json["rates"] = serde_json::to_value(rates.found)?;
            told.json["counted"] = counted.json();
        }
        Ok(told)
    }
}

impl Row {
    fn new(summary: Summary, filter: &Filter) -> Self {
        let Summary {
            first,
            run,
            trace_ids,
            senders,
            duration,
            skewed,
            runs,
            failures,
            swallowed,
            ended_well,
            functions,
            users,
            ..
        } = summary;
        let of_run = filter.function.is_some();
        let (at, duration) = if of_run { (run.at(), run.duration) } else { (first.at(), duration) };
        // Who was hit is known of the run that was asked for, or else of the first.
        let Card { entry, user, account, correlation_id, .. } = run;
        Self {
            began: first.began && trace_ids.len() == 1,
            trace_id: first.trace_id,
            trace_ids,
            at,
            entry: first.entry.or(entry),
            user: user.or(first.user).or_else(|| users.first().cloned()),
            users,
            account: account.or(first.account),
            correlation_id: correlation_id.or(first.correlation_id),
            duration,
            skewed: skewed && !of_run,
            function: run.function,
            build: run.build,
            http_status: run.http_status,
            functions,
            runs,
            failures,
            swallowed,
            ended_well,
            senders,
            error: run.error,
        }
    }

    /// On whose behalf.
    fn user(&self) -> String {
        let user = self.user.clone().unwrap_or_default();
        let more = self.users.iter().filter(|other| **other != user).count();
        if more > 0 { format!("{user} and {more} more") } else { user }
    }

    /// How it ended, in a few words.
    fn outcome(&self, filter: &Filter) -> (String, super::table::Look) {
        let what = match (&self.error, self.failures) {
            (Some(error), _) => format!("{} in {}", last_name(&error.kind), self.function),
            (None, _) if filter.function.is_some() && filter.swallowed.is_none() => {
                return dim(self.function.clone());
            }
            (None, failures @ 1..) => counted(failures, "failure", "failures"),
            (None, 0) if self.swallowed > 0 => {
                return amber(format!("ok, {} swallowed", counted(self.swallowed, "error", "errors")));
            }
            (None, 0) => return dim(counted(self.runs, "run", "runs")),
        };
        if self.ended_well {
            amber(format!("↻ ended well after {what}"))
        } else {
            red(format!("✗ {what}"))
        }
    }
}

/// `4 transactions began, 0.1 a minute (0.2 before); 1 run failed (0 before); their first functions p50 40 ms, p95 62 ms`.
/// Where some of those were found to be one, there are at most so many.
fn summary(rates: &Rates, filter: &Filter, counted: Counted, is_exact: bool) -> String {
    let Rates { now, before } = rates;
    let (a_minute, was) = (counted.a_minute(now.runs), counted.a_minute_before(before.runs));
    let what = match filter.function {
        Some(_) => counted_runs(now.runs),
        None if is_exact => format!("{} began", counted_transactions(now.runs)),
        None => format!("at most {} began", counted_transactions(now.runs)),
    };
    let change = if before.runs > 0 { format!(" ({} before)", rate(was)) } else { String::new() };
    let mut text = format!("{what}, {} a minute{change}", rate(a_minute));
    text += &format!("; {} failed", counted_runs(now.failures));
    if before.runs > 0 {
        text += &format!(" ({} before)", count(before.failures));
    }
    if let Some((p50, p95)) = now.p50.zip(now.p95) {
        let whose = if filter.function.is_some() { "" } else { "their first functions " };
        text += &format!("; {whose}p50 {}, p95 {}", micros(p50), micros(p95));
        text += &before.p95.map(|p95| format!(" ({} before)", micros(p95))).unwrap_or_default();
    }
    text
}

fn counted_runs(number: u64) -> String {
    counted(number, "run", "runs")
}

fn counted_transactions(number: u64) -> String {
    counted(number, "transaction", "transactions")
}

fn table(rows: &[Row], filter: &Filter, asked: &Asked<'_>) -> Vec<String> {
    let mut table = Table::new([
        Column::Fixed("time"),
        Column::Text("entry"),
        Column::Text("user"),
        Column::Number("took"),
        Column::Text(""),
        Column::Whole("trace"),
    ])
    .giving_way(&[3, 2]);
    for row in rows {
        table.row([
            plain(when::brief(row.at, asked.now)),
            plain(row.entry.as_deref().map_or_else(|| row.function.clone(), trigger)),
            plain(row.user()),
            plain(format!("{}{}", if row.skewed { "~" } else { "" }, micros(row.duration))),
            row.outcome(filter),
            plain(&row.trace_id),
        ]);
    }
    table.lines(asked.style)
}
