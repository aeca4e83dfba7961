//! A transaction is one thing, whatever it is asked by.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};
use crate::{By, Join};

fn sender(trace: u64, id: u64, request: &str, message: &str) -> ExportTraceServiceRequest {
    let mut send = span(trace, id + 1, Some(id))
        .list("throughline.join.out", &format!("sqs:{message}"))
        .attribute("throughline.injected", "none")
        .attribute("throughline.inject.skipped", "attributes-full");
    send.kind = SpanKind::Producer as i32;
    let api = invocation(trace, id, request)
        .attribute("correlation.id", &format!("c-{trace}"))
        .attribute("throughline.source", "http POST /orders")
        .attribute("user.id", &format!("u-{trace}"));
    otlp("api", [api, send])
}

fn receiver(trace: u64, id: u64, request: &str, message: &str) -> ExportTraceServiceRequest {
    let mut received = invocation(trace, id, request)
        .attribute("throughline.source", "sqs payments")
        .list("throughline.join.in", &format!("sqs:{message}"));
    received.kind = SpanKind::Consumer as i32;
    otlp("worker", [received.at(NOW + 5, 1)])
}

#[tokio::test]
async fn by_the_id_of_a_message_where_no_context_was_carried() {
    let table = Table::new().await;
    table.write(sender(1, 10, "r-1", "m-1")).await;
    table.write(receiver(2, 20, "r-2", "m-1")).await;
    table.write(receiver(3, 30, "r-3", "m-other")).await;
    for asked in [1, 2] {
        let answer = table.reader().transaction(&trace(asked)).await.unwrap();
        let traces: BTreeSet<&String> = answer.found.trace_ids.iter().collect();
        assert_eq!(traces, BTreeSet::from([&trace(1), &trace(2)]), "{asked}");
        assert_eq!(answer.found.spans.len(), 3);
        let join = Join { from: trace(1), to: trace(2), by: "sqs:m-1".into() };
        assert_eq!(answer.found.joins, [join]);
        assert!(!answer.at_least && answer.damaged.is_empty());
    }
}

#[tokio::test]
async fn a_batch_belongs_to_each_sender_and_makes_them_no_relatives() {
    let table = Table::new().await;
    for id in [1, 2] {
        table.write(sender(id, id * 10, &format!("r-{id}"), &format!("m-{id}"))).await;
    }
    let record = |trace: u64, id| {
        let record = span(trace, id, Some(trace * 10 + 1)).attribute("throughline.source", "sqs payments");
        record.link(9, 90).attribute("messaging.message.id", &format!("m-{trace}")).at(NOW + 5, 1)
    };
    let batch =
        invocation(9, 90, "r-9").attribute("throughline.source", "sqs payments").link(1, 11).link(2, 21);
    let spans =
        [batch.at(NOW + 5, 2), record(1, 91), record(2, 92), span(2, 93, Some(92)), span(9, 94, Some(90))];
    table.write(otlp("worker", spans)).await;

    let first = table.reader().transaction(&trace(1)).await.unwrap().found;
    assert_eq!(first.trace_ids, [trace(1), trace(9)]);
    let ids: BTreeSet<&str> = first.spans.iter().map(|span| &span.span_id[14..]).collect();
    let hex = |ids: &[u64]| ids.iter().map(|id| format!("{id:02x}")).collect::<BTreeSet<_>>();
    assert_eq!(ids, hex(&[10, 11, 90, 91, 94]).iter().map(String::as_str).collect());
    let batch = table.reader().transaction(&trace(9)).await.unwrap().found;
    assert_eq!((batch.trace_ids, batch.senders), (vec![trace(9)], vec![trace(1), trace(2)]));
}

#[tokio::test]
async fn of_one_sender_a_linked_trace_is_part() {
    let table = Table::new().await;
    table.write(sender(1, 10, "r-1", "m-1")).await;
    table.write(otlp("worker", [invocation(2, 20, "r-2").link(1, 11), span(2, 21, Some(20))])).await;
    for asked in [1, 2] {
        let answer = table.reader().transaction(&trace(asked)).await.unwrap().found;
        assert_eq!(answer.trace_ids.iter().collect::<BTreeSet<_>>().len(), 2);
        assert_eq!((answer.spans.len(), answer.joins.len()), (4, 1), "{asked}: {answer:?}");
    }
}

#[tokio::test]
async fn circles_have_an_end() {
    let table = Table::new().await;
    table
        .write(otlp("a", [invocation(1, 1, "r-1").link(2, 2), span(1, 3, Some(4)), span(1, 4, Some(3))]))
        .await;
    table.write(otlp("b", [invocation(2, 2, "r-2").link(1, 1)])).await;
    let answer = table.reader().transaction(&trace(1)).await.unwrap();
    assert_eq!((answer.found.trace_ids.len(), answer.found.spans.len()), (2, 4));
}

/// As consumers of other tools link to what they take, and a trace to the one that began it: in a circle here.
#[tokio::test]
async fn links_of_other_tools_join_too() {
    let table = Table::new().await;
    let consumer = |span: Span| Span { kind: SpanKind::Consumer as i32, ..span };
    table.write(otlp("producer", [span(1, 1, None).link(2, 3), span(1, 2, Some(1))])).await;
    table.write(otlp("consumer", [consumer(span(2, 3, None)).link(1, 2), span(2, 4, Some(3))])).await;
    for asked in [1, 2] {
        let found = table.reader().transaction(&trace(asked)).await.unwrap().found;
        assert_eq!((found.trace_ids.len(), found.spans.len()), (2, 4), "{asked}: {found:?}");
        assert_eq!(found.joins.len(), 2);
    }
}

/// In a batch of two, of which one record is another's, with more spans below it than could be looked through for each.
#[tokio::test]
async fn a_long_chain_of_a_stranger_is_left_out_at_once() {
    const MANY: u64 = 30_000;
    let table = Table::new().await;
    let record = |id, sender| span(9, id, Some(90)).attribute("throughline.source", "sqs q").link(sender, 5);
    let batch = invocation(9, 90, "r-9").attribute("throughline.source", "sqs q").link(1, 5).link(2, 5);
    let chain = (0..MANY).map(|at| span(9, 1_000 + at, Some(if at == 0 { 92 } else { 999 + at })));
    let records = [batch, record(91, 1), record(92, 2)];
    table.write(otlp("worker", records.into_iter().chain(chain))).await;
    table.write(otlp("api", [span(1, 5, None)])).await;
    let found = table.reader().transaction(&trace(1)).await.unwrap().found;
    assert_eq!(found.spans.len(), 3);
}

#[tokio::test]
async fn every_id_leads_to_it() {
    let table = Table::new().await;
    table.write(sender(1, 10, "r-1", "m-1")).await;
    table.write(receiver(1, 20, "r-2", "m-1")).await;
    let reader = table.reader();
    for (text, by, runs) in [
        (trace(1), By::TraceId, vec!["r-1", "r-2"]),
        (trace(1).to_uppercase(), By::TraceId, vec!["r-1", "r-2"]),
        ("r-2".into(), By::RequestId, vec!["r-2"]),
        (" c-1 ".into(), By::CorrelationId, vec!["r-1"]),
        ("m-1".into(), By::Message("sqs:m-1".into()), vec!["r-2", "r-1"]),
        ("sqs:m-1".into(), By::Message("sqs:m-1".into()), vec!["r-2", "r-1"]),
        ("u-1".into(), By::Baggage("user.id".into()), vec!["r-1"]),
    ] {
        let answer = reader.find(&text, &["user.id"]).await.unwrap();
        let found: Vec<_> = answer.found.iter().map(|found| found.run.request_id.as_str()).collect();
        assert_eq!(found, runs, "{text}");
        assert!(
            answer.found.iter().all(|found| found.by == by && found.run.trace_id == trace(1)),
            "{answer:?}"
        );
        assert!(answer.requests <= 3 + 16);
    }
    for text in ["", "m", "sns:m-1", "r-", &trace(7), "\u{1b}[31m", &"x".repeat(5000)] {
        assert_eq!(reader.find(text, &["user.id"]).await.unwrap().found, [], "{text}");
    }
    let mine = reader.with_baggage("user.id", "u-1", LAST_HOUR, 10).await.unwrap();
    assert_eq!(mine.found.len(), 1);
    assert_eq!(mine.requests, 16);
}

#[tokio::test]
async fn what_came_in_is_exported() {
    let table = Table::new().await;
    let mut request = sender(1, 10, "r-1", "m-1");
    request.resource_spans[0].schema_url = "https://opentelemetry.io/schemas/1.40.0".into();
    table.write(request.clone()).await;
    let exported = table.reader().export(&trace(1)).await.unwrap();
    assert_eq!(exported.found, request);
    assert_eq!(table.reader().export(&trace(5)).await.unwrap().found.resource_spans, []);
}
