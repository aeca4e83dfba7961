//! Synthetic traffic: what each question takes, and that any DynamoDB gives the same answers.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

use super::*;
use crate::time::{DAY, HOUR};
use crate::traffic::{Asked, Handed, Traffic, ask_all, known};
use crate::{Filter, bound};

/// As many as a test waits for: moto looks at each item of the table for each request.
const FEW: usize = 400;

/// Two days of traffic, written as its sandboxes would.
async fn write_traffic(table: &Table, invocations: usize) {
    let mut sandboxes: BTreeMap<String, Vec<Handed>> = BTreeMap::new();
    for handed in Traffic::new(7, invocations, Window::new(NOW - 2 * DAY, NOW)) {
        sandboxes.entry(handed.sandbox.clone()).or_default().push(handed);
    }
    for (sandbox, handed) in sandboxes {
        let resource_logs = handed.iter().map(|one| one.logs.clone()).collect();
        let resource_spans = handed.into_iter().flat_map(|one| one.request.resource_spans).collect();
        let writer = table.store.writer(&sandbox, Options::default());
        write(&writer, ExportTraceServiceRequest { resource_spans }).await;
        let logs = ExportLogsServiceRequest { resource_logs };
        writer.write_logs(logs, at(NOW), soon()).await.unwrap();
    }
}

async fn ask(table: &Table, window: Window) -> Vec<Asked> {
    let reader = table.reader();
    let known = known(&reader, window, 1).await.unwrap().unwrap();
    ask_all(&reader, window, &known, "").await.unwrap()
}

/// Asked of moto where that is named, and of the embedded engine, with and without the SDK.
#[tokio::test]
async fn any_engine_gives_the_same_answers() {
    let window = Window::new(NOW - DAY, NOW);
    let mut answers = Vec::new();
    for table in [Table::embedded().await, Table::through_the_sdk().await, Table::new().await] {
        write_traffic(&table, FEW).await;
        answers.push(ask(&table, window).await);
    }
    for answer in answers.iter_mut().flatten() {
        assert!(answer.requests <= answer.bound, "{answer:?}");
        // Whether there is one more page after one that is just full is told by some engines and not by others.
        answer.answer["requests"].take();
    }
    let (first, others) = answers.split_first().unwrap();
    for other in others {
        for (one, other) in first.iter().zip(other) {
            assert_eq!(one.answer, other.answer, "{}", one.question);
        }
    }
}

/// As the documentation has it, without further pages.
#[tokio::test]
async fn each_question_takes_as_many_requests_as_are_documented() {
    let table = Table::embedded().await;
    write_traffic(&table, FEW).await;
    let reader = table.reader();
    for length in [HOUR, DAY, 2 * DAY] {
        let window = Window::new(NOW - length, NOW);
        let (shards, any) = (window.days().count() as u64 * 16, Filter::default());
        assert_eq!(shards, 16 * (1 + length / DAY), "the last of the days has not ended");
        let functions = reader.functions(window, &any).await.unwrap();
        let counted = window.whole_hours().with_before().days().count() as u64 * 16;
        assert_eq!((functions.requests, bound::counted(window)), (counted, counted + 50));
        assert_eq!(reader.map(window).await.unwrap().requests, counted);
        // There are fewer, so all days are asked.
        assert_eq!(reader.runs("orders-api", window, &any, 1000).await.unwrap().requests, shards);
        assert_eq!(reader.failures("orders-api", window, &any, 1000).await.unwrap().requests, shards / 4);
        let transactions = reader.transactions(window, &any, 500).await.unwrap();
        let traces: BTreeSet<String> =
            transactions.found.iter().flat_map(|one| one.trace_ids.clone()).collect();
        let ids = ids_that_join(&table, &traces).await;
        assert!(traces.len() > transactions.found.len() && ids > 0, "some are joined");
        assert_eq!(transactions.requests, shards + traces.len() as u64 + ids);
        assert!(transactions.requests <= bound::transactions(window));
        let errors = reader.errors(window, &any).await.unwrap();
        let before = window.with_before().days().count() as u64 * 4;
        assert!(errors.requests >= counted + errors.found.len() as u64, "{}", errors.requests);
        assert!(errors.requests <= bound::errors(window) - 50, "{}", errors.requests);
        let of_user = reader.with_baggage("user.id", "u-00000", window, 50).await.unwrap();
        assert_eq!((of_user.requests, bound::WITH_BAGGAGE), (16, 66));

        let Some(worst) = functions.found.iter().max_by_key(|row| row.now.figures.failures) else { continue };
        let impact = reader.impact(&worst.function, window, &any).await.unwrap();
        let mut causes = 0;
        for group in impact.found.errors.iter().take(5) {
            causes += reader.transaction(&group.example.trace_id).await.unwrap().requests;
        }
        let least = counted + before + impact.found.looked_at + causes;
        assert!((least..=least + 400).contains(&impact.requests), "{least}: {}", impact.requests);
        assert!(impact.requests <= bound::impact(window));
    }
    let day = Window::new(NOW - DAY, NOW);
    let run = reader.runs("orders-api", day, &Filter::default(), 1).await.unwrap().found.remove(0);
    let transaction = reader.transaction(&run.trace_id).await.unwrap();
    assert!(transaction.requests > transaction.found.runs.len() as u64);
    assert_eq!(reader.export(&run.trace_id).await.unwrap().requests, transaction.requests);
    let names = transaction.found.runs.iter().flat_map(|run| [&run.request_id, &run.trace_id]);
    let names = names.collect::<BTreeSet<_>>().len() as u64;
    let logs = reader.logs(&transaction.found.runs).await.unwrap();
    assert_eq!(logs.requests, names);
    assert!(logs.found.len() >= 2 * transaction.found.runs.len(), "{:?}", logs.found);
    for (text, requests) in [(run.trace_id.as_str(), 3 + 16), (&run.request_id, 2 + 16), ("nothing", 2 + 16)]
    {
        assert_eq!(reader.find(text, &["user.id"]).await.unwrap().requests, requests, "{text}");
    }
    assert_eq!(bound::find(1), 3 + 16 + 50);
}

/// How many ids stand beside the cards in these traces, by which others are looked for.
async fn ids_that_join(table: &Table, traces: &BTreeSet<String>) -> u64 {
    let mut ids = BTreeSet::new();
    for item in table.items().await {
        let trace = item["pk"].as_s().unwrap().strip_prefix("trace#").map(str::to_owned);
        if trace.is_some_and(|trace| traces.contains(&trace)) && item.contains_key("joins") {
            let joins: crate::run::Joins =
                serde_dynamo::from_item(from_sdk(item)).map(|Held { joins }| joins).unwrap();
            ids.extend(
                joins
                    .ids
                    .into_iter()
                    .map(|id| if id.is_weak() { (id.name, Some(id.way), id.at) } else { (id.name, None, 0) }),
            );
        }
    }
    ids.len() as u64
}

#[derive(serde::Deserialize)]
struct Held {
    joins: crate::run::Joins,
}
