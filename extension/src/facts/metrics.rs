//! The `faas.*` metrics of the semantic conventions (<https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/>),
//! counted from the platform's facts, and what became of all telemetry, from the accounts.
//!
//! As deltas, unless something else is asked for: a sandbox lives for minutes and there are hundreds of them. Cumulative
//! series would be as many, each with a start of its own.

use super::event::{End, millis};
use super::{FunctionInfo, spans};
use crate::accounts::Tally;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};

/// How often they are told, as SDKs do by default (`OTEL_METRIC_EXPORT_INTERVAL`); in nanoseconds.
const INTERVAL: u64 = 60_000_000_000;
/// Seconds, to Lambda's longest time-out: the bounds of the conventions, and some above.
const SECONDS: [f64; 17] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 60.0, 300.0, 900.0];
/// Bytes: about Lambda's least memory to its most, doubled each time.
const BYTES: [f64; 8] = [
    64.0 * MIB,
    128.0 * MIB,
    256.0 * MIB,
    512.0 * MIB,
    1024.0 * MIB,
    2048.0 * MIB,
    4096.0 * MIB,
    10_240.0 * MIB,
];
const MIB: f64 = 1_048_576.0;

/// What a number counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporality {
    /// The time that it was told last.
    Delta,
    /// The start of the sandbox.
    Cumulative,
}

/// What was counted.
#[derive(Debug)]
pub struct Metrics {
    temporality: Temporality,
    /// Since when, and when it was told last; nanoseconds since 1970.
    since: u64,
    told: u64,
    invocations: u64,
    errors: u64,
    timeouts: u64,
    coldstarts: u64,
    invoke_duration: Values,
    init_duration: Values,
    billed_duration: Values,
    memory: Values,
    /// Of the accounts, what was told already.
    tallies: Vec<Tally>,
}

/// Values in buckets.
#[derive(Debug, Default)]
struct Values {
    buckets: Vec<u64>,
    count: u64,
    sum: f64,
}

/// What the numbers are of.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: u64,
    now: u64,
    temporality: Temporality,
}

// === impl Metrics ===

impl Metrics {
    /// Nothing counted, at this time.
    pub fn new(temporality: Temporality, now: u64) -> Self {
        Self {
            temporality,
            since: now,
            told: now,
            invocations: 0,
            errors: 0,
            timeouts: 0,
            coldstarts: 0,
            invoke_duration: Values::default(),
            init_duration: Values::default(),
            billed_duration: Values::default(),
            memory: Values::default(),
            tallies: Vec::new(),
        }
    }

    /// An invocation ended. The conventions' `invocations` are those that went well; a time-out is an error, as Lambda's own
    /// metrics have it.
    pub(super) fn done(&mut self, end: &End) {
        let ok = end.is_success();
        self.invocations += u64::from(ok);
        self.errors += u64::from(!ok);
        self.timeouts += u64::from(end.status == "timeout");
        self.invoke_duration.add(seconds(end.metrics.duration_ms), &SECONDS);
    }

    /// Its report. Only the one of a cold start has the time that init took.
    pub(super) fn report(&mut self, end: &End) {
        self.coldstarts += u64::from(end.metrics.init_duration_ms.is_some());
        self.init_duration.add(seconds(end.metrics.init_duration_ms), &SECONDS);
        self.billed_duration.add(seconds(end.metrics.billed_duration_ms), &SECONDS);
        self.memory.add(end.memory_used().map(|bytes| bytes as f64), &BYTES);
    }

    /// Whether it is time to tell.
    pub fn are_due(&self, now: u64) -> bool {
        now.saturating_sub(self.told) >= INTERVAL
    }

    /// What was counted, and how many metrics that is; `None`, if that is nothing.
    pub fn tell(
        &mut self,
        function: &FunctionInfo,
        tallies: Vec<Tally>,
        now: u64,
    ) -> Option<(ExportMetricsServiceRequest, u64)> {
        let window = Window { since: self.since, now: now.max(self.since), temporality: self.temporality };
        let Self { invocations, errors, timeouts, coldstarts, .. } = *self;
        let sums = [
            ("faas.invocations", "{invocation}", invocations),
            ("faas.errors", "{error}", errors),
            ("faas.timeouts", "{timeout}", timeouts),
            ("faas.coldstarts", "{coldstart}", coldstarts),
        ];
        let sums = sums.into_iter().filter(|(.., count)| *count > 0);
        let mut metrics: Vec<Metric> = sums
            .map(|(name, unit, count)| metric(name, unit, sum(vec![window.point(count, vec![])], window)))
            .collect();
        let values = [
            ("faas.invoke_duration", "s", &self.invoke_duration, &SECONDS[..]),
            ("faas.init_duration", "s", &self.init_duration, &SECONDS[..]),
            ("faas.mem_usage", "By", &self.memory, &BYTES[..]),
            // The conventions have no name for it.
            ("throughline.billed_duration", "s", &self.billed_duration, &SECONDS[..]),
        ];
        let values = values.into_iter().filter(|(_, _, values, _)| values.count > 0);
        metrics.extend(
            values.map(|(name, unit, values, bounds)| metric(name, unit, histogram(values, bounds, window))),
        );
        // What is told of an idle sandbox would be that it told something.
        if !metrics.is_empty() {
            metrics.extend(self.accounts(&tallies, window));
        }
        match self.temporality {
            Temporality::Delta if !metrics.is_empty() => {
                *self = Self { tallies, ..Self::new(Temporality::Delta, now) }
            }
            _ => self.told = now,
        }
        let count = metrics.len() as u64;
        let scope_metrics =
            vec![ScopeMetrics { scope: Some(spans::scope()), metrics, ..ScopeMetrics::default() }];
        let resource = Some(spans::resource(function));
        let resource_metrics =
            vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
        (count > 0).then_some((ExportMetricsServiceRequest { resource_metrics }, count))
    }

    fn accounts(&self, tallies: &[Tally], window: Window) -> Vec<Metric> {
        let mut metrics: Vec<Metric> = Vec::new();
        for tally in tallies {
            let told = match self.temporality {
                Temporality::Delta if !tally.stays => self.tallies.iter().find(|told| told.is_of(tally)),
                _ => None,
            };
            let count = tally.count.saturating_sub(told.map_or(0, |told| told.count));
            if count == 0 && !tally.stays {
                continue;
            }
            let point = window.point(count, attributes(tally));
            let known = metrics.iter_mut().find(|metric| metric.name == tally.name);
            match known.map(|metric| &mut metric.data) {
                Some(Some(Data::Sum(sum))) => sum.data_points.push(point),
                Some(Some(Data::Gauge(gauge))) => gauge.data_points.push(point),
                _ if tally.stays => {
                    let gauge = Data::Gauge(Gauge { data_points: vec![point] });
                    metrics.push(metric(tally.name, "{item}", gauge));
                }
                _ => metrics.push(metric(tally.name, "{item}", sum(vec![point], window))),
            }
        }
        metrics
    }
}

fn attributes(tally: &Tally) -> Vec<KeyValue> {
    let mut attributes = vec![
        spans::text("throughline.signal", tally.signal.name()),
        spans::text("throughline.destination", &tally.destination),
    ];
    attributes.extend(tally.reason.map(|reason| spans::text("throughline.reason", reason.name())));
    attributes
}

// === impl Values ===

impl Values {
    fn add(&mut self, value: Option<f64>, bounds: &[f64]) {
        let Some(value) = value else { return };
        self.buckets.resize(bounds.len() + 1, 0);
        self.buckets[bounds.partition_point(|bound| *bound < value)] += 1;
        self.count += 1;
        self.sum += value;
    }
}

// === impl Window ===

impl Window {
    fn point(self, count: u64, attributes: Vec<KeyValue>) -> NumberDataPoint {
        let value = Some(Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX)));
        let (start_time_unix_nano, time_unix_nano) = (self.since, self.now);
        NumberDataPoint {
            start_time_unix_nano,
            time_unix_nano,
            value,
            attributes,
            ..NumberDataPoint::default()
        }
    }

    fn temporality(self) -> i32 {
        match self.temporality {
            Temporality::Delta => AggregationTemporality::Delta as i32,
            Temporality::Cumulative => AggregationTemporality::Cumulative as i32,
        }
    }
}

fn seconds(told: Option<f64>) -> Option<f64> {
    millis(told).map(|duration| duration.as_secs_f64())
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.into(), unit: unit.into(), data: Some(data), ..Metric::default() }
}

fn sum(data_points: Vec<NumberDataPoint>, window: Window) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality: window.temporality(), is_monotonic: true })
}

fn histogram(values: &Values, bounds: &[f64], window: Window) -> Data {
    let point = HistogramDataPoint {
        start_time_unix_nano: window.since,
        time_unix_nano: window.now,
        count: values.count,
        sum: Some(values.sum),
        bucket_counts: values.buckets.clone(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    };
    Data::Histogram(Histogram { data_points: vec![point], aggregation_temporality: window.temporality() })
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
