//! Figures beside those of the time before.

use super::*;
use crate::testing::{Told as _, invocation, of_memory, otlp, span};
use crate::time::HOUR;
use crate::{Filter, Trend};

const MIB: u64 = 1024 * 1024;
/// The beginning of the hour that is asked for: now is at 01:47.
const AT: u64 = NOW / HOUR * HOUR;

/// Two runs an hour before last, three in the last and this one, of a new build that fails and takes more memory each time.
async fn shop() -> Table {
    let table = Table::new().await;
    let writer = table.writer();
    let runs = [
        (AT - 3 * HOUR, "old"),
        (AT - 2 * HOUR, "old"),
        (AT - HOUR, "new"),
        (AT, "new"),
        (AT + 60_000, "new"),
    ];
    for (n, (at, build)) in (1..).zip(runs) {
        let run = invocation(n, n, &format!("r-{n}"))
            .attribute("throughline.entry", "http POST /orders")
            .attribute("throughline.source", "sqs orders")
            .attribute("throughline.build_id", build)
            .attribute("throughline.queue_time_ms", "0")
            .attribute("faas.mem_usage", &(n * 40 * MIB).to_string())
            .at(at, 10 * n);
        let run = if n == 2 || n > 3 { run.failed("Declined", &format!("card {n} declined")) } else { run };
        let mut init = span(n, 100 + n, Some(n)).attribute("faas.coldstart", "true").at(at, 200);
        init.name = "init".into();
        let call = span(n, 200 + n, Some(n)).list("throughline.join.out", &format!("s3:{n}"));
        let call =
            call.attribute("messaging.system", "aws_sqs").attribute("messaging.destination.name", "email");
        let call = opentelemetry_proto::tonic::trace::v1::Span { kind: 4, ..call };
        write(&writer, of_memory(otlp("f", [run, call]), 256 * MIB)).await;
        // It comes by itself.
        write(&writer, of_memory(otlp("f", [init]), 256 * MIB)).await;
    }
    table
}

/// From 00:50 on: the hours 0 and 1 are counted, beside 22 and 23.
const WINDOW: Window = Window { from: AT - 600_000, to: NOW };

#[tokio::test]
async fn functions_beside_the_hours_before() {
    let table = shop().await;
    let answer = table.reader().functions(WINDOW, &Filter::default()).await.unwrap();
    let days = WINDOW.whole_hours().with_before().days().count() as u64;
    assert_eq!((answer.requests, days), (2 * 16, 2), "both times are asked for at once");
    let row = &answer.found[0];
    let (now, before) = (&row.now, &row.before);
    assert_eq!((now.figures.runs, now.figures.failures), (3, 2));
    assert_eq!((before.figures.runs, before.figures.failures), (2, 1));
    assert!(now.figures.p95 > before.figures.p95);
    assert_eq!((now.memory, before.memory, row.memory_limit), (200 * MIB, 80 * MIB, 256 * MIB));
    assert_eq!(row.memory_trend, Some(Trend::Rising));
    let hours: Vec<_> =
        row.hours.iter().map(|hour| (hour.hour, hour.runs, hour.failures, hour.memory)).collect();
    assert_eq!(hours, [(AT - HOUR, 1, 0, 120 * MIB), (AT, 2, 2, 200 * MIB)]);
    // Of three runs 30, 40 and 50 ms, and of each 200 ms of init.
    assert!((now.gb_seconds - 0.72 * 0.25).abs() < 1e-9, "{}", now.gb_seconds);
    let init = now.init_p95.unwrap();
    assert!((190_000..=210_000).contains(&init), "{init}");
    let builds: Vec<_> =
        row.builds.iter().map(|build| (build.build.as_str(), build.first, build.last)).collect();
    assert_eq!(builds, [("new", AT - HOUR, AT + 60_000)]);
    assert_eq!(row.builds[0].now.memory, 200 * MIB);
    // A build that is there for longer says so.
    let longer = Window { from: AT - 2 * HOUR, to: NOW };
    let row = table.reader().functions(longer, &Filter::default()).await.unwrap().found.remove(0);
    let builds: Vec<_> = row.builds.iter().map(|build| (build.build.as_str(), build.first)).collect();
    assert_eq!(builds, [("new", AT - HOUR), ("old", AT - 3 * HOUR)]);
}

#[tokio::test]
async fn edges_beside_the_hours_before() {
    let table = shop().await;
    let answer = table.reader().map(WINDOW).await.unwrap();
    let edge = |from: &str| answer.found.edges.iter().find(|edge| edge.from == from).unwrap();
    let sent = edge("f");
    assert_eq!((sent.now.runs, sent.before.runs, sent.joined), (3, 2, true));
    let received = edge("sqs orders");
    assert_eq!((received.now.failures, received.before.failures, received.joined), (2, 1, false));
    let node = |name: &str| answer.found.nodes.iter().find(|node| node.name == name).unwrap();
    let function = node("f");
    assert_eq!((function.function, function.now.runs, function.before.failures), (true, 3, 1));
    let queue = node("sqs orders");
    assert_eq!(
        (queue.function, queue.now.runs, queue.now.failures, queue.waited_p95),
        (false, 3, 2, Some(0))
    );
    assert_eq!((node("sqs email").now.runs, node("sqs email").waited_p95), (3, None));
}

#[tokio::test]
async fn failures_beside_the_time_before() {
    let table = shop().await;
    let window = Window { from: AT - HOUR - 600_000, to: NOW };
    let errors = table.reader().errors(window, &Filter::default()).await.unwrap().found;
    let told: Vec<_> = errors.iter().map(|group| (group.count, group.before, group.first)).collect();
    assert_eq!(told, [(2, 1, AT)], "the first of this time, not of the time before");
    let impact = table.reader().impact("f", window, &Filter::default()).await.unwrap().found;
    assert_eq!((impact.failures, impact.failures_before), (2, 1));
    assert_eq!((impact.runs, impact.runs_before), (Some(4), Some(1)));
    assert_eq!((impact.entries[0].failures_before, impact.errors[0].before), (Some(1), 1));
    let new = table.reader().errors(WINDOW, &Filter::default()).await.unwrap().found;
    assert_eq!((new[0].count, new[0].before), (2, 0));
}
