//! A transaction is compared with the last good ones of the same shape.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};
use crate::{Comparison, Incomparable, Path, bound};

const MINUTE: u64 = 60_000;

/// An order that came in so many minutes before now: the API calls the mailer, and that perhaps the ledger.
async fn order(table: &Table, id: u64, before: u64, build: &str, change: impl Fn(u64, Span) -> Option<Span>) {
    let at = NOW - before * MINUTE;
    let run = |place: u64, source: &str| {
        let run = invocation(id, id * 10 + place, &format!("r-{id}-{place}"));
        run.attribute("throughline.source", source).attribute("throughline.entry", "http POST /orders")
    };
    let api = run(1, "http POST /orders").at(at, 10 + id % 3);
    let send =
        span(id, id * 10 + 2, Some(id * 10 + 1)).at(at + 2, 3).attribute("order.id", &format!("o-{id}"));
    let mailer =
        run(3, "sqs email").child_of(id * 10 + 2).at(at + 9, 20).attribute("throughline.build_id", build);
    let ledger = run(4, "sqs ledger").child_of(id * 10 + 3).at(at + 30, 5);
    let runs =
        [("api", vec![(1, api), (2, send)]), ("mailer", vec![(3, mailer)]), ("ledger", vec![(4, ledger)])];
    for (function, spans) in runs {
        let spans: Vec<Span> = spans.into_iter().filter_map(|(place, span)| change(place, span)).collect();
        if !spans.is_empty() {
            table.write(otlp(function, spans)).await;
        }
    }
}

fn whole(_: u64, span: Span) -> Option<Span> {
    Some(span)
}

async fn compared(table: &Table, id: u64) -> Option<Comparison> {
    against(table, id).await.ok()
}

async fn against(table: &Table, id: u64) -> Result<Comparison, Incomparable> {
    let reader = table.reader();
    let ours = reader.transaction(&trace(id)).await.unwrap().found;
    let answer = reader.last_good(&ours).await.unwrap();
    assert!(answer.requests <= bound::LAST_GOOD, "{}", answer.requests);
    answer.found
}

#[tokio::test]
async fn which_went_further_where_none_ended_there() {
    let table = Table::new().await;
    for id in 1..=6 {
        order(&table, id, 60 - id, "1", whole).await;
    }
    order(&table, 7, 10, "2", |place, span| match place {
        3 => Some(span.failed("SmtpRejected", "550").at(NOW - 10 * MINUTE + 9, 900)),
        4 => None,
        _ => Some(span),
    })
    .await;
    let found = compared(&table, 7).await.unwrap();
    assert_eq!((found.trace_id, found.path, found.good), (trace(6), Path::Longer, 6));
    assert_eq!(found.not_reached, ["ledger"]);
    let told: Vec<_> = found.differences.iter().map(|one| (one.step.as_str(), one.name.as_str())).collect();
    assert_eq!(told, [("mailer", "build"), ("mailer", "status")]);
    let slower: Vec<_> =
        found.slower.iter().map(|one| (one.function.as_str(), one.micros, one.p95)).collect();
    assert_eq!(slower, [("mailer", 900_000, 20_000)]);
}

#[tokio::test]
async fn others_and_later_ones_and_those_that_failed_do_not_count() {
    let table = Table::new().await;
    order(&table, 1, 60, "1", whole).await;
    order(&table, 2, 50, "1", |place, span| Some(if place == 4 { span.failed("No", "no") } else { span }))
        .await;
    order(&table, 3, 40, "1", |place, span| {
        Some(if place == 1 { span.attribute("throughline.swallowed_errors", "1") } else { span })
    })
    .await;
    order(&table, 4, 30, "1", |place, span| {
        let other = span.attributes.iter().any(|pair| pair.key == "throughline.entry") && place == 1;
        let mut span = span;
        span.attributes.retain(|pair| pair.key != "throughline.entry");
        Some(if other { span.attribute("throughline.entry", "http GET /carts") } else { span })
    })
    .await;
    order(&table, 5, 20, "1", whole).await;
    order(&table, 6, 10, "1", whole).await;
    let found = compared(&table, 5).await.unwrap();
    assert_eq!((found.trace_id.clone(), found.path, found.good), (trace(1), Path::Same, 1));
    assert!(found.differences.is_empty() && found.slower.is_empty(), "{found:?}");
}

#[tokio::test]
async fn where_it_is_compared_with_none_it_says_why() {
    let table = Table::new().await;
    // To the ledger alone, then to the mailer alone, which fails at first.
    order(&table, 1, 60, "1", |place, span| (place != 3).then_some(span)).await;
    assert_eq!(against(&table, 1).await, Err(Incomparable::NoneBefore));
    let mail = |place, span: Span| (place != 4).then_some(span);
    order(&table, 2, 50, "1", |place, span| {
        mail(place, if place == 3 { span.failed("No", "") } else { span })
    })
    .await;
    order(&table, 3, 40, "1", mail).await;
    assert_eq!(against(&table, 3).await, Err(Incomparable::OtherPaths));
    assert_eq!(against(&table, 99).await, Err(Incomparable::BeganNowhere));
    let table = Table::new().await;
    order(&table, 1, 60, "1", |_, span| Some(span.failed("No", ""))).await;
    order(&table, 2, 50, "1", whole).await;
    assert_eq!(against(&table, 2).await, Err(Incomparable::NoneGood));
}

#[tokio::test]
async fn the_same_path_comes_before_a_longer_one() {
    let table = Table::new().await;
    let short = |place: u64, span: Span| (place != 4).then_some(span);
    order(&table, 1, 60, "1", short).await;
    order(&table, 2, 50, "1", whole).await;
    order(&table, 3, 40, "1", |place, span| (place < 3).then_some(span)).await;
    order(&table, 4, 30, "1", short).await;
    let found = compared(&table, 4).await.unwrap();
    assert_eq!((found.trace_id, found.path), (trace(1), Path::Same));
    assert_eq!(compared(&table, 2).await.unwrap().path, Path::Shorter);
}

/// A reader of a stream that carries no context fails, and its sender knows nothing of it.
#[tokio::test]
async fn what_failed_in_a_trace_that_it_joins_is_not_good() {
    let table = Table::new().await;
    for id in 1..=3 {
        let join = format!("kinesis:audit/shardId-0:{id}");
        order(&table, id, 60 - id, "1", |place, span| {
            Some(if place == 2 { span.list("throughline.join.out", &join) } else { span })
        })
        .await;
        let read = invocation(id + 100, id, &format!("audit-{id}"))
            .attribute("throughline.source", "kinesis audit")
            .list("throughline.join.in", &join)
            .at(NOW - (60 - id) * MINUTE + 50, 1);
        let read = if id == 1 { read } else { read.failed("Broken", "no JSON") };
        table.write(otlp("audit", [read])).await;
    }
    let found = compared(&table, 3).await.unwrap();
    assert_eq!((found.trace_id.clone(), found.path, found.good), (trace(1), Path::Same, 1), "{found:?}");
    assert!(found.differs());
}
