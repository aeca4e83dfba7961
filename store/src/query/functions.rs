//! What each function did, beside what it did before.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counted::{Figures, Hours, within};
use super::{Answer, Effort, Filter, Reader};
use crate::Error;
use crate::time::{HOUR, Window};
use crate::totals::{Flow, Totals};

/// A MiB and a millisecond, in GB-seconds: Lambda's GB are GiB.
const GB_SECONDS: f64 = 1.0 / (1024.0 * 1000.0);
/// From which change on memory is not steady.
const STEADY: f64 = 0.1;

/// What a function did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunctionRow {
    /// Its name.
    pub function: String,
    /// What it did in these hours.
    #[serde(flatten)]
    pub now: Usage,
    /// What it did in as many hours before them.
    pub before: Usage,
    /// The memory that it is given, in bytes; 0 if nobody told.
    pub memory_limit: u64,
    /// How the most memory that it used went from hour to hour, where two hours and more tell.
    pub memory_trend: Option<Trend>,
    /// Its failures by type.
    pub errors: BTreeMap<String, u64>,
    /// The same by build, the newest first.
    pub builds: Vec<BuildRow>,
    /// The same by hour.
    pub hours: Vec<HourRow>,
}

/// What a function did, and what that took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// How often it ran, and how well.
    #[serde(flatten)]
    pub figures: Figures,
    /// How often in a new sandbox.
    pub cold_starts: u64,
    /// How long 95 of a hundred inits took at most, in microseconds, as far as the platform told.
    pub init_p95: Option<u64>,
    /// The most memory that a run used, in bytes; 0 if the platform told of none.
    pub memory: u64,
    /// Memory and time in GB-seconds, of runs and inits, each rounded up to a millisecond as Lambda bills it; without what
    /// extensions took after a run.
    pub gb_seconds: f64,
}

/// What a function did with one build.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildRow {
    /// The deployed version; empty if none is known.
    pub build: String,
    /// What it did in these hours.
    #[serde(flatten)]
    pub now: Usage,
    /// When it was first seen in these hours and those before, in milliseconds since 1970.
    pub first: u64,
    /// When it was last seen.
    pub last: u64,
}

/// What a function did in an hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HourRow {
    /// When the hour began, in milliseconds since 1970.
    pub hour: u64,
    /// How often it ran.
    pub runs: u64,
    /// How often it failed, or a record.
    pub failures: u64,
    /// The most memory that a run used, in bytes; 0 if the platform told of none.
    pub memory: u64,
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// In the later half of the hours it was at least a tenth more than in the earlier.
    Rising,
    /// It was about the same.
    Steady,
    /// It was at least a tenth less.
    Falling,
}

impl Reader {
    /// What each function did, by name, in the [whole hours](Window::whole_hours) of a window and in as many before. Of
    /// the filter function, entry point, build, and whether they failed are asked, what is counted
    /// ([`Filter::is_counted`]).
    ///
    /// At most days × 16 + 50 requests, of both times together.
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
        let window = window.whole_hours();
        let counted =
            self.totals_by_hour(window.with_before(), filter.function.as_deref(), &mut effort).await?;
        let rows = counted.into_iter().map(|(function, mut hours)| {
            hours.values_mut().for_each(|totals| filter.narrow(totals));
            row(function, &hours, window)
        });
        let asked = |row: &FunctionRow| {
            let figures = &row.now.figures;
            let ran = figures.runs + figures.failures > 0;
            ran && filter.failed.is_none_or(|failed| failed == (figures.failures > 0))
        };
        Ok(effort.answer(rows.filter(asked).collect()))
    }
}

fn row(function: String, hours: &Hours, window: Window) -> FunctionRow {
    let (now, before) = (within(hours, window), within(hours, window.before()));
    let sum = now.sum();
    let of_window = hours.range(window.from / HOUR..=window.to / HOUR);
    let rows = of_window.map(|(hour, totals)| {
        let Flow { runs, failures, memory, .. } = totals.sum();
        HourRow { hour: hour * HOUR, runs, failures, memory }
    });
    let rows: Vec<HourRow> = rows.collect();
    let memory: Vec<u64> = rows.iter().map(|row| row.memory).filter(|memory| *memory > 0).collect();
    let mut builds = builds(&now);
    let mut seen = now;
    seen.merge(&before);
    for build in &mut builds {
        let flows = seen.flows.iter().filter(|((_, of), _)| *of == build.build);
        build.first = flows.map(|(_, flow)| flow.first).filter(|first| *first > 0).min().unwrap_or_default();
    }
    FunctionRow {
        function,
        now: Usage::of(&sum),
        before: Usage::of(&before.sum()),
        memory_limit: sum.memory_limit,
        memory_trend: trend(&memory),
        errors: sum.kinds(),
        builds,
        hours: rows,
    }
}

impl Usage {
    fn of(flow: &Flow) -> Self {
        Self {
            figures: Figures::new(flow.runs, flow.failures, &flow.durations),
            cold_starts: flow.cold_starts,
            init_p95: flow.inits.quantile(0.95),
            memory: flow.memory,
            gb_seconds: flow.mib_millis as f64 * GB_SECONDS,
        }
    }
}

/// By build, the one that was first seen last before others.
pub(super) fn builds(totals: &Totals) -> Vec<BuildRow> {
    let mut builds: BTreeMap<&str, Flow> = BTreeMap::new();
    for ((_, build), flow) in &totals.flows {
        builds.entry(build).or_default().merge(flow);
    }
    // What the platform told by itself knows of no build.
    builds.retain(|_, flow| flow.runs + flow.failures > 0);
    let row = |(build, flow): (&str, Flow)| BuildRow {
        build: build.to_owned(),
        now: Usage::of(&flow),
        first: flow.first,
        last: flow.last,
    };
    let mut builds: Vec<BuildRow> = builds.into_iter().map(row).collect();
    builds.sort_by(|a, b| b.first.cmp(&a.first).then_with(|| a.build.cmp(&b.build)));
    builds
}

/// The earlier half against the later.
fn trend(values: &[u64]) -> Option<Trend> {
    let (earlier, later) = values.split_at(values.len() / 2);
    let mean = |values: &[u64]| values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64;
    if earlier.is_empty() {
        return None;
    }
    let change = mean(later) / mean(earlier) - 1.0;
    Some(match change {
        change if change >= STEADY => Trend::Rising,
        change if change <= -STEADY => Trend::Falling,
        _ => Trend::Steady,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_rises_or_is_steady() {
        assert_eq!(trend(&[]), None);
        assert_eq!(trend(&[100]), None);
        assert_eq!(trend(&[100, 109]), Some(Trend::Steady));
        assert_eq!(trend(&[100, 110, 120, 140]), Some(Trend::Rising));
        assert_eq!(trend(&[100, 60, 60]), Some(Trend::Falling));
    }
}
