//! What is written again changes nothing.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp, span};

fn request() -> ExportTraceServiceRequest {
    let failed = invocation(1, 1, "r-1").attribute("user.id", "u-1").failed("Broken", "it is broken");
    otlp("f", [failed, span(1, 2, Some(1))])
}

#[tokio::test]
async fn the_same_writer_and_another_one_of_its_name_write_the_same() {
    let table = Table::new().await;
    let writer = table.writer();
    let first = write(&writer, request()).await;
    let items = table.items().await;
    assert_eq!(items.len(), first.items);
    assert_eq!(write(&writer, request()).await, first);
    assert_eq!(table.items().await, items);
    // As after a restart, or who reads the same file in twice.
    assert_eq!(table.write(request()).await, first);
    assert_eq!(table.items().await, items);
    let twice = ExportTraceServiceRequest {
        resource_spans: [request().resource_spans, request().resource_spans].concat(),
    };
    table.write(twice).await;
    assert_eq!(table.items().await, items, "one key twice in one batch");
    let functions = table.reader().functions(LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!((functions[0].now.figures.runs, functions[0].now.figures.failures), (1, 1));
}

#[tokio::test]
async fn a_retry_has_the_request_id_and_is_a_run_of_its_own() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, request()).await;
    write(&writer, otlp("f", [invocation(1, 9, "r-1").at(NOW + 60, 1)])).await;
    let runs = table.reader().runs("f", LAST_HOUR, &Default::default(), 10).await.unwrap().found;
    assert_eq!(runs.iter().map(|run| run.failed()).collect::<Vec<_>>(), [false, true]);
    let transaction = table.reader().transaction(&trace(1)).await.unwrap().found;
    assert_eq!((transaction.runs.len(), transaction.spans.len()), (2, 3));
    let functions = table.reader().functions(LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!((functions[0].now.figures.runs, functions[0].now.figures.failures), (2, 1));
}

#[tokio::test]
async fn a_part_that_comes_later_does_not_count() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, otlp("f", [invocation(1, 1, "r-1").attribute("faas.mem_usage", "5000000")])).await;
    let call = span(1, 3, Some(2)).failed("Refused", "by somebody");
    write(&writer, otlp("f", [span(1, 2, Some(1)), call])).await;
    let reader = table.reader();
    let row = reader.functions(LAST_HOUR, &Filter::default()).await.unwrap().found.remove(0);
    assert_eq!((row.now.figures.runs, row.now.figures.failures, row.now.memory), (1, 0, 5_000_000));
    assert_eq!(reader.runs("f", LAST_HOUR, &Default::default(), 9).await.unwrap().found.len(), 1);
    assert_eq!(reader.failures("f", LAST_HOUR, &Default::default(), 9).await.unwrap().found, []);
    let transaction = reader.transaction(&trace(1)).await.unwrap().found;
    assert_eq!((transaction.runs.len(), transaction.spans.len()), (1, 3));
}

#[tokio::test]
async fn what_the_platform_tells_later_is_a_failure() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, otlp("f", [invocation(1, 1, "r-1")])).await;
    let mut told = otlp("f", [span(1, 2, Some(1)).failed("Function.ResponseSizeTooLarge", "too large")]);
    told.resource_spans[0].scope_spans[0].scope =
        Some(InstrumentationScope { name: "throughline-extension".into(), ..Default::default() });
    write(&writer, told).await;
    let row = table.reader().functions(LAST_HOUR, &Filter::default()).await.unwrap().found.remove(0);
    assert_eq!((row.now.figures.runs, row.now.figures.failures), (1, 1));
    let failures = table.reader().failures("f", LAST_HOUR, &Default::default(), 9).await.unwrap().found;
    assert_eq!(failures[0].error.as_ref().unwrap().kind, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn totals_of_several_sandboxes_add_up() {
    let table = Table::new().await;
    for (sandbox, id) in [("a", 1), ("b", 2), ("c", 3)] {
        let writer = table.store.writer(sandbox, Options::default());
        write(&writer, otlp("f", [invocation(id, id, &format!("r-{id}"))])).await;
    }
    let functions = table.reader().functions(LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!(
        functions.iter().map(|row| (row.function.as_str(), row.now.figures.runs)).collect::<Vec<_>>(),
        [("f", 3)]
    );
}

#[tokio::test]
async fn the_table_is_made_once() {
    let table = Table::new().await;
    table.write(request()).await;
    table.store.create_table().await.unwrap();
    assert!(!table.items().await.is_empty());
}

#[tokio::test]
async fn totals_are_counted_anew_from_the_spans() {
    let table = Table::new().await;
    let earlier = NOW - 2 * 3_600_000;
    let runs = (1..=20).map(|id| {
        let run =
            invocation(id, id, &format!("r-{id}")).attribute("throughline.source", "sqs q").at(earlier, id);
        if id % 4 == 0 { run.attribute("user.id", &format!("u-{id}")).failed("Broken", "b") } else { run }
    });
    let request = otlp("f", runs);
    let writer = table.writer();
    write(&writer, request.clone()).await;
    write(&writer, otlp("g", [invocation(90, 90, "r-90")])).await;
    let window = Window::new(NOW - 5 * 3_600_000, NOW);
    let reader = table.reader();
    let answers = async || {
        let any = Filter::default();
        let errors = reader.errors(window, &any).await.unwrap();
        (reader.functions(window, &any).await.unwrap(), reader.map(window).await.unwrap(), errors)
    };
    let before = answers().await;
    // Read in once more, but under another name: everything counts twice.
    write(&table.store.writer("other", Options::default()), request).await;
    let (functions, _, errors) = answers().await;
    assert_eq!((functions.found[0].now.figures.runs, errors.found[0].count), (40, 10));
    let rebuilt = writer.rebuild_totals(window, at(NOW), soon(), |_| ()).await.unwrap();
    assert_eq!(
        (rebuilt.runs, rebuilt.items, rebuilt.removed, rebuilt.damaged),
        (20, 1, 2, 0),
        "not of this hour"
    );
    assert_eq!(answers().await, before);
    let again = writer.rebuild_totals(window, at(NOW), soon(), |_| ()).await.unwrap();
    assert_eq!((again.runs, again.removed), (20, 0));
    assert_eq!(answers().await, before);
}
