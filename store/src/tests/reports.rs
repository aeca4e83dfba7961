//! What the platform reports of runs when they are over.

use proptest::prelude::*;

use super::*;
use crate::testing::{Told as _, invocation, of_memory, otlp, span};
use crate::{Filter, FunctionRow, Report};

const MIB: u64 = 1024 * 1024;
const HOUR: u64 = 3_600_000;

/// A run of 256 MiB that took 40 ms.
fn run(id: u64, build: &str) -> ExportTraceServiceRequest {
    let span = invocation(id, id, &format!("r-{id}")).at(NOW, 40);
    of_memory(otlp("f", [span.attribute("throughline.build_id", build)]), 256 * MIB)
}

/// Its init, which comes by itself.
fn init(id: u64) -> ExportTraceServiceRequest {
    let mut init = span(id, 1000 + id, Some(id)).attribute("faas.coldstart", "true").at(NOW - 100, 100);
    init.name = "init".into();
    of_memory(otlp("f", [init]), 256 * MIB)
}

/// Billed for its init too.
fn report(id: u64) -> Report {
    Report {
        request_id: format!("r-{id}"),
        memory: Some((100 + id) * MIB),
        memory_limit: Some(256 * MIB),
        billed_millis: Some(150),
        init: Some(100_000),
    }
}

/// What is billed for so many milliseconds.
fn gb_seconds(millis: f64) -> f64 {
    millis / 1000.0 * 0.25
}

async fn row(table: &Table) -> FunctionRow {
    table.reader().functions(LAST_HOUR, &Filter::default()).await.unwrap().found.remove(0)
}

#[tokio::test]
async fn a_report_is_counted_with_its_run() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, run(1, "one")).await;
    let guessed = row(&table).await;
    assert_eq!((guessed.now.memory, guessed.now.gb_seconds), (0, gb_seconds(40.0)));
    writer.report(&report(1), at(NOW));
    writer.report(&report(2), at(NOW));
    assert_eq!(row(&table).await, guessed, "it is written with what comes next");
    // The second came before its run.
    let units = write(&writer, run(2, "two")).await.units;
    let told = row(&table).await;
    assert_eq!(
        (told.now.figures.runs, told.now.memory, told.memory_limit),
        (2, 102 * MIB, 256 * MIB),
        "of both"
    );
    assert_eq!(told.now.gb_seconds, gb_seconds(300.0));
    assert_eq!(told.now.init_p95, Some(96_785), "100 ms, as a histogram has it");
    let builds: Vec<(&str, u64)> =
        told.builds.iter().map(|build| (build.build.as_str(), build.now.memory)).collect();
    assert_eq!(builds, [("one", 101 * MIB), ("two", 102 * MIB)]);
    assert_eq!(units, write(&table.store.writer("other", Options::default()), run(3, "")).await.units);
}

#[tokio::test]
async fn what_is_reported_or_written_again_changes_nothing() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, run(1, "")).await;
    writer.report(&report(1), at(NOW));
    write(&writer, run(1, "")).await;
    let told = row(&table).await;
    assert_eq!((told.now.figures.runs, told.now.gb_seconds), (1, gb_seconds(150.0)));
    writer.report(&report(1), at(NOW));
    write(&writer, run(1, "")).await;
    assert_eq!(row(&table).await, told);
    // The same request was tried again.
    let again = otlp("f", [invocation(1, 9, "r-1").at(NOW + 60, 40)]);
    write(&writer, of_memory(again, 256 * MIB)).await;
    assert_eq!(row(&table).await.now.gb_seconds, gb_seconds(300.0), "each has a report");
}

#[tokio::test]
async fn the_last_report_needs_no_run_after_it() {
    let table = Table::new().await;
    let writer = table.writer();
    assert_eq!(writer.write_totals(soon()).await.unwrap(), Written::default(), "nothing to tell");
    write(&writer, run(1, "")).await;
    writer.report(&report(1), at(NOW));
    let written = writer.write_totals(soon()).await.unwrap();
    assert_eq!((written.items, written.units, written.requests), (1, 1, 1));
    assert_eq!(row(&table).await.now.memory, 101 * MIB);
    assert_eq!(writer.write_totals(soon()).await.unwrap().items, 0);
}

#[tokio::test]
async fn what_comes_when_totals_may_be_counted_anew_is_late() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, run(1, "")).await;
    write(&writer, run(2, "")).await;
    writer.report(&report(1), at(NOW + HOUR));
    writer.report(&report(2), at(NOW + 2 * HOUR));
    writer.write_totals(soon()).await.unwrap();
    let told = row(&table).await;
    assert_eq!((told.now.memory, told.now.gb_seconds), (101 * MIB, gb_seconds(190.0)));
    let anew = async |hours: u64| {
        let window = Window::new(NOW - HOUR, NOW + 9 * HOUR);
        writer.rebuild_totals(window, at(NOW + hours * HOUR), soon(), |_| ()).await.unwrap()
    };
    assert_eq!(anew(1).await.runs, 0, "its report may still come");
    assert_eq!(anew(2).await.runs, 2);
    let told = row(&table).await;
    assert_eq!((told.now.memory, told.now.gb_seconds), (101 * MIB, gb_seconds(80.0)), "memory is taken over");
    assert_eq!(anew(2).await.runs, 2);
    assert_eq!(row(&table).await, told);
}

#[tokio::test]
async fn where_nothing_is_billed_durations_count() {
    let table = Table::new().await;
    let writer = table.writer();
    writer.report(&Report { billed_millis: None, memory: None, init: None, ..report(1) }, at(NOW));
    write(&writer, run(1, "")).await;
    write(&writer, init(1)).await;
    let told = row(&table).await;
    assert_eq!((told.now.memory, told.now.gb_seconds), (0, gb_seconds(140.0)));
}

#[tokio::test]
async fn runs_without_reports_and_reports_without_runs_are_forgotten_in_the_end() {
    let table = Table::new().await;
    let writer = table.writer();
    for id in 1000..2000 {
        writer.report(&report(id), at(NOW));
    }
    write(&writer, run(1000, "")).await;
    write(&writer, run(1999, "")).await;
    assert_eq!(row(&table).await.now.gb_seconds, gb_seconds(190.0), "the oldest is counted without");
    let resources = (1..=300).flat_map(|id| run(id, "").resource_spans).collect();
    write(&writer, ExportTraceServiceRequest { resource_spans: resources }).await;
    let before = row(&table).await;
    writer.report(&report(1), at(NOW));
    writer.write_totals(soon()).await.unwrap();
    assert_eq!(row(&table).await, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Spans, reports and phases come in any order, and again.
    #[test]
    fn in_whatever_order_it_comes_to_the_same(
        order in Just([0_usize, 1, 2, 3, 4, 5]).prop_shuffle(), again in prop::collection::vec(0..6_usize, 0..4)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let table = Table::embedded().await;
            let writer = table.writer();
            // Phases are told of runs that are known, reports once.
            let mut known = [false; 2];
            for step in order.into_iter().chain(again.into_iter().filter(|step| *step < 4)) {
                let id = 1 + step as u64 % 2;
                match step / 2 {
                    0 => known[step % 2] = write(&writer, run(id, "b")).await.runs > 0,
                    1 if known[step % 2] => drop(write(&writer, init(id)).await),
                    1 => {}
                    _ => writer.report(&report(id), at(NOW)),
                }
            }
            writer.write_totals(soon()).await.unwrap();
            let told = row(&table).await;
            assert_eq!((told.now.figures.runs, told.now.memory), (2, 102 * MIB));
            assert_eq!((told.now.gb_seconds, told.builds.len()), (gb_seconds(300.0), 1));
            assert_eq!(told.builds[0].now.init_p95, told.now.init_p95);
            assert_eq!(told.now.init_p95, Some(96_785));
        });
    }
}
