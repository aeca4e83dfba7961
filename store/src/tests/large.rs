//! Runs that are larger than an item.

use super::*;
use crate::testing::{Told as _, invocation, otlp};

/// Text that hardly compresses, the same each time.
fn noise(bytes: usize) -> String {
    let mut random = fastrand::Rng::with_seed(1);
    (0..bytes).map(|_| random.alphanumeric()).collect()
}

fn large() -> ExportTraceServiceRequest {
    otlp("f", [invocation(1, 1, "r-1").attribute("throughline.event", &noise(1_500_000))])
}

#[tokio::test]
async fn are_in_several_and_whole() {
    let table = Table::new().await;
    table.write(large()).await;
    let parts = table.items().await.into_iter().filter(|item| item["pk"].as_s().unwrap() == "spans#r-1");
    let sizes: Vec<usize> = parts.map(size).collect();
    assert!(sizes.len() > 2 && sizes.iter().all(|size| *size <= 400 * 1024), "{sizes:?}");
    let answer = table.reader().export(&trace(1)).await.unwrap();
    assert_eq!(answer.found, large());
    assert!(answer.damaged.is_empty());
}

#[tokio::test]
async fn without_one_part_are_told_as_damaged() {
    let table = Table::new().await;
    table.write(large()).await;
    let items = table.items().await;
    let part = items.iter().rfind(|item| item["pk"].as_s().unwrap() == "spans#r-1").unwrap();
    let delete = table.client.delete_item().table_name(&table.name);
    delete.key("pk", part["pk"].clone()).key("sk", part["sk"].clone()).send().await.unwrap();
    let answer = table.reader().transaction(&trace(1)).await.unwrap();
    assert_eq!((answer.found.runs.len(), answer.found.spans.len()), (1, 0));
    assert_eq!(answer.damaged.len(), 1);
    assert!(answer.damaged[0].why.contains("parts are here"), "{:?}", answer.damaged);
}

/// Megabytes that compress well, as of a payload that repeats itself.
#[tokio::test]
async fn a_long_attribute_does_not_get_into_keys_and_lists() {
    let table = Table::new().await;
    let long = "x".repeat(1_000_000);
    let span = invocation(1, 1, &long)
        .attribute("throughline.source", "sqs payments")
        .attribute("correlation.id", &long)
        .attribute("user.id", &long)
        .attribute("messaging.message.id", &long)
        .attribute("throughline.entry", &long)
        .list("throughline.join.in", &format!("sqs:{long}"))
        .failed(&long, &long);
    let request = otlp(&long, [span]);
    table.write(request.clone()).await;
    let reader = table.reader();
    assert_eq!(reader.export(&trace(1)).await.unwrap().found, request);
    let failures = reader.failures(&long, LAST_HOUR, &Default::default(), 1).await.unwrap().found;
    assert_eq!(failures.len(), 1);
    let found = reader.find(&long, &["user.id"]).await.unwrap().found;
    assert_eq!(found.len(), 3, "by request, correlation and user: {found:?}");
    assert_eq!(reader.find(&format!("sqs:{long}"), &[]).await.unwrap().found.len(), 1);
    for item in table.items().await {
        let is_spans = item["pk"].as_s().unwrap().starts_with("spans#");
        assert!(is_spans || size(item) < 4096);
    }
}

#[tokio::test]
async fn too_large_ones_are_told_without_their_spans_and_hold_nobody_up() {
    let table = Table::new().await;
    let huge = invocation(1, 1, "r-1").attribute("throughline.event", &"x".repeat(65 << 20));
    let written = table.write(otlp("f", [huge, invocation(2, 2, "r-2")])).await;
    assert_eq!((written.runs, written.too_large), (2, 1));
    let runs = table.reader().runs("f", LAST_HOUR, &Default::default(), 9).await.unwrap().found;
    assert_eq!(runs.len(), 2);
    assert_eq!(table.reader().transaction(&trace(1)).await.unwrap().found.spans.len(), 0);
}

#[tokio::test]
async fn of_a_transaction_at_most_so_much_is_read() {
    let table = Table::new().await;
    let event = "x".repeat(40 << 20);
    let run = |id: u64| invocation(1, id, &format!("r-{id}")).attribute("throughline.event", &event);
    table.write(otlp("f", [run(1), run(2)])).await;
    let answer = table.reader().transaction(&trace(1)).await.unwrap();
    assert!(answer.at_least && answer.damaged.is_empty());
    assert_eq!((answer.found.runs.len(), answer.found.spans.len()), (2, 1));
}

/// Of a transaction that is larger than what is read of one, what failed is read first.
#[tokio::test]
async fn of_too_many_runs_those_that_failed_are_told() {
    // Of so many items moto looks at each for each request.
    let table = Table::embedded().await;
    let run = |n: u64| {
        let run = invocation(1, n, &format!("r-{n}")).at(NOW - 60_000 + n, 1);
        let run = if n == 1 { run } else { run.child_of(1) };
        if n == 640 { run.failed("Broken", "no") } else { run }
    };
    table.write(otlp("f", (1..=650).map(run))).await;
    let answer = table.reader().transaction(&trace(1)).await.unwrap();
    let runs = &answer.found.runs;
    let failed: Vec<&str> =
        runs.iter().filter(|run| run.failed()).map(|run| run.request_id.as_str()).collect();
    assert_eq!((runs.len(), failed, runs[0].request_id.as_str()), (500, vec!["r-640"], "r-1"));
    assert!(answer.at_least);
}
