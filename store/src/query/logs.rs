//! What runs wrote into their logs.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;

use super::ask::Ask;
use super::{Answer, Effort, Reader};
use crate::Error;
use crate::item::{by_partition, unpack_logs, unpacked_bytes};
use crate::log::LogLine;
use crate::run::Card;
use crate::schema::{Partition, bounded};
use crate::span::function;

/// Of how many runs the lines are read.
pub(super) const MAX_RUNS: usize = 100;
/// How many partitions are read at once.
const AT_ONCE: usize = 16;
/// The most lines of one answer, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

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
        let mut effort = Effort::default();
        let batches = self.batches(runs, &mut effort).await?;
        let mut lines: Vec<LogLine> = batches.into_iter().flat_map(LogLine::from_otlp).collect();
        // Lines of the same millisecond stay in the order in which they came.
        lines.sort_by_key(|line| line.time);
        Ok(effort.answer(lines))
    }

    /// The same as they came.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn export_logs(&self, runs: &[Card]) -> Result<Answer<ExportLogsServiceRequest>, Error> {
        let mut effort = Effort::default();
        let resource_logs = self.batches(runs, &mut effort).await?;
        Ok(effort.answer(ExportLogsServiceRequest { resource_logs }))
    }

    async fn batches(&self, runs: &[Card], effort: &mut Effort) -> Result<Vec<ResourceLogs>, Error> {
        effort.at_least |= runs.len() > MAX_RUNS;
        let runs = || runs.iter().take(MAX_RUNS);
        let functions: BTreeSet<&str> = runs().map(|run| run.function.as_str()).collect();
        let names = runs().flat_map(|run| [run.request_id.clone(), format!("trace:{}", run.trace_id)]);
        let names: Vec<String> = names.collect::<BTreeSet<_>>().into_iter().collect();
        let (mut batches, mut bytes) = (Vec::new(), 0_u64);
        for some in names.chunks(AT_ONCE) {
            let asks = some.iter().map(|run| Ask::all(Partition::Logs(bounded(run).into_owned())));
            let items = self.all(asks.collect(), effort).await?;
            for partition in by_partition(items).into_values() {
                bytes = bytes.saturating_add(unpacked_bytes(&partition));
                if bytes > MAX_BYTES {
                    effort.at_least = true;
                    return Ok(batches);
                }
                let (found, damaged) = unpack_logs(&partition);
                effort.damaged.extend(damaged);
                let ours =
                    |batch: &ResourceLogs| functions.contains(&*bounded(&function(batch.resource.as_ref())));
                batches.extend(found.into_iter().filter(ours));
            }
        }
        Ok(batches)
    }
}
