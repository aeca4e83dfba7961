//! `throughline traces`: the newest transactions.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Serialize;
use throughline_store::{Answer, Card, Failure, Filter, Summary};

use super::filters::{Filters, Within};
use super::table::{Column, Table, dim, plain, red};
use super::words::{counted, micros};
use super::{ANSWER, Asked, Common, Told, when};
use crate::trace::trigger;

/// Of how many functions the failures are read where none is named, those that fail most.
const MAX_FUNCTIONS: usize = 10;

/// What `throughline traces` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    filters: Filters,

    #[command(flatten)]
    within: Within,

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
    /// When it began, or the run of the function that was asked for. In milliseconds since 1970.
    at: u64,
    entry: Option<String>,
    user: Option<String>,
    correlation_id: Option<String>,
    /// In microseconds, of the whole transaction, or of the run.
    duration: u64,
    /// The function whose run this is; that with which the transaction began.
    function: String,
    /// The functions that took part; only where whole transactions are listed.
    functions: BTreeSet<String>,
    runs: Option<u64>,
    failures: u64,
    error: Option<Failure>,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let window = self.within.window(asked.now)?;
        let (filter, limit) = (self.filters.filter(), usize::from(self.limit));
        let answer = match (&self.filters.correlation_id, &self.filters.function) {
            (Some(id), _) => self.correlated(id, &filter, asked).await?,
            (None, Some(function)) if self.filters.only_failures() => {
                let answer = asked.answered(asked.reader.failures(function, window, &filter, limit).await)?;
                of_cards(answer)
            }
            (None, Some(function)) => {
                of_cards(asked.answered(asked.reader.runs(function, window, &filter, limit).await)?)
            }
            (None, None) if self.filters.only_failures() => {
                let functions = asked.answered(asked.reader.functions(window).await)?;
                self.failures(functions, &filter, asked).await?
            }
            (None, None) => {
                let answer = asked.answered(asked.reader.transactions(window, &filter, limit).await)?;
                answer.with(|found| found.into_iter().map(Row::of_transaction).collect())
            }
        };
        let rows = &answer.found;
        let Some(first) = rows.first() else {
            let hours = window.to.saturating_sub(window.from).div_ceil(3_600_000).max(1);
            let lines = vec![format!("no such transaction since {} UTC", when::full(window.from))];
            return asked.tell(&answer, false, lines, &["traces", "--since", &format!("{}h", hours * 24)]);
        };
        let lines = table(rows, asked);
        let shown = rows.iter().find(|row| row.failures > 0).unwrap_or(first);
        asked.tell(&answer, true, lines, &["trace", &shown.trace_id])
    }

    /// The failures of the functions that fail most, newest first: of each transaction the last.
    async fn failures(
        &self,
        functions: Answer<Vec<throughline_store::FunctionRow>>,
        filter: &Filter,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Answer<Vec<Row>>> {
        let (window, limit) = (self.within.window(asked.now)?, usize::from(self.limit));
        let wanted =
            |kinds: &BTreeMap<String, u64>| filter.error.as_ref().is_none_or(|kind| kinds.contains_key(kind));
        let mut answer = Answer {
            found: Vec::new(),
            at_least: functions.at_least,
            damaged: functions.damaged,
            requests: functions.requests,
        };
        let mut failing: Vec<_> = functions.found.into_iter().filter(|row| row.failures > 0).collect();
        failing.retain(|row| wanted(&row.errors) || row.errors.contains_key("(other)"));
        failing.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.function.cmp(&b.function)));
        answer.at_least |= failing.len() > MAX_FUNCTIONS;
        for row in failing.iter().take(MAX_FUNCTIONS) {
            let failures =
                asked.answered(asked.reader.failures(&row.function, window, filter, limit).await)?;
            let failures = of_cards(failures);
            answer.found.extend(failures.found);
            answer.at_least |= failures.at_least;
            answer.damaged.extend(failures.damaged);
            answer.requests += failures.requests;
        }
        let mut seen = BTreeSet::new();
        answer.found.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.trace_id.cmp(&b.trace_id)));
        answer.found.retain(|row| seen.insert(row.trace_id.clone()));
        answer.found.truncate(limit);
        Ok(answer)
    }

    /// The transactions with a correlation id.
    async fn correlated(
        &self,
        id: &str,
        filter: &Filter,
        asked: &Asked<'_>,
    ) -> anyhow::Result<Answer<Vec<Row>>> {
        let window = self.within.window(asked.now)?;
        let found = asked.answered(asked.reader.find(id, &[]).await)?;
        let mut answer = Answer {
            found: Vec::new(),
            at_least: found.at_least,
            damaged: found.damaged,
            requests: found.requests,
        };
        let mut seen = BTreeSet::new();
        for found in found.found {
            let is_wanted = matches!(found.by, throughline_store::By::CorrelationId);
            if !is_wanted || !window.contains(found.run.at) || !seen.insert(found.run.trace_id.clone()) {
                continue;
            }
            let transaction = asked.answered(asked.reader.transaction(&found.run.trace_id).await)?;
            answer.requests += transaction.requests;
            answer.at_least |= transaction.at_least;
            answer.damaged.extend(transaction.damaged);
            // All that this one is told of is not told again.
            seen.extend(transaction.found.trace_ids);
            answer.found.extend(Row::of_runs(
                &transaction.found.runs,
                self.filters.function.as_deref(),
                filter,
            ));
        }
        answer.found.truncate(usize::from(self.limit));
        Ok(answer)
    }
}

/// An answer whose value is another.
trait With<T> {
    fn with<U>(self, change: impl FnOnce(T) -> U) -> Answer<U>;
}

impl<T> With<T> for Answer<T> {
    fn with<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { found, at_least, damaged, requests } = self;
        Answer { found: change(found), at_least, damaged, requests }
    }
}

fn of_cards(answer: Answer<Vec<Card>>) -> Answer<Vec<Row>> {
    answer.with(|cards| cards.into_iter().map(Row::of_card).collect())
}

impl Row {
    fn of_card(card: Card) -> Self {
        Self {
            at: card.at(),
            failures: u64::from(card.failed()),
            trace_id: card.trace_id,
            entry: card.entry,
            user: card.user,
            correlation_id: card.correlation_id,
            duration: card.duration,
            function: card.function,
            functions: BTreeSet::new(),
            runs: None,
            error: card.error,
        }
    }

    fn of_transaction(summary: Summary) -> Self {
        let Summary { first, duration, runs, failures, functions } = summary;
        Self { duration, runs: Some(runs), failures, functions, ..Self::of_card(first) }
    }

    /// The first run that is wanted stands for all.
    fn of_runs(runs: &[Card], function: Option<&str>, filter: &Filter) -> Option<Self> {
        let named = |card: &&Card| function.is_none_or(|function| card.function == function);
        let first = runs.iter().filter(named).find(|card| filter.wants(card))?;
        let end = runs.iter().map(|run| run.start.saturating_mul(1000).saturating_add(run.duration)).max();
        let start = runs.iter().map(|run| run.start).min().unwrap_or_default();
        Some(Self {
            duration: end.unwrap_or_default().saturating_sub(start.saturating_mul(1000)),
            runs: Some(runs.len() as u64),
            failures: runs.iter().filter(|run| run.failed()).count() as u64,
            functions: runs.iter().map(|run| run.function.clone()).collect(),
            ..Self::of_card(first.clone())
        })
    }

    /// How it ended, in a few words.
    fn outcome(&self) -> (String, super::table::Look) {
        match (&self.error, self.failures, self.runs) {
            (Some(error), _, None) => red(format!("{} ✗ {}", self.function, error.kind)),
            (Some(error), _, Some(_)) => red(format!("✗ {}", error.kind)),
            (None, failures @ 1.., Some(_)) => red(format!("✗ {}", counted(failures, "failure", "failures"))),
            (None, _, Some(runs)) => dim(counted(runs, "run", "runs")),
            (None, _, None) => dim(self.function.clone()),
        }
    }
}

fn table(rows: &[Row], asked: &Asked<'_>) -> Vec<String> {
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
            row.outcome(),
            plain(&row.trace_id),
        ]);
    }
    table.lines(asked.style)
}
