//! A table that has no capacity, or does not answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::fake::{Answer, Fake, TABLE, store};
use super::*;
use crate::testing::{invocation, otlp};
use crate::{Error, Filter};

/// Writes twenty runs until a deadline, and how many items each request had.
async fn written(answer: Answer) -> (Result<Written, Error>, Vec<usize>) {
    let fake = Fake { answer, requests: Arc::default() };
    let store = store(&fake);
    let writer = store.writer("sandbox", Options::default());
    let runs = (1..=20).map(|id| invocation(id, id, &format!("r-{id}")));
    let written =
        writer.write_request(otlp("f", runs), at(NOW), Instant::now() + Duration::from_secs(10)).await;
    let requests = fake.requests.lock().unwrap();
    (written, requests.iter().map(|request| items(request).len()).collect())
}

fn items(request: &Value) -> &Vec<Value> {
    request["RequestItems"][TABLE].as_array().unwrap()
}

fn refusal(code: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no" })
}

const ALL: fn(usize, &Value) -> Option<(u16, Value)> = |_, _| Some((200, json!({ "UnprocessedItems": {} })));

#[tokio::test(start_paused = true)]
async fn items_go_25_at_a_time() {
    let (written, requests) = written(ALL).await;
    // The spans of 20 runs; then trace, runs and begun of each, and their totals.
    assert_eq!(requests, [20, 25, 25, 11]);
    assert_eq!(written.unwrap().items, requests.iter().sum::<usize>());
}

#[tokio::test(start_paused = true)]
async fn unprocessed_items_are_written_again() {
    let (written, requests) = written(|_, request| {
        // Half of each request, until there is one item.
        let items = items(request);
        let left = &items[items.len().div_ceil(2)..];
        let left = if left.is_empty() { json!({}) } else { json!({ TABLE: left }) };
        Some((200, json!({ "UnprocessedItems": left })))
    })
    .await;
    assert_eq!(written.unwrap().requests, requests.len());
    assert_eq!(requests[..5], [20, 10, 5, 2, 1]);
    assert!(requests.len() > 8);
}

#[tokio::test(start_paused = true)]
async fn throttles_and_outages_are_waited_for() {
    let (written, requests) = written(|n, _| match n {
        0 => Some((400, refusal("ProvisionedThroughputExceededException"))),
        1 => Some((400, refusal("ThrottlingException"))),
        2 => Some((500, refusal("InternalServerError"))),
        3 => Some((503, json!({}))),
        _ => ALL(0, &Value::Null),
    })
    .await;
    assert_eq!(written.unwrap().items, 81);
    assert_eq!(requests, [20, 20, 20, 20, 20, 25, 25, 11]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_asked_again() {
    let (written, requests) = written(|_, _| Some((400, refusal("AccessDeniedException")))).await;
    assert!(
        matches!(written, Err(Error::Refused { status: 400, ref code, .. }) if code == "AccessDeniedException"),
        "{written:?}"
    );
    assert_eq!(requests.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds() {
    let begun = Instant::now();
    let (throttled, requests) =
        written(|_, request| Some((200, json!({ "UnprocessedItems": { TABLE: items(request) } })))).await;
    assert!(matches!(throttled, Err(Error::Throttled { left: 20 })), "{throttled:?}");
    assert!(requests.len() > 5);
    let (silent, _) = written(|_, _| None).await;
    assert!(matches!(silent, Err(Error::Deadline)), "{silent:?}");
    assert!(begun.elapsed() <= Duration::from_secs(21), "each within its ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_question_has_an_end() {
    for (answer, patience) in
        [((|_, _| None) as Answer, 11), ((|_, _| Some((400, refusal("ThrottlingException")))) as Answer, 11)]
    {
        let store = store(&Fake { answer, requests: Arc::default() });
        let begun = Instant::now();
        let answer = store.reader(at(NOW)).transaction(&trace(1)).await;
        assert!(matches!(answer, Err(Error::Deadline | Error::Refused { .. })), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(patience));
    }
}

#[tokio::test(start_paused = true)]
async fn every_question_of_a_throttled_table_ends_and_says_why() {
    let throttled: Answer = |_, _| Some((400, refusal("ProvisionedThroughputExceededException")));
    let store = store(&Fake { answer: throttled, requests: Arc::default() });
    let (reader, any) = (store.reader(at(NOW)), Filter::default());
    let month = Window::new(0, NOW);
    let begun = Instant::now();
    for refused in [
        reader.runs("f", month, &any, 50).await.err(),
        reader.transactions(month, &any, 50).await.err(),
        reader.impact("f", month, &any).await.err(),
        reader.errors(month, &any).await.err(),
        reader.functions(month, &any).await.err(),
        reader.find("r-1", &["user.id"]).await.err(),
    ] {
        let said = refused.unwrap().to_string();
        assert!(said.starts_with("ProvisionedThroughputExceededException"), "{said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(6 * 11), "each page is waited for ten seconds");
}

#[tokio::test(start_paused = true)]
async fn what_is_throttled_for_a_moment_is_asked_again() {
    let answer: Answer = |n, _| {
        let nothing = json!({ "Items": [], "Count": 0, "ScannedCount": 0 });
        // No more than the client asks again, should the same one meet all.
        Some(if n < 2 { (400, refusal("ThrottlingException")) } else { (200, nothing) })
    };
    let fake = Fake { answer, requests: Arc::default() };
    let day = Window::new(NOW - 24 * 3_600_000, NOW);
    let answer = store(&fake).reader(at(NOW)).runs("f", day, &Filter::default(), 50).await.unwrap();
    assert_eq!((answer.requests, answer.at_least), (32, false));
    assert_eq!(fake.requests.lock().unwrap().len(), 32 + 2, "with those that were refused");
}

/// A table that takes nothing while the spans of more services come in than are counted at once; then they come again.
#[tokio::test(start_paused = true)]
async fn what_was_counted_while_nothing_could_be_written_is_counted_when_it_comes_again() {
    const SERVICES: u64 = 600;
    let refuse: Answer = |n, request| match n {
        0..600 => Some((400, refusal("AccessDeniedException"))),
        _ => ALL(n, request),
    };
    let fake = Fake { answer: refuse, requests: Arc::default() };
    let writer = store(&fake).writer("sandbox", Options::default());
    let request = |id: u64| otlp(&format!("f-{id:03}"), [invocation(id, id, &format!("r-{id}"))]);
    let write = async |id| writer.write_request(request(id), at(NOW), soon()).await;
    for id in 0..SERVICES {
        assert!(write(id).await.is_err());
    }
    for id in 0..SERVICES {
        write(id).await.unwrap();
    }
    let requests = fake.requests.lock().unwrap();
    let written: BTreeSet<&str> = requests[600..]
        .iter()
        .flat_map(items)
        .map(|item| &item["PutRequest"]["Item"])
        .filter(|item| item["pk"]["S"].as_str().unwrap().starts_with("totals#"))
        .map(|item| item["function"]["S"].as_str().unwrap())
        .collect();
    assert_eq!(written.len() as u64, SERVICES);
}
