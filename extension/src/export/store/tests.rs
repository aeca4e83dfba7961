//! What is sent to the table, and what its answers come to.

use super::testing::{Answer, is_delivered, logs, raw, refused, spans, table, taken};
use crate::buffer::Batch;
use crate::export::Outcome;
use crate::export::destination::Patience;
use crate::otlp::Signal;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn spans_then_what_points_to_them_over_one_connection_for_each_flush() {
    let mut table = table(|_, _| taken()).await;
    assert!(is_delivered(&table.send(&spans("r-1")).await));
    assert_eq!(table.kinds(), [vec!["spans"], vec!["trace", "runs", "begun", "totals"]]);
    assert_eq!(table.seen.lock().expect("no panic").connections, 1);
    assert!(is_delivered(&table.send(&spans("r-2")).await));
    assert_eq!(table.seen.lock().expect("no panic").connections, 2, "none is trusted across a freeze");
    assert!(!table.store.take_unanswered());
    assert_eq!(table.send(&Batch { signal: Signal::Metrics, ..spans("r-3") }).await, Outcome::Unsupported);
}

#[tokio::test]
async fn log_lines_of_nobody_are_counted_as_refused() {
    let mut table = table(|_, _| taken()).await;
    let outcome = table.send(&logs()).await;
    assert!(matches!(outcome, Outcome::Delivered { rejected: 1, .. }), "{outcome:?}");
    assert_eq!(table.kinds(), [["logs"]]);
}

#[tokio::test]
async fn what_is_left_unprocessed_and_throttled_is_written_again() {
    let mut table = table(|n, request| match n {
        0 => Some((200, json!({ "UnprocessedItems": request["RequestItems"] }))),
        1 => refused("ThrottlingException", "slowly"),
        2 => Some((500, json!({ "__type": "InternalServerError" }))),
        _ => taken(),
    })
    .await;
    assert!(is_delivered(&table.send(&spans("r-1")).await));
    let seen = table.seen.lock().expect("no panic");
    assert_eq!(seen.requests.len(), 5);
    assert!(seen.requests[..4].iter().all(|request| *request == seen.requests[0]), "as it was");
}

#[tokio::test]
async fn after_a_flush_that_failed_one_request_is_enough() {
    let mut table = table(|_, _| refused("ProvisionedThroughputExceededException", "slowly")).await;
    let outcome = table.send_with(&spans("r-1"), false).await;
    assert!(matches!(&outcome, Outcome::Failed { why, .. } if why.contains("slowly")), "{outcome:?}");
    assert_eq!(table.seen.lock().expect("no panic").requests.len(), 1);
}

/// The spans were written, what points to them was not: it comes again, and counts once.
#[tokio::test]
async fn what_is_written_again_is_the_same() {
    let mut table = table(|n, _| match n {
        1 => refused("AccessDeniedException", "no"),
        _ => taken(),
    })
    .await;
    let batch = spans("r-1");
    assert!(matches!(table.send(&batch).await, Outcome::Failed { .. }));
    assert!(is_delivered(&table.send(&batch).await));
    let seen = table.seen.lock().expect("no panic");
    let [spans, index, spans_again, index_again] = seen.requests.as_slice() else { panic!("four requests") };
    assert_eq!((spans, index), (spans_again, index_again));
}

#[tokio::test]
async fn what_helps_is_told() {
    type Case = (Answer, &'static str);
    let cases: [Case; 4] = [
        (
            |_, _| refused("AccessDeniedException", "not authorized"),
            "needs dynamodb:BatchWriteItem on traces",
        ),
        (|_, _| refused("ResourceNotFoundException", "not found"), "no table traces in eu-west-1"),
        (
            |_, _| refused("ValidationException", "The provided key element does not match the schema"),
            "is no trace store",
        ),
        (|_, _| refused("ExpiredTokenException", "too old"), "too old"),
    ];
    for (answer, told) in cases {
        let mut table = table(answer).await;
        let outcome = table.send(&spans("r-1")).await;
        assert!(matches!(&outcome, Outcome::Failed { why, .. } if why.contains(told)), "{outcome:?}");
        assert_eq!(table.seen.lock().expect("no panic").requests.len(), 1, "asked once");
        assert!(table.store.check().await.expect_err("refused").contains(told));
    }
}

#[tokio::test]
async fn what_can_never_be_taken_is_refused() {
    let mut table = table(|_, _| refused("ValidationException", "Item size has exceeded")).await;
    let outcome = table.send(&spans("r-1")).await;
    assert!(matches!(outcome, Outcome::Refused { divisible: true, .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_check_puts_an_item_that_nobody_reads() {
    let mut table = table(|_, _| taken()).await;
    table.store.check().await.expect("it may write");
    assert_eq!(table.kinds(), [["check"]]);
}

#[tokio::test]
async fn who_never_answers_may_have_it() {
    let mut table = table(|_, _| None).await;
    let batch = spans("r-1");
    let sent = timeout(Duration::from_millis(300), table.send(&batch)).await;
    assert!(sent.is_err() && table.store.take_unanswered() && !table.store.take_unanswered());
}

#[tokio::test]
async fn half_an_answer_is_none_and_a_closed_connection_is_replaced() {
    let patience = || Patience { until: Instant::now() + Duration::from_secs(20), again: false };
    let mut half = raw("HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"Unpro", 1).await;
    let outcome = half.send(&spans("r-1"), patience()).await;
    assert!(matches!(&outcome, Outcome::Failed { why, .. } if why.contains("answered 200")), "{outcome:?}");
    // It says nothing of closing, and closes.
    let mut closing = raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", 2).await;
    assert!(is_delivered(&closing.send(&spans("r-1"), patience()).await));
    assert!(!closing.take_unanswered());
    // Nobody is there any more.
    let outcome = closing.send(&spans("r-2"), Patience { again: true, ..patience() }).await;
    assert!(matches!(outcome, Outcome::Unreachable(_)), "{outcome:?}");
}
