//! What runs wrote into their logs.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::identity;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;

use super::ask::Ask;
use super::{Answer, Effort, Reader, Summary, Transaction};
use crate::Error;
use crate::item::{by_partition, unpack_logs, unpacked_bytes};
use crate::log::{self, LogLine};
use crate::run::{Card, OF_TRACE};
use crate::schema::{Partition, bounded};
use crate::span::named;

/// Of how many runs the lines are read.
pub(super) const MAX_RUNS: usize = 100;
/// How many partitions are read at once.
const AT_ONCE: usize = 16;
/// The most lines of one answer, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Which lines are asked for.
struct Wanted<'a> {
    /// What they name: a request, with its run, or a trace.
    names: BTreeMap<String, Option<&'a Card>>,
    /// Of those that name a trace alone whose they are.
    whose: Whose<'a>,
    /// Of batches that others have a part in, by request: the traces whose lines are told.
    own: BTreeMap<&'a str, BTreeSet<&'a str>>,
    at_least: bool,
}

/// Whose lines are asked for.
enum Whose<'a> {
    Anybody,
    /// Those of these functions.
    Of(BTreeSet<&'a str>),
    /// Those of all but these.
    NotOf(BTreeSet<&'a str>),
}

impl<'a> Wanted<'a> {
    fn new(runs: &'a [Card], traces: impl Iterator<Item = &'a String>) -> Self {
        let traces = traces.map(|trace| (format!("{OF_TRACE}{trace}"), None));
        let requests = runs.iter().filter(|run| !run.request_id.starts_with(OF_TRACE));
        let requests = requests.map(|run| (run.request_id.clone(), Some(run)));
        Self {
            names: traces.chain(requests).collect(),
            whose: Whose::Anybody,
            own: BTreeMap::new(),
            at_least: false,
        }
    }

    /// Those of some runs, and those that their functions have in their traces.
    fn of_runs(runs: &'a [Card]) -> Self {
        let (at_least, runs) = (runs.len() > MAX_RUNS, runs.get(..MAX_RUNS).unwrap_or(runs));
        let functions = runs.iter().map(|run| run.function.as_str()).collect();
        let of_runs = Self::new(runs, runs.iter().map(|run| &run.trace_id));
        Self { whose: Whose::Of(functions), at_least, ..of_runs }
    }

    /// Those of some runs of a transaction, and of programs that have no run in it.
    fn of_runs_within(transaction: &'a Transaction, runs: &'a [Card]) -> Self {
        let (at_least, runs) = (runs.len() > MAX_RUNS, runs.get(..MAX_RUNS).unwrap_or(runs));
        let functions = |runs: &'a [Card]| runs.iter().map(|run| run.function.as_str()).collect();
        let (all, asked): (BTreeSet<&str>, BTreeSet<&str>) = (functions(&transaction.runs), functions(runs));
        let others = all.difference(&asked).copied().collect();
        let of_all = Self::new(runs, transaction.trace_ids.iter());
        let mut wanted = Self { whose: Whose::NotOf(others), at_least, ..of_all };
        wanted.leave_out(runs, &transaction.trace_ids, &transaction.senders);
        wanted
    }

    /// Those of a whole transaction, of programs too of which no spans came.
    fn of_transaction(transaction: &'a Transaction) -> Self {
        let runs = transaction.runs.get(..MAX_RUNS).unwrap_or(&transaction.runs);
        let at_least = transaction.runs.len() > MAX_RUNS;
        let mut of_all = Self { at_least, ..Self::new(runs, transaction.trace_ids.iter()) };
        of_all.leave_out(runs, &transaction.trace_ids, &transaction.senders);
        of_all
    }

    /// Those of a transaction that lies in these traces have no lines of the others whose messages came in one batch with
    /// its own: such as name another trace. Who asks for the batch itself asks for all of it.
    fn leave_out(&mut self, runs: &'a [Card], traces: &'a [String], senders: &[String]) {
        let is_asked = |run: &Card| run.record.is_none() && traces.first() == Some(&run.trace_id);
        let shared = runs.iter().filter(|run| !senders.is_empty() && !is_asked(run));
        for run in shared {
            let own = self.own.entry(&run.request_id).or_default();
            own.extend(traces.iter().chain([&run.trace_id]).map(String::as_str));
        }
    }

    /// Who names a request is of its run, whatever its resource says. Who names a trace alone, and nobody whose it is, may
    /// be of any in it.
    fn has(&self, run: Option<&Card>, batch: &ResourceLogs) -> bool {
        let Some(name) = named(batch.resource.as_ref()).filter(|_| run.is_none()) else { return true };
        match &self.whose {
            Whose::Anybody => true,
            Whose::Of(functions) => functions.contains(&*bounded(&name)),
            Whose::NotOf(functions) => !functions.contains(&*bounded(&name)),
        }
    }

    /// What of a batch of lines is told, if anything is.
    fn told(&self, run: Option<&Card>, mut batch: ResourceLogs) -> Option<ResourceLogs> {
        if !self.has(run, &batch) {
            return None;
        }
        let Some(own) = run.and_then(|run| self.own.get(&*run.request_id)) else { return Some(batch) };
        for scope in &mut batch.scope_logs {
            let is_own = |trace: String| own.contains(trace.as_str());
            scope.log_records.retain(|line| log::trace(line).is_none_or(is_own));
        }
        batch.scope_logs.retain(|scope| !scope.log_records.is_empty());
        (!batch.scope_logs.is_empty()).then_some(batch)
    }
}

impl Reader {
    /// The log lines of these runs, by time. Those that name no request are found by their trace; they are of all runs
    /// that their function has in it.
    ///
    /// At most two requests for each of 100 runs, and 50; and 16 MiB of lines.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn logs(&self, runs: &[Card]) -> Result<Answer<Vec<LogLine>>, Error> {
        self.lines(&Wanted::of_runs(runs)).await
    }

    /// The log lines of some runs of a transaction, and of programs that have no run in it, by time: of a batch without those
    /// that name the traces of others.
    ///
    /// As many requests as [`Reader::logs`].
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn logs_within(
        &self,
        transaction: &Transaction,
        runs: &[Card],
    ) -> Result<Answer<Vec<LogLine>>, Error> {
        self.lines(&Wanted::of_runs_within(transaction, runs)).await
    }

    /// The log lines of `runs`, which are those that were asked for of these transactions, by time: of a batch without
    /// those that name the traces of others.
    ///
    /// As many requests as [`Reader::logs`].
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn logs_of(
        &self,
        transactions: &[Summary],
        runs: &[Card],
    ) -> Result<Answer<Vec<LogLine>>, Error> {
        let mut wanted = Wanted::of_runs(runs);
        for one in transactions {
            wanted.leave_out(&one.wanted, &one.trace_ids, &one.senders);
        }
        self.lines(&wanted).await
    }

    /// The log lines of a transaction, by time, whoever wrote them.
    ///
    /// As many requests as [`Reader::logs`].
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn all_logs(&self, transaction: &Transaction) -> Result<Answer<Vec<LogLine>>, Error> {
        self.lines(&Wanted::of_transaction(transaction)).await
    }

    /// The same as they came.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn export_logs(
        &self,
        transaction: &Transaction,
    ) -> Result<Answer<ExportLogsServiceRequest>, Error> {
        let mut effort = Effort::default();
        let batches = self.batches(&Wanted::of_transaction(transaction), &mut effort).await?;
        let resource_logs = batches.into_iter().map(|(_, batch)| batch).collect();
        Ok(effort.answer(ExportLogsServiceRequest { resource_logs }))
    }

    async fn lines(&self, wanted: &Wanted<'_>) -> Result<Answer<Vec<LogLine>>, Error> {
        let mut effort = Effort::default();
        let mut lines = Vec::new();
        for (run, batch) in self.batches(wanted, &mut effort).await? {
            let of_run = |line| match run {
                Some(run) => LogLine { function: run.function.clone(), ..line },
                None => line,
            };
            lines.extend(LogLine::from_otlp(batch).into_iter().map(of_run));
        }
        // Lines of the same millisecond stay in the order in which they came.
        lines.sort_by_key(|line| line.time);
        Ok(effort.answer(lines))
    }

    /// Lines as they came, with the run whose request they name.
    async fn batches<'a>(
        &self,
        wanted: &Wanted<'a>,
        effort: &mut Effort,
    ) -> Result<Vec<(Option<&'a Card>, ResourceLogs)>, Error> {
        effort.at_least |= wanted.at_least;
        let names: Vec<(&String, &Option<&Card>)> = wanted.names.iter().collect();
        let (mut batches, mut bytes) = (Vec::new(), 0_u64);
        for some in names.chunks(AT_ONCE) {
            let partition = |name: &str| Partition::Logs(bounded(name).into_owned());
            let asks = some.iter().map(|(name, _)| Ask::all(partition(name)));
            let mut items = by_partition(self.all(asks.collect(), identity, effort).await?);
            for (name, run) in some {
                let items = items.remove(&partition(name).to_string()).unwrap_or_default();
                bytes = bytes.saturating_add(unpacked_bytes(&items));
                if bytes > MAX_BYTES {
                    effort.at_least = true;
                    return Ok(batches);
                }
                let (found, damaged) = unpack_logs(&items);
                effort.damaged.extend(damaged);
                let told = found.into_iter().filter_map(|batch| wanted.told(**run, batch));
                batches.extend(told.map(|batch| (**run, batch)));
            }
        }
        Ok(batches)
    }
}
