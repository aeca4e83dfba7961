//! Which items log lines become: for each run that a batch of lines names, one, or as many as it takes.
//!
//! A batch is one `ResourceLogs`: requests of OTLP are joined and taken apart on their way, but these stay what they
//! were, so that lines which come again replace themselves.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};

use super::Written;
use crate::Error;
use crate::item::{Item, Place, pack_logs};
use crate::log;
use crate::schema::{Partition, bounded};
use crate::time::believable;

/// The items of log lines.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
    /// How many lines these are, and what is not kept.
    pub(super) written: Written,
}

/// Which items the lines become. `now` and `retention` in milliseconds.
pub(super) fn plan(request: ExportLogsServiceRequest, now: u64, retention: u64) -> Result<Plan, Error> {
    let mut plan = Plan { items: Vec::new(), written: Written::default() };
    for batch in request.resource_logs {
        for (run, lines) in by_run(batch, &mut plan.written.unnamed) {
            let records = || lines.scope_logs.iter().flat_map(|scope| &scope.log_records);
            let (count, first) = (records().count(), records().map(log::time).min().unwrap_or_default());
            let partition = Partition::Logs(bounded(&run).into_owned());
            let expires = believable(first, now, retention).saturating_add(retention) / 1000;
            let packed = pack_logs(first / 1_000_000, lines)?;
            if packed.is_empty() {
                plan.written.too_large += 1;
                continue;
            }
            plan.written.lines += count;
            let item = |(sort, item)| Place { partition: partition.clone(), sort, expires }.holding(item);
            plan.items.extend(packed.into_iter().map(item));
        }
    }
    Ok(plan)
}

/// The lines of a batch by the run that they name; how many name none.
fn by_run(batch: ResourceLogs, unnamed: &mut usize) -> BTreeMap<String, ResourceLogs> {
    let mut runs: BTreeMap<String, ResourceLogs> = BTreeMap::new();
    let (resource, schema) = (batch.resource, batch.schema_url);
    for scope in batch.scope_logs {
        let mut of_scope: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for record in scope.log_records {
            match log::of_run(&record) {
                Some(run) => of_scope.entry(run).or_default().push(record),
                None => *unnamed += 1,
            }
        }
        for (run, log_records) in of_scope {
            let (scope, schema_url) = (scope.scope.clone(), scope.schema_url.clone());
            let batch = runs.entry(run).or_insert_with(|| ResourceLogs {
                resource: resource.clone(),
                scope_logs: Vec::new(),
                schema_url: schema.clone(),
            });
            batch.scope_logs.push(ScopeLogs { scope, log_records, schema_url });
        }
    }
    runs
}
