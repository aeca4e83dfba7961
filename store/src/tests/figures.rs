//! What is counted stands beside what it is counted of, and nothing is counted twice.

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp};

#[tokio::test]
async fn a_share_is_told_only_of_runs_that_were_counted_with_the_failures() {
    let of = async |spans: Vec<opentelemetry_proto::tonic::trace::v1::Span>| {
        let table = Table::new().await;
        table.write(otlp("payment-worker", spans)).await;
        let impact =
            table.reader().impact("payment-worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
        impact.entries.iter().map(|hit| (hit.entry.clone(), hit.failures, hit.runs)).collect::<Vec<_>>()
    };
    let orders = "http POST /orders";
    let run = |id, entry: &str| {
        let run = invocation(id, id, &format!("r-{id}")).attribute("throughline.entry", entry);
        run.attribute("throughline.source", "sqs payments")
    };
    let record = |trace, id, batch| {
        let record = crate::testing::span(trace, id, Some(999)).link(batch, batch).failed("Refused", "no");
        record.attribute("throughline.source", "sqs payments").attribute("throughline.entry", orders)
    };
    let alone = || run(1, orders).child_of(999).failed("Refused", "no");
    assert_eq!(of(vec![alone(), run(2, orders).child_of(999)]).await, [(orders.into(), 1, Some(2))]);
    // A batch of several counts under an entry point of its own.
    let mixed = vec![alone(), run(9, "sqs payments"), record(3, 30, 9), record(4, 40, 9)];
    assert_eq!(of(mixed).await, [(orders.into(), 3, None)]);
    let same = vec![run(9, orders), record(3, 30, 9), record(4, 40, 9)];
    assert_eq!(of(same).await, [(orders.into(), 2, None)], "more messages than runs");
}

/// A consumer that says only its own name of where it came in; of one message the sender is known.
#[tokio::test]
async fn what_was_counted_under_one_name_is_not_told_twice() {
    let table = Table::new().await;
    let writer = table.writer();
    let api = invocation(1, 1, "r-1").attribute("throughline.entry", "http POST /orders");
    write(&writer, otlp("api", [api.attribute("throughline.source", "http POST /orders")])).await;
    let consume = |trace: u64, id, link: u64| {
        let run = invocation(trace, id, &format!("r-{id}")).link(link, link);
        run.attribute("http.request.method", "GET").attribute("http.route", "/pay")
    };
    let runs =
        [consume(1, 2, 1).child_of(1).failed("Refused", "no"), consume(7, 7, 999).failed("Refused", "no")];
    write(&writer, otlp("py", runs.into_iter().chain([consume(8, 8, 998)]))).await;
    let impact = table.reader().impact("py", LAST_HOUR, &Filter::default()).await.unwrap().found;
    let told: Vec<_> =
        impact.entries.iter().map(|hit| (hit.entry.as_str(), hit.failures, hit.runs)).collect();
    assert_eq!(told, [("http GET /pay", 1, None), ("http POST /orders", 1, None)]);
}

#[tokio::test]
async fn what_comes_again_came_only_the_last_hop_again() {
    let table = Table::new().await;
    let pay = |id, count: &str| {
        let run = invocation(id, id, &format!("r-{id}")).attribute("throughline.receive_count", count);
        run.attribute("throughline.source", "sqs payments < sns orders")
    };
    let redriven = pay(4, "1").attribute("throughline.redriven", "true");
    table.write(otlp("payment-worker", [pay(1, "1"), pay(2, "2"), pay(3, "3"), redriven])).await;
    let edges = table.reader().map(LAST_HOUR).await.unwrap().found.edges;
    let calls: Vec<_> = edges.iter().map(|edge| (edge.from.as_str(), edge.now.runs)).collect();
    assert_eq!(calls, [("sns orders", 1), ("sqs payments", 4)]);
}

#[tokio::test]
async fn how_long_workers_take_is_not_told_of_what_transactions_began_with() {
    let table = Table::new().await;
    let writer = table.writer();
    let api = invocation(1, 1, "r-1").attribute("throughline.entry", "http POST /orders").at(NOW, 10);
    write(&writer, otlp("api", [api])).await;
    // Of one nobody is known to have sent it.
    let sent = |id| {
        let run = invocation(id, id, &format!("r-{id}")).at(NOW, 9_000);
        run.attribute("throughline.entry", "http POST /orders")
    };
    write(&writer, otlp("worker", [sent(2), sent(3).child_of(999)])).await;
    let now = table.reader().rates(LAST_HOUR, &Filter::default()).await.unwrap().found.now;
    assert_eq!(now.runs, 2);
    assert!(now.p95.is_some_and(|p95| p95 < 20_000), "{now:?}");
}
