//! In lists, and in what failures hit, a joined transaction is one thing too.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};
use crate::{Filter, Summary};

const ENTRY: &str = "http POST /orders";

/// Three orders, each of which puts a record into a stream that can carry no context. Its reader fails three times.
async fn lost_hop() -> Table {
    let table = Table::new().await;
    let writer = table.writer();
    for n in 1..=3 {
        let at = NOW - 600_000 + n * 60_000;
        let record = format!("kinesis:audit/shardId-0:{n}");
        let put = span(n, 11, Some(10)).list("throughline.join.out", &record).at(at + 5, 2);
        let api = invocation(n, 10, &format!("api-{n}"))
            .attribute("throughline.source", ENTRY)
            .attribute("throughline.entry", ENTRY)
            .attribute("correlation.id", &format!("c-{n}"))
            .attribute("user.id", &format!("u-{n}"))
            .attribute("account.id", "acme")
            .attribute("user.test", if n == 3 { "true" } else { "false" });
        write(&writer, otlp("api", [api.at(at, 20), put])).await;
        for attempt in 1..=3 {
            let (trace, request) = (n * 100 + attempt, format!("audit-{n}-{attempt}"));
            let read = invocation(trace, trace, &request)
                .attribute("throughline.source", "kinesis audit")
                .list("throughline.join.in", &record)
                .failed("Broken", "no JSON")
                .at(at + attempt * 1000, 1);
            write(&writer, otlp("audit", [read])).await;
        }
    }
    table
}

fn firsts(found: &[Summary]) -> Vec<&str> {
    found.iter().map(|one| one.first.request_id.as_str()).collect()
}

#[tokio::test]
async fn a_transaction_in_several_traces_is_one_row() {
    let table = lost_hop().await;
    let answer = table.reader().transactions(LAST_HOUR, &Filter::default(), 50).await.unwrap();
    assert_eq!(firsts(&answer.found), ["api-3", "api-2", "api-1"]);
    for (row, n) in answer.found.iter().zip([3, 2, 1]) {
        assert_eq!(
            (row.runs, row.failures, row.duration),
            (4, 3, 3_001_000),
            "from the order to the last try"
        );
        assert_eq!(row.functions.iter().collect::<Vec<_>>(), ["api", "audit"]);
        assert_eq!(row.users, BTreeSet::from([format!("u-{n}")]));
        let told = table.reader().transaction(&row.first.trace_id).await.unwrap().found;
        assert_eq!(row.trace_ids[0], row.first.trace_id);
        let traces = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(traces(&row.trace_ids), traces(&told.trace_ids), "the same as where it is told alone");
        assert_eq!(row.runs, told.runs.len() as u64);
    }
    // The shards of two days, twelve traces that may be one each, and the three ids by which they are not.
    assert_eq!(answer.requests, LAST_HOUR.days().count() as u64 * 16 + 12 + 3);
    assert!(!answer.at_least && answer.damaged.is_empty());
}

#[tokio::test]
async fn what_is_asked_for_may_be_known_in_another_trace() {
    let table = lost_hop().await;
    let text = |text: &str| Some(text.to_owned());
    let failed = || Filter { failed: Some(true), ..Filter::default() };
    for (filter, found) in [
        (failed(), &["api-3", "api-2", "api-1"][..]),
        (Filter { user: text("u-2"), ..failed() }, &["api-2"]),
        (Filter { account: text("acme"), error: text("Broken"), ..failed() }, &["api-3", "api-2", "api-1"]),
        (Filter { account: text("other"), ..failed() }, &[]),
        (Filter { entry: text(ENTRY), ..failed() }, &["api-3", "api-2", "api-1"]),
        (Filter { entry: text("kinesis audit"), ..failed() }, &["api-3", "api-2", "api-1"]),
        (Filter { entry: text("http GET /"), ..failed() }, &[]),
        (Filter { test_user: Some(false), ..failed() }, &["api-2", "api-1"]),
        (Filter { correlation_id: text("c-1"), ..failed() }, &["api-1"]),
        (Filter { function: text("audit"), ..Filter::default() }, &["api-3", "api-2", "api-1"]),
        (Filter { function: text("api"), ..failed() }, &[]),
        (Filter { longer_than: Some(3_000_000), ..Filter::default() }, &["api-3", "api-2", "api-1"]),
        (Filter { longer_than: Some(3_100_000), ..Filter::default() }, &[]),
    ] {
        let answer = table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap();
        assert_eq!(firsts(&answer.found), found, "{filter:?}");
    }
    let row = table.reader().transactions(LAST_HOUR, &failed(), 1).await.unwrap().found.remove(0);
    assert_eq!((row.run.function.as_str(), row.run.user.as_deref()), ("audit", Some("u-3")));
    assert_eq!(row.run.entry.as_deref(), Some(ENTRY), "it came in where its sender did");
}

#[tokio::test]
async fn failures_hit_those_whose_context_was_lost() {
    let table = lost_hop().await;
    let answer = table.reader().impact("audit", LAST_HOUR, &Filter::default()).await.unwrap();
    let impact = &answer.found;
    let [hit] = impact.entries.as_slice() else { panic!("{impact:?}") };
    assert_eq!((hit.entry.as_str(), hit.failures, hit.transactions, hit.users), (ENTRY, 9, 3, 2));
    assert_eq!((hit.runs, hit.failures_before), (Some(9), Some(0)), "all that came by the stream");
    assert_eq!((impact.users, impact.accounts, impact.test_failures), (2, 1, 3));
    assert_eq!(impact.top_users[0].account.as_deref(), Some("acme"));
    assert_eq!((impact.looked_at, impact.ended_well, answer.at_least), (3, 0, false));
    // Of nine failures the traces, the three ids and the three orders.
    let days = |window: Window| window.days().count() as u64;
    let counted = days(LAST_HOUR.whole_hours().with_before()) * 16 + days(LAST_HOUR.with_before()) * 4;
    let cause = table.reader().transaction(&impact.errors[0].example.trace_id).await.unwrap().requests;
    assert_eq!(answer.requests, counted + 9 + 3 + 3 + cause);

    let of_user = Filter { user: Some("u-1".into()), ..Filter::default() };
    let impact = table.reader().impact("audit", LAST_HOUR, &of_user).await.unwrap().found;
    assert_eq!((impact.failures, impact.users, impact.entries[0].transactions), (3, 1, 1));
    let nobody = Filter { user: Some("nobody".into()), ..Filter::default() };
    assert_eq!(table.reader().impact("audit", LAST_HOUR, &nobody).await.unwrap().found.failures, 0);
}

#[tokio::test]
async fn a_batch_of_several_is_told_with_each_sender() {
    let table = Table::new().await;
    for n in [1, 2] {
        let api = invocation(n, n, &format!("api-{n}")).attribute("throughline.entry", ENTRY);
        table.write(otlp("api", [api])).await;
    }
    let record = |trace, id| {
        let record = span(trace, id, Some(trace)).attribute("throughline.source", "sqs payments");
        record.attribute("throughline.entry", ENTRY).link(9, 90).at(NOW + 5, 1)
    };
    let batch =
        invocation(9, 90, "batch").attribute("throughline.source", "sqs payments").link(1, 1).link(2, 2);
    let refused = record(2, 92).failed("Refused", "no");
    table.write(otlp("worker", [batch.at(NOW + 5, 2), record(1, 91), refused])).await;
    let rows = table.reader().transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap().found;
    let told: Vec<_> = rows.iter().map(|row| (row.runs, row.failures, row.senders.len())).collect();
    assert_eq!(told, [(2, 1, 1), (2, 0, 1)], "with its own record alone");
    assert_eq!(rows[1].trace_ids, table.reader().transaction(&trace(1)).await.unwrap().found.trace_ids);
    // Found by itself it is what it is alone, and names its senders.
    let worker = Filter { function: Some("worker".into()), ..Filter::default() };
    let rows = table.reader().transactions(LAST_HOUR, &worker, 10).await.unwrap().found;
    assert_eq!((firsts(&rows), rows[0].senders.clone()), (vec!["batch"], vec![trace(1), trace(2)]));
    assert_eq!((rows[0].run.failed(), rows[0].failures), (true, 1), "it failed in part");
}

/// As of a stream whose function says which record failed, and is well itself.
#[tokio::test]
async fn a_record_that_failed_fails_its_transaction() {
    let table = Table::new().await;
    let record =
        span(1, 2, Some(1)).attribute("throughline.source", "kinesis audit").attribute("user.id", "u-1");
    let record = record.failed("Broken", "no JSON");
    let batch = invocation(1, 1, "r-1").attribute("throughline.source", "kinesis audit");
    table.write(otlp("audit", [batch, record])).await;
    let again = invocation(1, 3, "r-2").attribute("throughline.source", "kinesis audit").child_of(1);
    let record =
        span(1, 4, Some(3)).attribute("throughline.source", "kinesis audit").failed("Broken", "no JSON");
    table.write(otlp("audit", [again.at(NOW + 9, 1), record])).await;
    let rows = table.reader().transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap().found;
    assert_eq!((rows[0].runs, rows[0].failures), (2, 2));
    let audit = Filter { function: Some("audit".into()), ..Filter::default() };
    let rows = table.reader().transactions(LAST_HOUR, &audit, 10).await.unwrap().found;
    assert!(rows[0].run.failed(), "by its function too: {rows:?}");
    let found = table.reader().find("u-1", &["user.id"]).await.unwrap().found;
    assert!(found.iter().all(|found| found.run.failed) && found.len() == 1, "{found:?}");
    let impact = table.reader().impact("audit", LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!((impact.failures, impact.ended_well), (2, 0), "it failed again");
}

/// As another tool tells of a call over HTTP.
fn called(trace: u64, id: u64, parent: u64, route: &str) -> Span {
    let span = span(trace, id, Some(parent)).attribute("http.request.method", "GET");
    Span { kind: SpanKind::Server as i32, ..span.attribute("http.route", route) }
}

#[tokio::test]
async fn a_service_is_found_whose_caller_is_not_known() {
    let table = Table::new().await;
    // A traced browser calls the shop, and the shop the stock; nothing is known of the browser.
    let call = Span { kind: SpanKind::Client as i32, ..span(1, 3, Some(2)).at(NOW + 1, 8) };
    let stock = called(1, 4, 3, "/stock").at(NOW + 2, 5).failed("Broken", "no such shelf");
    table.write(otlp("stock", [stock])).await;
    let units = table.write(otlp("shop", [called(1, 2, 99, "/").at(NOW, 10), call])).await.units;
    let answer = table.reader().transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap();
    let [row] = answer.found.as_slice() else { panic!("{answer:?}") };
    assert_eq!((row.first.function.as_str(), row.runs, row.failures, row.duration), ("shop", 2, 1, 10_000));
    let rates = table.reader().rates(LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!(rates.now.runs, 2, "either may have been the first");
    let good = table.reader().impact("stock", LAST_HOUR, &Filter::default()).await.unwrap().found;
    let hit = &good.entries[0];
    assert_eq!(
        (hit.entry.as_str(), hit.failures, hit.runs),
        ("http GET /", 1, Some(1)),
        "where the shop was called"
    );
    let entry = Filter { entry: Some("http GET /".into()), ..Filter::default() };
    assert_eq!(table.reader().transactions(LAST_HOUR, &entry, 10).await.unwrap().found.len(), 1);

    // A root tells more than what is earlier by its clock.
    let browser = otlp("browser", [span(1, 99, None).at(NOW + 9, 1)]);
    table.write(browser).await;
    let rows = table.reader().transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap().found;
    assert_eq!((rows.len(), rows[0].first.function.as_str(), rows[0].runs), (1, "browser", 3));

    // Who comes with its caller is known to be called, and costs no more than ever.
    let mut both = otlp("shop", [called(2, 2, 99, "/").at(NOW, 10), span(2, 3, Some(2))]);
    both.resource_spans.extend(otlp("stock", [called(2, 4, 3, "/stock")]).resource_spans);
    table.write(both).await;
    let begun =
        table.items().await.into_iter().filter(|item| item["pk"].as_s().unwrap().starts_with("begun#"));
    let begun: Vec<_> = begun.map(|item| item["function"].as_s().unwrap().clone()).collect();
    assert_eq!(begun.iter().filter(|function| *function == "stock").count(), 1, "{begun:?}");
    let alone = Table::new().await;
    let known = called(1, 2, 99, "/").at(NOW, 10).attribute("throughline.entry", ENTRY);
    let call = Span { kind: SpanKind::Client as i32, ..span(1, 3, Some(2)).at(NOW + 1, 8) };
    assert_eq!(alone.write(otlp("shop", [known, call])).await.units + 1, units);
}
