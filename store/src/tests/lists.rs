//! Lists: the newest first, whatever shard it is in, within the bounds that are promised.

use super::*;
use crate::testing::{Told as _, invocation, otlp};
use crate::{Filter, MAX_PAGES};

const HOUR: u64 = 3_600_000;

/// A run each minute, for so many minutes before now; every fifth failed.
async fn busy(table: &Table, minutes: u64) {
    let writer = table.writer();
    let spans = (0..minutes).map(|minute| {
        let run = invocation(minute + 1, minute + 1, &format!("r-{minute}"));
        let run = run.attribute("throughline.build_id", if minute < 30 { "new" } else { "old" });
        let run = run.at(NOW - minute * 60_000, 1 + minute);
        if minute % 5 == 0 { run.failed("Broken", "it is broken") } else { run }
    });
    write(&writer, otlp("f", spans)).await;
}

fn requests(cards: &[crate::Card]) -> Vec<&str> {
    cards.iter().map(|card| card.request_id.as_str()).collect()
}

#[tokio::test]
async fn the_newest_runs_and_failures_in_a_window() {
    let table = Table::new().await;
    busy(&table, 180).await;
    let (reader, any) = (table.reader(), Filter::default());
    let latest = reader.runs("f", LAST_HOUR, &any, 3).await.unwrap();
    assert_eq!(requests(&latest.found), ["r-0", "r-1", "r-2"]);
    assert!(!latest.at_least);
    let day = Window::new(NOW - 24 * HOUR, NOW);
    let all = reader.runs("f", day, &any, 1000).await.unwrap();
    assert_eq!(all.found.len(), 180);
    assert_eq!(all.requests, 2 * 16, "each shard of each day once");
    let failed = reader.failures("f", day, &any, 4).await.unwrap();
    assert_eq!(requests(&failed.found), ["r-0", "r-5", "r-10", "r-15"]);
    assert!(failed.requests <= 32 + MAX_PAGES);
    let edge = Window::new(NOW - 10 * 60_000, NOW - 5 * 60_000);
    assert_eq!(
        requests(&reader.runs("f", edge, &any, 100).await.unwrap().found).len(),
        6,
        "both ends included"
    );
    assert_eq!(requests(&reader.failures("f", edge, &any, 100).await.unwrap().found), ["r-5", "r-10"]);
    assert_eq!(reader.runs("g", day, &any, 10).await.unwrap().found, []);
    assert_eq!(reader.runs("f", day, &any, 0).await.unwrap().requests, 0);
    let backwards = Window { from: NOW, to: NOW - 1 };
    assert_eq!(reader.runs("f", backwards, &any, 10).await.unwrap().requests, 0);
}

#[tokio::test]
async fn a_filter_reads_on_until_it_has_enough() {
    let table = Table::new().await;
    busy(&table, 120).await;
    let filter = Filter { build: Some("old".into()), ..Filter::default() };
    let answer = table.reader().runs("f", Window::new(NOW - 3 * HOUR, NOW), &filter, 2).await.unwrap();
    assert_eq!(requests(&answer.found), ["r-30", "r-31"]);
    let slow = Filter { longer_than: Some(119_000), failed: Some(false), ..Filter::default() };
    let answer = table.reader().runs("f", Window::new(NOW - 3 * HOUR, NOW), &slow, 9).await.unwrap();
    assert_eq!(requests(&answer.found), ["r-118", "r-119"]);
}

#[tokio::test]
async fn beyond_the_bound_an_answer_says_at_least() {
    let table = Table::new().await;
    let writer = table.writer();
    // Pages begin with as many as are asked for and grow: 1, 4, 16 and 64 of each shard.
    let runs = (0..1500).map(|n| invocation(n + 1, n + 1, &format!("r-{n}")).at(NOW - n, 1));
    write(&writer, otlp("f", runs)).await;
    let filter = Filter { user: Some("nobody".into()), ..Filter::default() };
    let window = Window::new(NOW - 2000, NOW);
    let answer = table.reader().runs("f", window, &filter, 1).await.unwrap();
    assert!(answer.at_least && answer.found.is_empty());
    assert_eq!(answer.requests, 16 * window.days().count() as u64 + MAX_PAGES);
}

#[tokio::test]
async fn transactions_by_where_they_began() {
    let table = Table::new().await;
    let entry = "http POST /orders";
    let first = invocation(1, 1, "r-1").attribute("throughline.entry", entry).at(NOW, 3);
    table.write(otlp("api", [first])).await;
    let second = invocation(1, 2, "r-2").child_of(1).at(NOW + 10, 5).failed("Broken", "it is broken");
    table.write(otlp("worker", [second])).await;
    table.write(otlp("timer", [invocation(2, 3, "r-3").at(NOW - 1000, 1)])).await;
    let answer = table.reader().transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap();
    let firsts: Vec<_> = answer.found.iter().map(|one| one.first.request_id.as_str()).collect();
    assert_eq!(firsts, ["r-1", "r-3"]);
    let order = &answer.found[0];
    assert_eq!((order.duration, order.runs, order.failures), (15_000, 2, 1));
    assert_eq!(order.functions.iter().collect::<Vec<_>>(), ["api", "worker"]);
    assert_eq!(answer.requests, 16 + 2);
    let filter = Filter { entry: Some(entry.into()), ..Filter::default() };
    assert_eq!(table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap().found.len(), 1);
}

#[tokio::test]
async fn what_there_is_to_be_asked_for() {
    let table = Table::new().await;
    let failed = invocation(1, 1, "r-1").attribute("throughline.entry", "http POST /orders");
    table.write(otlp("api", [failed.failed("pay::Declined", "no")])).await;
    table.write(otlp("mailer", [invocation(2, 2, "r-2").at(NOW - 3 * 3_600_000, 1)])).await;
    let answer = table.reader().known(LAST_HOUR).await.unwrap();
    let [functions, entries, errors] = [answer.found.functions, answer.found.entries, answer.found.errors]
        .map(|names| names.into_iter().collect::<Vec<_>>());
    assert_eq!([functions, entries, errors], [["api"], ["http POST /orders"], ["pay::Declined"]]);
    assert_eq!(answer.requests, crate::bound::known(LAST_HOUR) - MAX_PAGES);
}
