//! Who was called failed: whether that ended well is told by what became of its caller.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp, span};

fn call(id: u64, by: u64, at: u64) -> Span {
    let call = Span { kind: SpanKind::Client as i32, name: "POST".to_owned(), ..span(1, id, Some(by)) };
    call.attribute("url.full", "https://bank.localhost/charges").at(at, 5)
}

/// What the bank did, and what it answered.
fn bank(id: u64, by: u64, at: u64) -> Span {
    let asked = Span { kind: SpanKind::Server as i32, ..invocation(1, id, &format!("bank-{id}")) };
    asked.child_of(by).at(at, 3)
}

/// How many failures the only transaction has, and whether it ended well, in a list, by itself and by the bank's impact.
async fn ended(table: &Table) -> (u64, bool) {
    let reader = table.reader();
    let listed = reader.transactions(LAST_HOUR, &Filter::default(), 9).await.unwrap().found;
    let told = reader.transaction(&trace(1)).await.unwrap().found;
    let impact = reader.impact("bank", LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].ended_well, u64::from(told.ended_well)), (told.ended_well, impact.ended_well));
    (listed[0].failures, told.ended_well)
}

#[tokio::test]
async fn a_message_that_came_again_does_all_of_it_again() {
    let then = NOW - 600_000;
    let pay = |attempt: u64, at: u64| {
        let pay = invocation(1, attempt * 10, &format!("pay-{attempt}")).child_of(99);
        let pay =
            pay.attribute("throughline.source", "sqs payments").attribute("messaging.message.id", "m-1");
        pay.attribute("throughline.receive_count", &attempt.to_string()).at(at, 50)
    };
    let table = Table::new().await;
    let refused = call(11, 10, then + 10).failed("503", "");
    table.write(otlp("pay", [pay(1, then).failed("Declined", "503"), refused])).await;
    table.write(otlp("bank", [bank(12, 11, then + 11).failed("Overloaded", "no")])).await;
    assert_eq!(ended(&table).await, (2, false));
    table.write(otlp("pay", [pay(2, then + 60_000), call(21, 20, then + 60_010)])).await;
    table.write(otlp("bank", [bank(22, 21, then + 60_011)])).await;
    assert_eq!(ended(&table).await, (2, true));
}

#[tokio::test]
async fn a_request_that_was_sent_again_and_not_one_like_it() {
    for (count, is_well) in [(Some("1"), true), (None, false)] {
        let then = NOW - 600_000;
        let api = Span { kind: SpanKind::Server as i32, ..invocation(1, 10, "api-1") }.at(then, 50);
        let again = call(13, 10, then + 20);
        let again =
            count.into_iter().fold(again, |call, count| call.attribute("http.request.resend_count", count));
        let table = Table::new().await;
        table.write(otlp("api", [api, call(11, 10, then + 10).failed("503", ""), again])).await;
        table.write(otlp("bank", [bank(12, 11, then + 11).failed("Overloaded", "no")])).await;
        table.write(otlp("bank", [bank(14, 13, then + 21)])).await;
        assert_eq!(ended(&table).await, (1, is_well), "{count:?}");
    }
}
