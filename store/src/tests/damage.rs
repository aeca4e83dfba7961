//! Items that are torn, or none of ours.

use aws_sdk_dynamodb::primitives::Blob;

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp};

async fn put(table: &Table, item: Row) {
    table.client.put_item().table_name(&table.name).set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn are_told_beside_what_can_be_read() {
    let table = Table::new().await;
    table.write(otlp("f", [invocation(1, 1, "r-1")])).await;
    // Each item again, with a key beside its own, in every way that it may be wrong.
    for item in table.items().await {
        let beside = |n: u32, mut wrong: Row| {
            let sort = format!("{}{n}", item["sk"].as_s().unwrap());
            wrong.insert("pk".into(), item["pk"].clone());
            wrong.insert("sk".into(), AttributeValue::S(sort));
            wrong
        };
        put(&table, beside(1, Row::new())).await;
        let foreign = item.keys().map(|name| (name.clone(), AttributeValue::Bool(true)));
        put(&table, beside(2, foreign.collect())).await;
        let bytes = |value: &AttributeValue| match value {
            AttributeValue::B(_) => AttributeValue::B(Blob::new(b"torn")),
            other => other.clone(),
        };
        let torn: Row = item.iter().map(|(name, value)| (name.clone(), bytes(value))).collect();
        if torn != item {
            put(&table, beside(3, torn)).await;
        }
    }
    let reader = table.reader();
    let runs = reader.runs("f", LAST_HOUR, &Filter::default(), 10).await.unwrap();
    assert_eq!((runs.found.len(), runs.damaged.len()), (1, 2), "{:?}", runs.damaged);
    assert!(runs.damaged[0].key.starts_with("runs#"), "{:?}", runs.damaged);
    let transaction = reader.transaction(&trace(1)).await.unwrap();
    assert_eq!(
        (transaction.found.spans.len(), transaction.found.runs.len()),
        (0, 1),
        "one of two that say they are part 0"
    );
    assert!(transaction.damaged.len() >= 4, "{:?}", transaction.damaged);
    let functions = reader.functions(LAST_HOUR, &Filter::default()).await.unwrap();
    assert_eq!((functions.found.len(), functions.damaged.len()), (1, 3), "{:?}", functions.damaged);
    reader.find("r-1", &["user.id"]).await.unwrap();
    reader.impact("f", LAST_HOUR, &Filter::default()).await.unwrap();
}

/// That nothing else failed is known only where the spans were read.
#[tokio::test]
async fn what_can_not_be_read_may_have_any_cause() {
    let table = Table::new().await;
    table.write(otlp("f", [invocation(1, 1, "r-1").failed("Broken", "no")])).await;
    let is_unread = async || {
        let impact = table.reader().impact("f", LAST_HOUR, &Filter::default()).await.unwrap().found;
        assert_eq!(impact.errors[0].cause, None);
        impact.errors[0].unread
    };
    assert!(!is_unread().await);
    for item in
        table.items().await.into_iter().filter(|item| item["pk"].as_s().unwrap().starts_with("spans#"))
    {
        let delete = table.client.delete_item().table_name(&table.name);
        delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.unwrap();
    }
    assert!(is_unread().await);
}

#[tokio::test]
async fn no_otlp_is_refused_and_an_empty_request_writes_nothing() {
    let table = Table::new().await;
    let refused = table.writer().write(b"\xff\xff", at(NOW), soon()).await;
    assert!(matches!(refused, Err(crate::Error::Spans(_))), "{refused:?}");
    assert_eq!(table.writer().write(b"", at(NOW), soon()).await.unwrap(), Written::default());
}
