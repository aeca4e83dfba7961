//! What nobody means to make: circles, orphans, and items that are gone while one asks.

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp, span};

/// Asks everything that may follow a trace.
async fn ask(table: &Table, asked: u64) -> crate::Transaction {
    let (reader, any) = (table.reader(), Filter::default());
    reader.transactions(LAST_HOUR, &any, 10).await.unwrap();
    reader.errors(LAST_HOUR, &any).await.unwrap();
    reader.impact("f", LAST_HOUR, &any).await.unwrap();
    let transaction = reader.transaction(&trace(asked)).await.unwrap().found;
    reader.last_good(&transaction).await.unwrap();
    reader.logs(&transaction.runs).await.unwrap();
    transaction
}

#[tokio::test]
async fn messages_that_go_round_in_a_circle() {
    let table = Table::new().await;
    let writer = table.writer();
    // Each receives what the one before it sent, the first what the last did; and itself, too.
    for id in 1..=5 {
        let (received, sent) = (format!("sqs:m-{}", if id == 1 { 5 } else { id - 1 }), format!("sqs:m-{id}"));
        let run = invocation(id, id * 10, &format!("r-{id}"))
            .attribute("throughline.source", "sqs f")
            .list("throughline.join.in", &received)
            .list("throughline.join.out", &sent)
            .link(id, id * 10)
            .failed("Again", "and again");
        write(&writer, otlp("f", [run.at(NOW + id, 1)])).await;
    }
    for asked in 1..=5 {
        let transaction = ask(&table, asked).await;
        assert_eq!((transaction.trace_ids.len(), transaction.spans.len()), (5, 5), "{asked}");
    }
}

#[tokio::test]
async fn parents_that_are_missing_or_their_own_children() {
    let table = Table::new().await;
    let own = span(1, 5, Some(5)).failed("Own", "its own parent");
    let (one, other) = (span(1, 6, Some(7)), span(1, 7, Some(6)));
    let orphan = invocation(1, 8, "r-8").child_of(999).failed("Orphan", "nobody knows its parent");
    table.write(otlp("f", [own, one, other])).await;
    table.write(otlp("f", [orphan])).await;
    let transaction = ask(&table, 1).await;
    assert_eq!(transaction.spans.len(), 4);
    let found = table.reader().find(&trace(1), &[]).await.unwrap().found;
    assert!(found.iter().any(|found| found.run.request_id == "r-8"), "{found:?}");
}

#[tokio::test]
async fn items_that_are_removed_while_one_asks() {
    let table = Table::new().await;
    let failed = invocation(1, 1, "r-1").attribute("user.id", "u").failed("Broken", "b");
    table.write(otlp("f", [failed])).await;
    let any = Filter::default();
    for (kind, runs, spans) in [("spans#", 1, 0), ("trace#", 0, 0)] {
        for item in table.items().await {
            if item["pk"].as_s().unwrap().starts_with(kind) {
                let delete = table.client.delete_item().table_name(&table.name);
                delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
            }
        }
        let transaction = ask(&table, 1).await;
        assert_eq!((transaction.runs.len(), transaction.spans.len()), (runs, spans), "{kind}");
        let impact = table.reader().impact("f", LAST_HOUR, &any).await.unwrap().found;
        assert_eq!((impact.failures, impact.users), (1, 1), "what lists know is still told");
    }
}
