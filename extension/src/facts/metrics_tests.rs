use super::{INTERVAL, Metrics, Temporality};
use crate::accounts::{Accounts, Reason};
use crate::facts::event::{End, Metrics as Measured};
use crate::otlp::{Signal, inspect};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message as _;

fn end(status: &str, metrics: Measured) -> End {
    End { status: status.into(), metrics, ..End::default() }
}

fn ran(millis: f64) -> Measured {
    Measured { duration_ms: Some(millis), ..Measured::default() }
}

/// Name, count and sum of each whose name begins so.
fn told(request: &ExportMetricsServiceRequest, prefix: &str) -> Vec<(String, u64, f64)> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let number = |value: Option<Value>| match value {
        Some(Value::AsInt(number)) => u64::try_from(number).expect("not negative"),
        other => panic!("{other:?}"),
    };
    let read = |data: &Data| match data {
        Data::Sum(sum) => (number(sum.data_points[0].value), 0.0),
        Data::Gauge(gauge) => (number(gauge.data_points[0].value), 0.0),
        Data::Histogram(histogram) => {
            let point = &histogram.data_points[0];
            assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
            assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
            (point.count, point.sum.unwrap_or_default())
        }
        other => panic!("{other:?}"),
    };
    let metrics = scopes.flat_map(|scope| &scope.metrics).filter(|metric| metric.name.starts_with(prefix));
    let rows = metrics.map(|metric| {
        let (count, sum) = read(metric.data.as_ref().expect("data"));
        (metric.name.clone(), count, sum)
    });
    rows.collect()
}

/// Begin of the first sum, and how it counts.
fn window(request: &ExportMetricsServiceRequest) -> (u64, u64, i32) {
    match &request.resource_metrics[0].scope_metrics[0].metrics[0].data {
        Some(Data::Sum(sum)) => {
            let point = &sum.data_points[0];
            (point.start_time_unix_nano, point.time_unix_nano, sum.aggregation_temporality)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn deltas_are_told_once_and_sums_again() {
    for (temporality, code) in [(Temporality::Delta, 1), (Temporality::Cumulative, 2)] {
        let mut metrics = Metrics::new(temporality, 1);
        assert!(metrics.tell(&Default::default(), Vec::new(), 2).is_none());
        metrics.done(&end("success", ran(500.0)));
        metrics.done(&end("timeout", ran(3000.0)));
        metrics.done(&end("error", ran(-1.0)));
        let measured = Measured {
            init_duration_ms: Some(250.0),
            billed_duration_ms: Some(1000.0),
            max_memory_used_mb: Some(100.0),
            ..ran(500.0)
        };
        metrics.report(&end("success", measured));
        let nonsense = Measured { max_memory_used_mb: Some(f64::INFINITY), ..Measured::default() };
        metrics.report(&end("success", nonsense));
        let (request, count) = metrics.tell(&Default::default(), Vec::new(), 7).expect("some");
        let expected = [
            ("faas.invocations", 1, 0.0),
            ("faas.errors", 2, 0.0),
            ("faas.timeouts", 1, 0.0),
            ("faas.coldstarts", 1, 0.0),
            ("faas.invoke_duration", 2, 3.5),
            ("faas.init_duration", 1, 0.25),
            ("faas.mem_usage", 1, 104_857_600.0),
            ("throughline.billed_duration", 1, 1.0),
        ];
        assert_eq!(told(&request, ""), expected.map(|(name, count, sum)| (name.to_owned(), count, sum)));
        assert_eq!(inspect(Signal::Metrics, &request.encode_to_vec()).expect("OTLP").items, count);
        assert_eq!(window(&request), (1, 7, code));

        metrics.done(&end("success", ran(1.0)));
        let (request, _) = metrics.tell(&Default::default(), Vec::new(), 9).expect("some");
        let (since, invocations) = if temporality == Temporality::Delta { (7, 1) } else { (1, 2) };
        assert_eq!(window(&request), (since, 9, code));
        assert_eq!(told(&request, "faas.invocations"), [("faas.invocations".into(), invocations, 0.0)]);
    }
}

#[test]
fn what_became_of_telemetry_is_told_beside() {
    let accounts = |exported| {
        let mut accounts = Accounts::new(vec!["one".into()]);
        accounts.received(Signal::Traces, 10);
        accounts.exported(0, Signal::Traces, exported);
        accounts.dropped(0, Signal::Traces, 2, Reason::Refused);
        accounts.tallies()
    };
    let row = |name: &str, count| (name.to_owned(), count, 0.0);
    for (temporality, exported, received) in
        [(Temporality::Delta, 3, None), (Temporality::Cumulative, 7, Some(10))]
    {
        let mut metrics = Metrics::new(temporality, 1);
        assert!(metrics.tell(&Default::default(), accounts(4), 2).is_none(), "of an idle sandbox nothing");
        metrics.done(&end("success", ran(1.0)));
        let (request, _) = metrics.tell(&Default::default(), accounts(4), 3).expect("some");
        let mut expected = vec![
            row("throughline.received", 10),
            row("throughline.exported", 4),
            row("throughline.dropped", 2),
            row("throughline.kept", 4),
        ];
        assert_eq!(told(&request, "throughline."), expected);
        metrics.done(&end("success", ran(1.0)));
        let (request, _) = metrics.tell(&Default::default(), accounts(7), 4).expect("some");
        expected = vec![row("throughline.exported", exported), row("throughline.kept", 1)];
        if let Some(received) = received {
            expected.insert(0, row("throughline.received", received));
            expected.insert(2, row("throughline.dropped", 2));
        }
        assert_eq!(told(&request, "throughline."), expected, "{temporality:?}");
    }
}

#[test]
fn they_are_due_once_a_minute() {
    let mut metrics = Metrics::new(Temporality::Delta, 5);
    assert!(!metrics.are_due(0) && !metrics.are_due(INTERVAL + 4) && metrics.are_due(INTERVAL + 5));
    assert!(metrics.tell(&Default::default(), Vec::new(), INTERVAL + 5).is_none());
    assert!(!metrics.are_due(INTERVAL + 6));
}
