//! Others that wrote the same item of DynamoDB are told.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};

fn put(id: u64, at: u64, items: &[&str]) -> Vec<Span> {
    let run = invocation(id, id * 10, &format!("r-{id}")).at(at, 9);
    let put =
        span(id, id * 10 + 1, Some(id * 10)).at(at + 1, 2).attribute("aws.dynamodb.table_names", "orders");
    let joins: Vec<String> = items.iter().map(|item| format!("dynamodb:{item}")).collect();
    vec![run, put.attribute("throughline.join.out", &joins.join(", "))]
}

#[tokio::test]
async fn within_a_quarter_of_an_hour() {
    let table = Table::new().await;
    let minute = 60_000;
    let now = NOW - 30 * minute;
    for (id, at, items) in [
        (1, now, &["a1", "b2"][..]),
        (2, now - 20 * minute, &["a1"]),
        (3, now - minute, &["a1", "c3"]),
        (4, now + minute, &["a1"]),
        (5, now + 16 * minute, &["a1"]),
        (6, now, &["c3"]),
    ] {
        table.write(otlp("writer", put(id, at, items))).await;
    }
    // A change of the item that a stream tells is no write of it.
    let told = invocation(7, 70, "r-7").at(now, 1).attribute("throughline.join.in", "dynamodb:a1").link(9, 9);
    table.write(otlp("reader", [told])).await;
    let reader = table.reader();
    let mut ours = reader.transaction(&trace(1)).await.unwrap().found;
    ours.trace_ids.truncate(1);
    let answer = reader.same_items(&ours).await.unwrap();
    assert_eq!((answer.requests, answer.at_least), (2, false));
    let [item] = answer.found.as_slice() else { panic!("{answer:?}") };
    assert_eq!((item.id.as_str(), item.table.as_deref(), item.at), ("dynamodb:a1", Some("orders"), now + 1));
    let traces: Vec<&str> = item.others.iter().map(|run| run.trace_id.as_str()).collect();
    assert_eq!(traces, [trace(3), trace(4)]);
}

#[tokio::test]
async fn of_eight_items_those_of_failed_functions_first() {
    let table = Table::new().await;
    let items: Vec<String> = (0..12).map(|at| format!("{at:02}")).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    table.write(otlp("fine", put(1, NOW - 9000, &items))).await;
    let mut failed = put(2, NOW - 5000, &["zz"]);
    for span in &mut failed {
        span.trace_id = 1_u128.to_be_bytes().to_vec();
    }
    failed[0] = failed[0].clone().failed("No", "no");
    table.write(otlp("failed", failed)).await;
    table.write(otlp("other", put(3, NOW - 4000, &[&items[..], &["zz"]].concat()))).await;
    let reader = table.reader();
    let ours = reader.transaction(&trace(1)).await.unwrap().found;
    let answer = reader.same_items(&ours).await.unwrap();
    assert!(answer.at_least && answer.requests == 8, "{}", answer.requests);
    assert_eq!(answer.found[0].id, "dynamodb:zz");
}
