//! `throughline logs`: what runs wrote into their logs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use throughline_store::log::LogLine;
use throughline_store::{Answer, Card, Summary};

use super::filters::{Narrow, Reads};
use super::words::{counted, harmless};
use super::{ANSWER, Asked, Common, Told, lines, named, when};
use crate::columns::{cut, padded, width, wrapped};

/// How many runs the lines are read of, the newest, as the store's bound is.
const MAX_RUNS: usize = 100;
/// As much of the end of a trace's id as tells it from others nearby: with X-Ray, and so here, it begins with the time.
const SHORT: usize = 8;
/// The columns of a function's name.
const MAX_NAME: usize = 24;

/// What `throughline logs` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Those of this transaction: the id of a trace, a request or a message, a correlation id, or a user's for the newest
    #[arg(value_name = "ID")]
    id: Option<String>,

    #[command(flatten)]
    pub(super) narrow: Narrow,

    /// Only lines at least as bad: debug, info, warn, error
    #[arg(long, value_name = "LEVEL", help_heading = "Filters", value_parser = level)]
    level: Option<u8>,

    /// Only lines that have this text in what they say or in a field, in upper or lower case
    #[arg(long, value_name = "TEXT", help_heading = "Filters")]
    matching: Option<String>,

    /// How many are told, the newest
    #[arg(long, value_name = "NUMBER", help_heading = ANSWER, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,

    /// Tell lines whole
    #[arg(long, help_heading = ANSWER)]
    full: bool,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (runs, wholes, logs) = match &self.id {
            Some(id) => self.of_transaction(id, asked).await?,
            None => {
                let (runs, transactions) = self.of_runs(asked).await?;
                let logs = asked.reader.logs_of(&transactions, &runs.found).await;
                let wholes = transactions.into_iter().map(|one| one.trace_ids).collect();
                (runs, wholes, asked.answered(logs)?)
            }
        };
        let Answer { found: runs, mut at_least, left_out, mut damaged, mut requests } = runs;
        at_least |= logs.at_least;
        damaged.extend(logs.damaged);
        requests += logs.requests;
        let traces: BTreeMap<&str, &str> =
            runs.iter().map(|run| (run.request_id.as_str(), run.trace_id.as_str())).collect();
        let kept = logs.found.len();
        let mut found: Vec<LogLine> = logs.found.into_iter().filter(|line| self.wants(line)).collect();
        for line in &mut found {
            let trace = line.request_id.as_deref().and_then(|request| traces.get(request));
            line.trace_id = line.trace_id.take().or_else(|| Some((*trace?).to_owned()));
        }
        let older = found.len().saturating_sub(usize::from(self.limit));
        found.drain(..older);
        let answer = Answer { found, at_least, left_out, damaged, requests };
        let next = self.next(&runs, &wholes, &answer.found, asked);
        let next: Vec<&str> = next.iter().map(String::as_str).collect();
        let mut told = Vec::new();
        if answer.found.is_empty() {
            let read = counted(runs.len() as u64, "run", "runs");
            let why = match (runs.len(), kept) {
                (0, _) => "no such runs, and so no log lines".to_owned(),
                (_, 0) => format!("{read} found, and {}", lines::NOT_KEPT),
                _ => {
                    let kept = counted(kept as u64, "log line", "log lines");
                    format!("no such log lines: none of the {kept} of {read}")
                }
            };
            told.extend(wrapped(&why, asked.style.width));
        }
        if older > 0 {
            told.push(asked.style.dim(&format!("the newest {}: {older} more (--limit)", self.limit)));
        }
        told.extend(self.lines(&answer.found, asked));
        asked.note_left_out(&mut told, &answer.left_out, "logs", &self.narrow.words(Reads::Runs));
        let mut told = asked.tell(&answer, !answer.found.is_empty(), told, &next)?;
        // So that programs too know why there are none.
        told.json["runs"] = runs.len().into();
        told.json["kept"] = kept.into();
        Ok(told)
    }

    /// Its runs, its traces, and the lines of all of it.
    async fn of_transaction(
        &self,
        id: &str,
        asked: &Asked<'_>,
    ) -> anyhow::Result<(Answer<Vec<Card>>, Vec<Vec<String>>, Answer<Vec<LogLine>>)> {
        anyhow::ensure!(
            self.narrow.words(Reads::Runs).is_empty(),
            "an ID names one transaction: no filters beside it but --level and --matching"
        );
        let Answer { found, at_least, left_out, damaged, requests } = named::transaction(id, asked).await?.0;
        let logs = asked.answered(asked.reader.all_logs(&found).await)?;
        let runs = Answer { found: found.runs, at_least, left_out, damaged, requests };
        Ok((runs, vec![found.trace_ids], logs))
    }

    /// The newest runs that are asked for, with their transactions where they are found by these.
    async fn of_runs(&self, asked: &Asked<'_>) -> anyhow::Result<(Answer<Vec<Card>>, Vec<Summary>)> {
        let (filter, window) = self.narrow.asks("logs", Reads::Runs, asked)?;
        let mut transactions = Vec::new();
        let of_function = filter.function.as_ref().filter(|_| !filter.asks_for_carried());
        let mut answer = match of_function {
            Some(function) if filter.only_failures() => {
                asked.answered(asked.reader.failures(function, window, &filter, MAX_RUNS).await)?
            }
            Some(function) => asked.answered(asked.reader.runs(function, window, &filter, MAX_RUNS).await)?,
            None if filter == throughline_store::Filter::default() => {
                anyhow::bail!("whose log lines? Name a transaction (an ID), a --function, or another filter")
            }
            None => {
                let answer = asked.reader.transactions(window, &filter, MAX_RUNS).await;
                let Answer { found, at_least, left_out, damaged, requests } = asked.answered(answer)?;
                // A batch is of several of them, and is read once.
                let mut seen = BTreeSet::new();
                let runs = found.iter().flat_map(|one| &one.wanted);
                let mut runs: Vec<Card> = runs.filter(|run| seen.insert(&run.request_id)).cloned().collect();
                let at_least = at_least || found.len() >= MAX_RUNS || runs.len() > MAX_RUNS;
                runs.sort_by_key(|run| Reverse(run.start));
                runs.truncate(MAX_RUNS);
                transactions = found;
                Answer { found: runs, at_least, left_out, damaged, requests }
            }
        };
        answer.at_least |= answer.found.len() >= MAX_RUNS;
        Ok((answer, transactions))
    }

    fn wants(&self, line: &LogLine) -> bool {
        let has = |text: &str| {
            let wanted = self.matching.as_deref().unwrap_or_default().to_lowercase();
            text.to_lowercase().contains(&wanted)
        };
        let bad_enough = self.level.is_none_or(|least| lines::severity(line) >= least);
        bad_enough
            && (self.matching.is_none()
                || has(&line.message)
                || line.attributes.iter().any(|(name, value)| has(&format!("{name}={value}"))))
    }

    fn lines(&self, found: &[LogLine], asked: &Asked<'_>) -> Vec<String> {
        let widest = found.iter().map(|line| width(&line.function)).max().unwrap_or_default().min(MAX_NAME);
        let mut told = Vec::new();
        let mut day = String::new();
        for line in found {
            let date = when::full(line.time / 1_000_000);
            let date = date.split(' ').next().unwrap_or_default();
            if date != day {
                date.clone_into(&mut day);
                told.push(asked.style.dim(&day));
            }
            let trace = line.trace_id.as_deref().unwrap_or_default();
            let trace = format!("…{}", trace.get(trace.len().saturating_sub(SHORT)..).unwrap_or(trace));
            let function = padded(&cut(&harmless(&line.function), widest), widest);
            let before = [function, padded(&trace, SHORT + 1)];
            told.extend(lines::told(line, "", &before, asked.style, self.full));
        }
        told
    }

    /// The transaction of the newest bad line, or of the newest; without lines the same of a longer time. A batch leads to
    /// the sender that was asked for: of each transaction in `wholes` the first trace is that by which it is known.
    fn next(
        &self,
        runs: &[Card],
        wholes: &[Vec<String>],
        found: &[LogLine],
        asked: &Asked<'_>,
    ) -> Vec<String> {
        let bad = found.iter().rev().find(|line| lines::is_bad(line));
        let trace = bad.or(found.last()).and_then(|line| line.trace_id.clone());
        if let Some(trace) = trace.or_else(|| Some(runs.first()?.trace_id.clone())) {
            let whole = wholes.iter().find(|whole| whole.contains(&trace)).and_then(|whole| whole.first());
            return vec!["trace".to_owned(), whole.cloned().unwrap_or(trace)];
        }
        match &self.id {
            Some(id) => vec!["find".to_owned(), id.clone()],
            None => [vec!["logs".to_owned()], self.narrow.longer(Reads::Runs, asked.now)].concat(),
        }
    }
}

fn level(text: &str) -> Result<u8, String> {
    lines::level(text).ok_or_else(|| "is no level: trace, debug, info, warn, error or fatal".to_owned())
}
