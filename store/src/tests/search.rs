//! Transactions by what one of their runs is.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};
use crate::{Filter, MAX_PAGES, Summary};

const ENTRY: &str = "http POST /orders";

/// Five orders, of which the third fails for u-3 at the worker; the user is known only there.
async fn shop() -> Table {
    let table = Table::new().await;
    let writer = table.store.writer(
        "sandbox",
        Options { baggage: vec!["user.id".into(), "tenant".into()], ..Options::default() },
    );
    for n in 1..=5 {
        let at = NOW - 600_000 + n * 60_000;
        let entry = if n == 5 { "http GET /carts" } else { ENTRY };
        let api = invocation(n, 1, &format!("api-{n}"))
            .attribute("throughline.entry", entry)
            .attribute("correlation.id", &format!("c-{n}"))
            .attribute("http.response.status_code", if n == 2 { "503" } else { "202" })
            .list("throughline.join.out", &format!("sqs:m-{n}"))
            .at(at, 20);
        write(&writer, otlp("api", [api])).await;
        let worker = invocation(n, 2, &format!("worker-{n}"))
            .child_of(1)
            .attribute("throughline.source", "sqs orders")
            .attribute("throughline.entry", entry)
            .attribute("correlation.id", &format!("c-{n}"))
            .attribute("user.id", &format!("u-{n}"))
            .attribute("account.plan", if n == 4 { "gold" } else { "free" })
            .attribute("tenant", if n < 3 { "acme" } else { "other" })
            .attribute("throughline.build_id", if n > 2 { "new" } else { "old" })
            .attribute("throughline.swallowed_errors", if n > 2 && n < 5 { "2" } else { "0" })
            .attribute("throughline.dry_run", if n == 1 { "true" } else { "false" })
            .list("throughline.join.in", &format!("sqs:m-{n}"))
            .at(at + 1000 * n, 100);
        let worker = if n == 3 { worker.failed("Declined", "card declined") } else { worker };
        write(&writer, otlp("worker", [worker])).await;
    }
    table
}

fn traces(found: &[Summary]) -> Vec<u64> {
    found.iter().map(|one| u64::from_str_radix(&one.first.trace_id, 16).unwrap()).collect()
}

#[tokio::test]
async fn one_run_has_all_that_is_asked_for() {
    let table = shop().await;
    let text = |text: &str| Some(text.to_owned());
    let any = Filter::default;
    for (filter, found) in [
        (any(), &[5, 4, 3, 2, 1][..]),
        (Filter { entry: text(ENTRY), ..any() }, &[4, 3, 2, 1]),
        (Filter { entry: text(ENTRY), function: text("api"), ..any() }, &[4, 3, 2, 1]),
        (Filter { user: text("u-4"), ..any() }, &[4]),
        // The one tells for whom, and the other the status.
        (Filter { user: text("u-4"), http_status: Some(202), ..any() }, &[4]),
        (Filter { user: text("u-4"), http_status: Some(503), ..any() }, &[]),
        (Filter { plan: text("gold"), ..any() }, &[4]),
        (Filter { http_status: Some(503), ..any() }, &[2]),
        (Filter { build: text("old"), ..any() }, &[2, 1]),
        (Filter { dry_run: Some(true), ..any() }, &[1]),
        (Filter { correlation_id: text("c-2"), ..any() }, &[2]),
        (Filter { request_id: text("worker-5"), ..any() }, &[5]),
        (Filter { message_id: text("m-1"), ..any() }, &[1]),
        (Filter { message_id: text("sqs:m-3"), failed: Some(true), ..any() }, &[3]),
        (Filter { message_id: text("c-1"), ..any() }, &[]),
        (Filter { baggage: [("tenant".into(), "acme".into())].into(), ..any() }, &[2, 1]),
        (Filter { baggage: [("tenant".into(), "acme".into())].into(), user: text("u-1"), ..any() }, &[1]),
        (Filter { failed: Some(true), ..any() }, &[3]),
        (Filter { swallowed: Some(true), ..any() }, &[4]),
        (Filter { swallowed: Some(true), function: text("worker"), ..any() }, &[4]),
        (Filter { error: text("Declined"), entry: text(ENTRY), ..any() }, &[3]),
        (Filter { error: text("Timeout"), ..any() }, &[]),
        // Of the whole, and of a function's runs.
        (Filter { longer_than: Some(4_000_000), ..any() }, &[5, 4]),
        (Filter { shorter_than: Some(2_500_000), longer_than: Some(2_000_000), ..any() }, &[2]),
        (Filter { longer_than: Some(2_000_000), failed: Some(true), ..any() }, &[3]),
        (Filter { longer_than: Some(4_000_000), failed: Some(true), ..any() }, &[]),
        (Filter { longer_than: Some(50_000), function: text("api"), ..any() }, &[]),
    ] {
        let answer = table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap();
        assert_eq!(traces(&answer.found), found, "{filter:?}");
        assert!(!answer.at_least && answer.damaged.is_empty());
    }
    let filter = Filter { user: text("u-3"), ..any() };
    let order = table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap().found.remove(0);
    assert_eq!((order.first.function.as_str(), order.run.function.as_str()), ("api", "worker"));
    assert_eq!((order.runs, order.failures, order.duration), (2, 1, 3_100_000));
}

#[tokio::test]
async fn by_an_id_or_a_user_few_requests_do() {
    let table = shop().await;
    let requests =
        async |filter: Filter| table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap().requests;
    let text = |text: &str| Some(text.to_owned());
    // What is looked up, its trace, and the message of which nothing says that it carried the context.
    assert_eq!(requests(Filter { correlation_id: text("c-2"), ..Filter::default() }).await, 3);
    assert_eq!(requests(Filter { request_id: text("api-2"), ..Filter::default() }).await, 3);
    assert_eq!(requests(Filter { message_id: text("m-2"), ..Filter::default() }).await, 3);
    assert_eq!(requests(Filter { user: text("u-2"), ..Filter::default() }).await, 16 + 2);
}

#[tokio::test]
async fn users_that_are_not_indexed_are_found_too() {
    let table = Table::new().await;
    let writer = table.store.writer("sandbox", Options { baggage: Vec::new(), ..Options::default() });
    let run = |n: u64| invocation(n, n, &format!("r-{n}")).attribute("user.id", &format!("u-{n}"));
    write(&writer, otlp("f", (1..=3).map(run))).await;
    let filter = Filter { user: Some("u-2".into()), ..Filter::default() };
    assert_eq!(traces(&table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap().found), [2]);
}

#[tokio::test]
async fn a_trace_that_is_part_of_another_is_told_in_it() {
    let table = Table::new().await;
    let of_user = |span: opentelemetry_proto::tonic::trace::v1::Span| span.attribute("user.id", "u-1");
    table.write(otlp("api", [of_user(invocation(1, 1, "r-1"))])).await;
    let later = of_user(invocation(2, 2, "r-2").link(1, 1)).at(NOW + 50, 1);
    table.write(otlp("worker", [later])).await;
    let filter = Filter { user: Some("u-1".into()), ..Filter::default() };
    let found = table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap().found;
    assert_eq!((traces(&found), found[0].runs), (vec![1], 2));
}

#[tokio::test]
async fn more_than_can_be_looked_at_is_at_least() {
    let table = Table::new().await;
    let writer = table.writer();
    let runs = (1..=501).map(|n| invocation(n, n, &format!("r-{n}")).at(NOW - n, 1));
    write(&writer, otlp("f", runs)).await;
    let filter = Filter { http_status: Some(500), ..Filter::default() };
    let answer = table.reader().transactions(LAST_HOUR, &filter, 10).await.unwrap();
    assert!(answer.found.is_empty() && answer.at_least);
    assert!(answer.requests <= 2 * 16 + MAX_PAGES + 500, "{}", answer.requests);
}

/// So many functions, of which each fails once, and those of two digits twice.
async fn failing(functions: u64) -> Table {
    let table = Table::new().await;
    let writer = table.writer();
    for n in 1..=functions {
        let failed = |id: u64| {
            let run = invocation(n * 100 + id, n * 100 + id, &format!("r-{n}-{id}"));
            run.failed("Broken", "it is broken").at(NOW - n * 1000 - id, 1)
        };
        let runs = if n >= 10 { vec![failed(1), failed(2)] } else { vec![failed(1)] };
        write(&writer, otlp(&format!("f-{n:02}"), runs)).await;
    }
    table
}

#[tokio::test]
async fn failures_of_many_functions_are_all_listed() {
    let table = failing(15).await;
    let failed = Filter { failed: Some(true), ..Filter::default() };
    let answer = table.reader().transactions(LAST_HOUR, &failed, 100).await.unwrap();
    assert_eq!((answer.found.len(), answer.at_least), (9 + 2 * 6, false));
    assert_eq!(answer.left_out, [""; 0]);
    let newest = table.reader().transactions(LAST_HOUR, &failed, 3).await.unwrap().found;
    let newest: Vec<_> = newest.iter().map(|one| one.run.function.as_str()).collect();
    assert_eq!(newest, ["f-01", "f-02", "f-03"], "the newest, not of those that fail most");
}

#[tokio::test]
async fn whose_failures_are_left_out_is_told() {
    let table = failing(45).await;
    let reader = table.reader();
    let failed = Filter { failed: Some(true), ..Filter::default() };
    let answer = reader.transactions(LAST_HOUR, &failed, 100).await.unwrap();
    assert_eq!((answer.found.len(), answer.at_least), (4 + 2 * 36, true));
    assert_eq!(answer.left_out, ["f-05", "f-06", "f-07", "f-08", "f-09"], "those that fail least");
    let bound = crate::bound::transactions_that_failed(LAST_HOUR);
    assert!(answer.requests <= bound - 10 * MAX_PAGES, "{} of {bound}", answer.requests);
    let errors = reader.errors(LAST_HOUR, &failed).await.unwrap();
    assert_eq!((errors.left_out.len(), errors.at_least), (35, true));
}

/// Each message is tried eight times: of a page of failures there are fewer transactions.
#[tokio::test]
async fn attempts_do_not_take_the_room_of_transactions() {
    let table = Table::new().await;
    let writer = table.writer();
    for n in 1..=9 {
        let attempt = |id: u64| {
            let run = invocation(n, n * 10 + id, &format!("r-{n}-{id}")).failed("Broken", "no");
            run.at(NOW - n * 1000 + id, 1)
        };
        write(&writer, otlp("f", (1..=8).map(attempt))).await;
    }
    let failed = Filter { failed: Some(true), ..Filter::default() };
    let of_function = Filter { function: Some("f".into()), ..failed.clone() };
    let reader = table.reader();
    // Those that are read first have three: more are read, and told once.
    for filter in [failed, of_function] {
        let answer = reader.transactions(LAST_HOUR, &filter, 4).await.unwrap();
        assert_eq!((traces(&answer.found), answer.at_least), (vec![1, 2, 3, 4], false), "{filter:?}");
    }
}

#[tokio::test]
async fn errors_impact_and_counts_are_narrowed() {
    let table = shop().await;
    let (reader, text) = (table.reader(), |text: &str| Some(text.to_owned()));
    let of = |user: &str| Filter { user: text(user), ..Filter::default() };
    let errors = async |filter: Filter| reader.errors(LAST_HOUR, &filter).await.unwrap().found.len();
    assert_eq!(errors(of("u-3")).await, 1);
    assert_eq!(errors(of("u-4")).await, 0);
    assert_eq!(errors(Filter { message_id: text("m-3"), ..Filter::default() }).await, 1);
    assert_eq!(errors(Filter { function: text("api"), ..Filter::default() }).await, 0);
    assert_eq!(errors(Filter { error: text("Timeout"), ..Filter::default() }).await, 0);

    let all = reader.impact("worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!((all.runs, all.failures, all.entries[0].runs), (Some(5), 1, Some(4)));
    let built = Filter { build: text("new"), ..Filter::default() };
    let built = reader.impact("worker", LAST_HOUR, &built).await.unwrap().found;
    assert_eq!((built.runs, built.failures), (Some(3), 1));
    let user = reader.impact("worker", LAST_HOUR, &of("u-3")).await.unwrap().found;
    assert_eq!((user.runs, user.failures), (None, 1), "how often it ran for a user is not counted");

    let functions = async |filter: Filter| {
        let rows = reader.functions(LAST_HOUR, &filter).await.unwrap().found;
        rows.into_iter().map(|row| (row.function, row.now.figures.runs)).collect::<Vec<_>>()
    };
    assert_eq!(
        functions(Filter { entry: text("http GET /carts"), ..Filter::default() }).await,
        [("api".into(), 1), ("worker".into(), 1)]
    );
    assert_eq!(functions(Filter { build: text("old"), ..Filter::default() }).await, [("worker".into(), 2)]);
    assert_eq!(functions(Filter { failed: Some(true), ..Filter::default() }).await, [("worker".into(), 5)]);
    assert_eq!(functions(Filter { function: text("api"), ..Filter::default() }).await, [("api".into(), 5)]);
}

/// Keys and cards keep only so much of a text.
#[tokio::test]
async fn what_is_long_is_found_by_all_of_it() {
    let table = Table::new().await;
    let long = |name: &str| Some(format!("{name} {}", name.repeat(300)));
    let (function, entry, user, build) = (long("f"), long("e"), long("u"), long("b"));
    let said = |value: &Option<String>| value.clone().unwrap();
    let run = invocation(1, 1, &said(&long("r")))
        .attribute("throughline.source", "sqs q")
        .attribute("throughline.entry", &said(&entry))
        .attribute("user.id", &said(&user))
        .attribute("account.id", &said(&long("a")))
        .attribute("account.plan", &said(&long("p")))
        .attribute("correlation.id", &said(&long("c")))
        .attribute("throughline.build_id", &said(&build))
        .failed(&said(&long("k")), "failed");
    table.write(otlp(&said(&function), [run])).await;
    table.write(otlp("other", [invocation(2, 2, "r-2").failed("Other", "failed")])).await;
    let (reader, any) = (table.reader(), Filter::default);
    for filter in [
        Filter { function: function.clone(), ..any() },
        Filter { function: function.clone(), failed: Some(true), ..any() },
        Filter { function: function.clone(), user: user.clone(), ..any() },
        Filter { entry: entry.clone(), ..any() },
        Filter { entry: entry.clone(), failed: Some(true), ..any() },
        Filter { user, ..any() },
        Filter { account: long("a"), ..any() },
        Filter { plan: long("p"), ..any() },
        Filter { correlation_id: long("c"), ..any() },
        Filter { request_id: long("r"), ..any() },
        Filter { build: build.clone(), ..any() },
        Filter { error: long("k"), ..any() },
    ] {
        let found = reader.transactions(LAST_HOUR, &filter, 10).await.unwrap().found;
        assert_eq!(traces(&found), [1], "{filter:?}");
        assert_eq!(reader.errors(LAST_HOUR, &filter).await.unwrap().found.len(), 1, "{filter:?}");
    }
    let counted = Filter { function: function.clone(), entry, build, ..any() };
    assert_eq!(reader.functions(LAST_HOUR, &counted).await.unwrap().found.len(), 1);
    assert_eq!(reader.rates(LAST_HOUR, &counted).await.unwrap().found.now.runs, 1);
    let impact = reader.impact(&said(&function), LAST_HOUR, &any()).await.unwrap().found;
    assert_eq!((impact.runs, impact.failures), (Some(1), 1));
    let mut map = reader.map(LAST_HOUR).await.unwrap().found;
    map.narrow(&said(&function));
    assert!(map.nodes.iter().any(|node| node.function), "{map:?}");
}

/// Of services that export by themselves, each may have begun it.
#[tokio::test]
async fn a_page_is_full_however_many_services_a_transaction_has() {
    let table = Table::new().await;
    for n in 1..=20 {
        for service in 1..=8 {
            let parent = Some(service - 1).filter(|parent| *parent > 0);
            let span = span(n, service, parent).at(NOW - 600_000 + 1000 * n + service, 5);
            let span = Span { kind: SpanKind::Server as i32, ..span };
            table.write(otlp(&format!("s-{service}"), [span])).await;
        }
    }
    let answer = table.reader().transactions(LAST_HOUR, &Filter::default(), 20).await.unwrap();
    assert_eq!(traces(&answer.found), (1..=20).rev().collect::<Vec<_>>());
    assert!(!answer.at_least);
}
