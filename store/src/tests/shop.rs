//! A run of the demo application: four orders through six functions, as its functions told them.
//! `shop.jsonl` is what the extension exported then.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::*;
use crate::run::group;
use crate::testing::Told as _;
use crate::write::write_units_of;

fn requests() -> Vec<ExportTraceServiceRequest> {
    include_str!("shop.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// When it took place.
const THEN: u64 = 1_795_320_075_000;

async fn shop() -> Table {
    let table = Table::new().await;
    for (n, request) in requests().into_iter().enumerate() {
        let writer = table.store.writer(&format!("sandbox-{n}"), Options::default());
        writer.write_request(request, at(THEN), soon()).await.unwrap();
    }
    table
}

#[tokio::test]
async fn every_order_is_one_transaction_through_five_functions() {
    let table = shop().await;
    let reader = table.reader_at(THEN);
    let window = Window::new(THEN - 3_600_000, THEN);
    let begun = reader.transactions(window, &crate::Filter::default(), 10).await.unwrap().found;
    let orders: Vec<_> = begun.iter().filter(|one| one.first.function == "checkout-api").collect();
    assert_eq!((begun.len(), orders.len()), (5, 4), "and the lunchbot");
    for order in orders {
        let answer = reader.transaction(&order.first.trace_id).await.unwrap();
        assert!(answer.damaged.is_empty() && !answer.at_least);
        let functions: BTreeSet<&str> =
            answer.found.spans.iter().map(|span| span.function.as_str()).collect();
        let all = ["audit-trail", "checkout-api", "email-sender", "fulfilment", "payment-worker"];
        assert_eq!(functions, BTreeSet::from(all));
        let users: BTreeSet<_> =
            answer.found.spans.iter().filter_map(|span| span.attribute("user.id")).collect();
        assert_eq!(users.len(), 1, "no span of another order in a shared batch: {users:?}");
        let correlation = order.first.correlation_id.as_ref().unwrap();
        let found = reader.find(correlation, &[]).await.unwrap().found;
        assert!(found.iter().any(|found| found.run.trace_id == order.first.trace_id));
        let user = order.first.user.as_ref().unwrap();
        let mine = reader.with_baggage("user.id", user, window, 50).await.unwrap().found;
        assert_eq!(
            mine.iter().map(|run| run.function.as_str()).collect::<BTreeSet<_>>(),
            BTreeSet::from(all)
        );
    }
}

#[tokio::test]
async fn the_map_has_every_hop() {
    let table = shop().await;
    let edges = table.reader_at(THEN).map(Window::new(THEN - 3_600_000, THEN)).await.unwrap().found.edges;
    let edges: Vec<_> =
        edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.now.runs)).collect();
    for edge in [
        ("http POST /orders", "checkout-api", 4),
        ("checkout-api", "sns orders", 4),
        ("sns orders", "sqs payments", 4),
        ("sqs payments", "payment-worker", 4),
        ("payment-worker", "dynamodb orders", 4),
        ("payment-worker", "http 127.0.0.1", 4),
        ("payment-worker", "sqs email", 4),
        ("lunchbot", "sqs email", 1),
        ("sqs email", "email-sender", 5),
        ("dynamodb orders", "stream orders", 4),
        ("stream orders", "fulfilment", 4),
        ("fulfilment", "kinesis audit", 4),
        ("kinesis audit", "audit-trail", 4),
        ("schedule lunchbot", "lunchbot", 1),
    ] {
        assert!(edges.contains(&edge), "{edge:?} in {edges:#?}");
    }
}

/// What is promised: at most 12 write units for a run of one record. And what the cost table of the README says.
#[tokio::test]
async fn a_run_of_one_record_costs_at_most_twelve_units() {
    let table = Table::new().await;
    for request in requests() {
        let records = group(request.clone()).iter().map(|run| run.records().count()).max().unwrap();
        let function = group(request.clone())[0].head().unwrap().function.clone();
        let writer = table.store.writer("fresh", Options::default());
        let before = table.items().await;
        let written = writer.write_request(request, at(THEN), soon()).await.unwrap();
        let new = table.items().await.into_iter().filter(|item| !before.contains(item)).collect::<Vec<_>>();
        assert_eq!(
            written.units,
            new.iter().cloned().map(from_sdk).map(|item| write_units_of(&item)).sum::<u64>()
        );
        let bytes: usize = new.into_iter().map(size).sum();
        println!(
            "{function}: {records} records, {} items, {} units, {bytes} bytes",
            written.items, written.units
        );
        assert!(records > 1 || written.units <= 12, "{function}: {written:?}");
    }
}

/// The same where everything fails.
#[tokio::test]
async fn so_does_one_that_failed() {
    let table = Table::new().await;
    for mut request in requests() {
        let spans = request.resource_spans[0].scope_spans[0].spans.iter_mut();
        spans.for_each(|span| {
            *span = span.clone().failed("SmtpRejected", &"550 sender unverified ".repeat(20))
        });
        let records = group(request.clone()).iter().map(|run| run.records().count()).max().unwrap();
        let writer = table.store.writer("fresh", Options::default());
        let written = writer.write_request(request, at(THEN), soon()).await.unwrap();
        assert!(records > 1 || written.units <= 12, "{written:?}");
    }
}

/// Units are computed from sizes; the embedded DynamoDB computes them too. moto says 1 of everything.
#[tokio::test]
async fn units_are_those_that_dynamodb_tells() {
    let table = shop().await;
    if std::env::var(MOTO).is_ok() {
        return;
    }
    for item in table.items().await {
        let put = table.client.put_item().table_name(&table.name).set_item(Some(item.clone()));
        let told = put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
        let told = told.consumed_capacity().unwrap().capacity_units().unwrap();
        assert_eq!(told, write_units_of(&from_sdk(item.clone())) as f64, "{item:?}");
    }
}
