//! What the sandboxes have counted: functions, and the edges of the map.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ask::Ask;
use super::{Answer, Effort, Filter, Reader};
use crate::Error;
use crate::hash::SHARDS;
use crate::item::{Damaged, Item, bytes, text};
use crate::schema::{Partition, totals_within};
use crate::time::Window;
use crate::totals::{self, Flow, Histogram, Totals};

/// What a function did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunctionRow {
    /// Its name.
    pub function: String,
    /// How often it ran.
    pub runs: u64,
    /// How often it failed, or a record.
    pub failures: u64,
    /// How often in a new sandbox.
    pub cold_starts: u64,
    /// The most memory that a run used, in bytes; 0 if the platform told of none.
    pub memory: u64,
    /// How long half of its runs took at most, in microseconds.
    pub p50: Option<u64>,
    /// How long 95 of a hundred took at most.
    pub p95: Option<u64>,
    /// Its failures by type.
    pub errors: BTreeMap<String, u64>,
    /// The same by build.
    pub builds: Vec<BuildRow>,
}

/// What a function did with one build.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildRow {
    /// The deployed version; empty if none is known.
    pub build: String,
    /// How often it ran.
    pub runs: u64,
    /// How often it failed, or a record.
    pub failures: u64,
    /// How long half of its runs took at most, in microseconds.
    pub p50: Option<u64>,
    /// How long 95 of a hundred took at most.
    pub p95: Option<u64>,
}

/// An edge of the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapEdge {
    /// Who called or sent: a function, or `sqs email`, `http POST /orders`.
    pub from: String,
    /// Who was called or received.
    pub to: String,
    /// How often.
    pub calls: u64,
    /// How often it failed.
    pub errors: u64,
    /// How long half of the calls took at most, in microseconds. From a queue to a function it is the time in the queue.
    pub p50: Option<u64>,
    /// How long 95 of a hundred took at most.
    pub p95: Option<u64>,
}

impl Reader {
    /// What each function did, by name: of the filter function, entry point, build, and whether they failed are asked, what
    /// is counted ([`Filter::is_counted`]). Whole hours are counted, those of both ends included.
    ///
    /// At most days × 16 + 50 requests.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn functions(
        &self,
        window: Window,
        filter: &Filter,
    ) -> Result<Answer<Vec<FunctionRow>>, Error> {
        let mut effort = Effort::default();
        let totals = self.totals(window, filter.function.as_deref(), &mut effort).await?;
        let rows = totals.into_iter().map(|(function, mut totals)| {
            filter.narrow(&mut totals);
            row(function, &totals)
        });
        let asked = |row: &FunctionRow| {
            let ran = row.runs + row.failures > 0;
            ran && filter.failed.is_none_or(|failed| failed == (row.failures > 0))
        };
        Ok(effort.answer(rows.filter(asked).collect()))
    }

    /// Who calls whom. Whole hours are counted, those of both ends included.
    ///
    /// At most days × 16 + 50 requests.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn map(&self, window: Window) -> Result<Answer<Vec<MapEdge>>, Error> {
        let mut effort = Effort::default();
        let mut sum = Totals::default();
        self.totals(window, None, &mut effort).await?.values().for_each(|totals| sum.merge(totals));
        let edges = sum.edges.into_iter().map(|((from, to), edge)| {
            let (p50, p95) = quantiles(&edge.durations);
            MapEdge { from, to, calls: edge.calls, errors: edge.errors, p50, p95 }
        });
        Ok(effort.answer(edges.collect()))
    }

    /// What was counted of each function, or of one.
    pub(super) async fn totals(
        &self,
        window: Window,
        function: Option<&str>,
        effort: &mut Effort,
    ) -> Result<BTreeMap<String, Totals>, Error> {
        let shards = window.days().flat_map(|day| (0..SHARDS).map(move |shard| (day, shard)));
        let asks = shards.map(|(day, shard)| {
            let ask = Ask::between(Partition::Totals { day, shard }, totals_within(window));
            match function {
                Some(function) => ask.only("function", function),
                None => ask,
            }
        });
        let items = self.all(asks.collect(), effort).await?;
        let mut sums: BTreeMap<String, Totals> = BTreeMap::new();
        for item in items {
            match read(&item) {
                Ok((name, totals)) => sums.entry(name).or_default().merge(&totals),
                Err(damaged) => effort.damaged.push(damaged),
            }
        }
        Ok(sums)
    }
}

fn read(item: &Item) -> Result<(String, Totals), Damaged> {
    let (function, bytes) = text(item, "function")
        .zip(bytes(item, "totals"))
        .ok_or_else(|| Damaged::new(item, "no totals of ours"))?;
    let totals = totals::read(bytes).map_err(|error| Damaged::new(item, error))?;
    Ok((function.to_owned(), totals))
}

fn row(function: String, totals: &Totals) -> FunctionRow {
    let Flow { runs, failures, cold_starts, memory, durations, errors, .. } = totals.sum();
    let (p50, p95) = quantiles(&durations);
    FunctionRow { function, runs, failures, cold_starts, memory, p50, p95, errors, builds: builds(totals) }
}

pub(super) fn builds(totals: &Totals) -> Vec<BuildRow> {
    let mut builds: BTreeMap<&str, Flow> = BTreeMap::new();
    for ((_, build), flow) in &totals.flows {
        builds.entry(build).or_default().merge(flow);
    }
    let builds = builds.into_iter().map(|(build, flow)| {
        let (p50, p95) = quantiles(&flow.durations);
        BuildRow { build: build.to_owned(), runs: flow.runs, failures: flow.failures, p50, p95 }
    });
    builds.collect()
}

fn quantiles(durations: &Histogram) -> (Option<u64>, Option<u64>) {
    (durations.quantile(0.5), durations.quantile(0.95))
}
