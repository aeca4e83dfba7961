//! Writing: from OTLP to items in the table.

mod batch;
mod logs;
mod plan;
#[cfg(feature = "aws-sdk")]
mod rebuild;
mod retry;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod table;

#[cfg(feature = "aws-sdk")]
pub use rebuild::Rebuilt;
pub use table::Table;

#[cfg(test)]
pub(crate) use crate::item::write_units as write_units_of;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_dynamo::AttributeValue;
use tokio::time::Instant;

use crate::Error;
use crate::hash::shard;
use crate::item::{Item, Place, item};
use crate::run::group;
use crate::schema::{Partition, bounded, sort_of_totals};
use crate::time::{DAY, HOUR, millis};
use crate::totals::{self, Called, Mark, Report, Running, Totals};

/// How many runs are written before what they came to is.
const RUNS_AT_ONCE: usize = 100;

/// What is written, and how long it stays.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long items stay: 14 days by default.
    pub retention: Duration,
    /// The members of the baggage that runs are found by; the user's id by default. Each costs a write for each run.
    pub baggage: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { retention: Duration::from_secs(14 * 24 * 3600), baggage: vec!["user.id".to_owned()] }
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// How many runs were written.
    pub runs: usize,
    /// In how many items.
    pub items: usize,
    /// What they cost, in write request units.
    pub units: u64,
    /// How many requests it took.
    pub requests: usize,
    /// How many ids and traces a run had beyond those that it is found by.
    pub left_out: usize,
    /// How many runs are told of without their spans, or their lines, which are more than 64 MiB.
    pub too_large: usize,
    /// How many log lines were written.
    pub lines: usize,
    /// How many log lines name neither a request nor a trace: nobody would find them, so they are not kept.
    pub unnamed: usize,
}

/// Writes the spans of one process into the table.
///
/// Everything that is written may be written again, and changes nothing then: a write that failed is repeated as it was.
#[derive(Debug)]
pub struct Writer<T> {
    table: T,
    sandbox: String,
    options: Options,
    running: Mutex<Running>,
}

impl<T: Table> Writer<T> {
    /// A writer into `table`. `sandbox` names this process: no other may have the same name, or both would keep
    /// their totals in one item. Who reads in the same file twice gives the same name, and all is counted once.
    #[must_use]
    pub fn new(table: T, sandbox: &str, options: Options) -> Self {
        let sandbox = bounded(sandbox).into_owned();
        Self { table, sandbox, options, running: Mutex::default() }
    }

    /// Where it writes.
    pub fn table(&self) -> &T {
        &self.table
    }

    /// Writes a request of OTLP, in Protocol Buffers, until `deadline`.
    ///
    /// # Errors
    ///
    /// When it is none, when the table refuses it, or when not all was written by the deadline: then it is to be written
    /// again as a whole.
    pub async fn write(&self, otlp: &[u8], now: SystemTime, deadline: Instant) -> Result<Written, Error> {
        let request =
            ExportTraceServiceRequest::decode(otlp).map_err(|error| Error::Spans(error.to_string()))?;
        self.write_request(request, now, deadline).await
    }

    /// The same of a request that was decoded already.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::write`].
    pub async fn write_request(
        &self,
        request: ExportTraceServiceRequest,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let (now, retention) =
            (millis(now), u64::try_from(self.options.retention.as_millis()).unwrap_or(u64::MAX));
        let mut written = Written::default();
        let runs = group(request);
        let called = Called::among(&runs);
        for runs in runs.chunks(RUNS_AT_ONCE) {
            let (mut spans, mut index) = (Vec::new(), Vec::new());
            for run in runs {
                let plan = plan::plan(run, &self.options.baggage, now, retention)?;
                self.running().count(run, &plan.head, &plan.failures, &called);
                written.too_large += usize::from(plan.spans.is_empty());
                spans.extend(plan.spans);
                index.extend(plan.index);
                written.runs += 1;
                written.left_out += plan.left_out;
            }
            let (totals, marks) = self.totals(retention);
            index.extend(totals);
            // First what the others point to.
            for items in [spans, index] {
                let batch = batch::write(&self.table, items, deadline).await?;
                written.items += batch.items;
                written.units += batch.units;
                written.requests += batch.requests;
            }
            self.running().written(marks);
        }
        Ok(written)
    }

    /// Writes log lines: for each request, or trace of what is no function's, that a batch of them names, an item.
    ///
    /// # Errors
    ///
    /// When the table refuses them, or when not all were written by the deadline: then they are to be written again as
    /// a whole.
    pub async fn write_logs(
        &self,
        request: ExportLogsServiceRequest,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let plan = logs::plan(request, millis(now), self.retention())?;
        let batch = batch::write(&self.table, plan.items, deadline).await?;
        let (items, units, requests) = (batch.items, batch.units, batch.requests);
        Ok(Written { items, units, requests, ..plan.written })
    }

    /// Counts what the platform told of a run when it was over, be it written already or not. It is in the table when
    /// totals are written again: with the next runs, or by [`Writer::write_totals`].
    pub fn report(&self, report: &Report, now: SystemTime) {
        self.running().report(report, millis(now));
    }

    /// Writes the totals that have changed since they were written last, without waiting for more runs.
    ///
    /// # Errors
    ///
    /// When the table refuses them, or when the deadline is there. They are written with the next run of their hour then.
    pub async fn write_totals(&self, deadline: Instant) -> Result<Written, Error> {
        let (totals, marks) = self.totals(self.retention());
        let batch = batch::write(&self.table, totals, deadline).await?;
        self.running().written(marks);
        let (items, units, requests) = (batch.items, batch.units, batch.requests);
        Ok(Written { items, units, requests, ..Written::default() })
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The items of the totals that have changed, and how these stand.
    fn totals(&self, retention: u64) -> (Vec<Item>, Vec<Mark>) {
        let running = self.running();
        let items = running.changed().map(|(hour, function, generation, totals)| {
            // As long as the last run that it counts.
            let expires = ((hour + 1) * HOUR).saturating_add(retention) / 1000;
            item_of_totals(hour, function, &format!("{}-{generation}", self.sandbox), totals, expires)
        });
        (items.collect(), running.marks())
    }

    /// In milliseconds.
    fn retention(&self) -> u64 {
        u64::try_from(self.options.retention.as_millis()).unwrap_or(u64::MAX)
    }

    /// The keys of the baggage that runs are found by.
    #[must_use]
    pub fn baggage(&self) -> BTreeSet<&str> {
        self.options.baggage.iter().map(String::as_str).collect()
    }
}

/// The item of what one sandbox counted of a function in an hour.
fn item_of_totals(hour: u64, function: &str, sandbox: &str, totals: &Totals, expires: u64) -> Item {
    let shard = shard([sandbox.as_bytes()]);
    let sort = sort_of_totals(hour, function, sandbox);
    let place = Place { partition: Partition::Totals { day: hour * HOUR / DAY, shard }, sort, expires };
    place.holding(item([
        ("function", AttributeValue::S(function.to_owned())),
        ("totals", AttributeValue::B(totals::write(totals))),
    ]))
}
