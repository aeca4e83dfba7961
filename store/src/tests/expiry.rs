//! What has expired is not there, though DynamoDB takes days to remove it.

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp};

#[tokio::test]
async fn expired_items_are_not_read() {
    let table = Table::new().await;
    table.write(otlp("f", [invocation(1, 1, "r-1").attribute("user.id", "u").failed("Broken", "b")])).await;
    let fortnight = 14 * 24 * 3_600_000;
    for item in table.items().await {
        let expires: u64 = item["ttl"].as_n().unwrap().parse().unwrap();
        let least = (NOW + fortnight) / 1000;
        assert!((least..=least + 3600).contains(&expires), "{item:?}");
    }
    for (later, found) in [(0, 1), (fortnight - 1000, 1), (fortnight + 3_600_000, 0)] {
        let reader = table.reader_at(NOW + later);
        assert_eq!(reader.runs("f", LAST_HOUR, &Filter::default(), 9).await.unwrap().found.len(), found);
        assert_eq!(reader.failures("f", LAST_HOUR, &Filter::default(), 9).await.unwrap().found.len(), found);
        assert_eq!(reader.transaction(&trace(1)).await.unwrap().found.runs.len(), found);
        assert_eq!(reader.with_baggage("user.id", "u", LAST_HOUR, 9).await.unwrap().found.len(), found);
        assert_eq!(reader.functions(LAST_HOUR, &Filter::default()).await.unwrap().found.len(), found);
    }
}

#[tokio::test]
async fn the_table_lets_its_items_expire() {
    let table = Table::new().await;
    let described = table.client.describe_time_to_live().table_name(&table.name).send().await.unwrap();
    assert_eq!(described.time_to_live_description().unwrap().attribute_name(), Some("ttl"));
}

#[tokio::test]
async fn absurd_times_are_filed_under_now() {
    let table = Table::new().await;
    let writer = table.writer();
    for (id, start) in [(1, 0), (2, u64::MAX / 1_000_000 - 1), (3, NOW - 20 * 24 * 3_600_000)] {
        let mut span = invocation(id, id, &format!("r-{id}"));
        (span.start_time_unix_nano, span.end_time_unix_nano) = (start * 1_000_000, 0);
        write(&writer, otlp("f", [span])).await;
    }
    let answer = table.reader().runs("f", LAST_HOUR, &Filter::default(), 9).await.unwrap();
    assert_eq!(answer.found.len(), 3);
    assert!(answer.found.iter().all(|card| card.at() == NOW && card.start != NOW && card.duration == 0));
    assert_eq!(table.reader().transaction(&trace(2)).await.unwrap().found.spans.len(), 1);
}
