//! Services of other tools, whose spans say neither request id nor source.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp, span};

const THEN: u64 = NOW - 2 * 3_600_000;

fn of(kind: SpanKind, id: u64, parent: Option<u64>) -> Span {
    Span { kind: kind as i32, ..span(1, id, parent).at(THEN, 5) }
}

fn web(host: &str) -> ExportTraceServiceRequest {
    let came_in = of(SpanKind::Server, 1, None).attribute("http.method", "GET");
    let came_in = came_in.attribute("http.route", "/").attribute("http.status_code", "500").failed("", "no");
    let call = of(SpanKind::Client, 2, Some(1)).attribute("rpc.system", "grpc");
    otlp("web", [came_in, call.attribute("net.peer.name", host)])
}

fn cart() -> ExportTraceServiceRequest {
    let query =
        of(SpanKind::Client, 4, Some(3)).attribute("db.system", "redis").attribute("db.name", "carts");
    otlp("cart", [of(SpanKind::Server, 3, Some(2)), query])
}

async fn edges(table: &Table) -> Vec<(String, String)> {
    let map = table.reader().map(Window::new(THEN - 3_600_000, NOW)).await.unwrap().found;
    map.edges.into_iter().map(|edge| (edge.from, edge.to)).collect()
}

fn drawn(called: &str) -> Vec<(String, String)> {
    let mut edges = [("cart", "redis carts"), ("http GET /", "web"), ("web", called)];
    edges.sort_unstable();
    edges.map(|(from, to)| (from.to_owned(), to.to_owned())).into()
}

#[tokio::test]
async fn one_leads_to_another_where_both_came_together() {
    let table = Table::new().await;
    let mut both = web("10.0.0.7");
    both.resource_spans.extend(cart().resource_spans);
    table.write(both).await;
    assert_eq!(edges(&table).await, drawn("cart"));
}

#[tokio::test]
async fn and_else_where_the_host_has_its_name_or_all_is_counted_anew() {
    for (host, called) in [("cart", "cart"), ("10.0.0.7", "grpc 10.0.0.7")] {
        let table = Table::new().await;
        let writer = table.writer();
        write(&writer, cart()).await;
        write(&writer, web(host)).await;
        assert_eq!(edges(&table).await, drawn(called));
        let all = Window::new(THEN - 3_600_000, NOW);
        writer.rebuild_totals(all, at(NOW), soon(), |_| ()).await.unwrap();
        assert_eq!(edges(&table).await, drawn("cart"));
    }
}

/// Each exports by itself, as other SDKs do; who is called has ended first.
#[tokio::test]
async fn a_transaction_of_several_services_began_once() {
    let services = |trace: u64, parent: Option<u64>| {
        let of = |kind: SpanKind, id: u64, parent: Option<u64>| {
            let span = span(trace, id, parent).attribute("http.request.method", "GET");
            Span { kind: kind as i32, ..span.attribute("http.route", &format!("/{id}")) }
        };
        [
            otlp("stock", [of(SpanKind::Server, 4, Some(3))]),
            otlp("cart", [of(SpanKind::Server, 2, Some(1)), of(SpanKind::Client, 3, Some(2))]),
            otlp("web", [of(SpanKind::Server, 10, parent), of(SpanKind::Client, 1, Some(10))]),
        ]
    };
    let begun = async |table: &Table| {
        let reader = table.reader();
        let rates = reader.rates(LAST_HOUR, &Filter::default()).await.unwrap().found.now;
        let of_web = Filter { entry: Some("http GET /10".into()), ..Filter::default() };
        (rates.runs, reader.rates(LAST_HOUR, &of_web).await.unwrap().found.now.runs)
    };
    for turned in [false, true] {
        let table = Table::new().await;
        let writer = table.writer();
        for trace in [1, 2] {
            let mut requests = services(trace, None);
            if turned {
                requests.reverse();
            }
            for request in requests {
                write(&writer, request.clone()).await;
                // Written again, nothing changes.
                write(&writer, request).await;
            }
        }
        assert_eq!(begun(&table).await, (2, 2), "with the root: {turned}");
    }
    // Of a browser that is not traced here.
    let table = Table::new().await;
    let writer = table.writer();
    for request in services(3, Some(99)) {
        write(&writer, request).await;
    }
    assert_eq!(begun(&table).await.0, 1);
}

/// A second request of the same transaction, a while later: no span is around both.
#[tokio::test]
async fn what_a_service_did_in_a_trace_lasts_until_its_last_end() {
    let table = Table::new().await;
    let twice = [of(SpanKind::Server, 1, None), of(SpanKind::Server, 2, None).at(THEN + 600, 39)];
    table.write(otlp("billing", twice)).await;
    let long = Filter { longer_than: Some(500_000), ..Filter::default() };
    let window = Window::new(THEN - 1, NOW);
    let found = table.reader().transactions(window, &long, 9).await.unwrap().found;
    let took: Vec<_> = found.iter().map(|one| (one.duration, one.first.duration)).collect();
    assert_eq!(took, [(639_000, 5_000)]);
}

#[tokio::test]
async fn a_status_says_of_what_kind_an_error_is() {
    let table = Table::new().await;
    let mut request = web("cart");
    request.resource_spans[0].scope_spans[0].spans[0].attributes.retain(|pair| pair.key != "error.type");
    table.write(request).await;
    let window = Window::new(THEN - 1, NOW);
    let failed = table.reader().failures("web", window, &Filter::default(), 9).await.unwrap().found;
    let [card] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(card.error.as_ref().map(|error| error.kind.as_str()), Some("500"));
    assert_eq!((card.http_status, card.entry.as_deref()), (Some(500), Some("http GET /")));
}

/// A consumer whose producer was not sampled, and two that link to each other.
#[tokio::test]
async fn who_links_to_what_is_not_there_is_listed() {
    let table = Table::new().await;
    let consumer =
        |id: u64, to: u64| Span { kind: SpanKind::Consumer as i32, ..span(id, id, None).link(to, to) };
    table.write(otlp("jobs", [consumer(1, 99)])).await;
    table.write(otlp("ping", [consumer(2, 3)])).await;
    table.write(otlp("pong", [span(3, 3, None).link(2, 2).at(NOW + 5, 1)])).await;
    // A producer that is there: one row, as ever.
    table.write(otlp("shop", [span(4, 4, None)])).await;
    table.write(otlp("mail", [consumer(5, 4).at(NOW + 9, 1)])).await;
    let found = table.reader().transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap().found;
    let told: BTreeSet<_> = found.iter().map(|row| (row.first.function.as_str(), row.runs)).collect();
    assert_eq!(
        (told, found.len()),
        (BTreeSet::from([("jobs", 1), ("ping", 2), ("shop", 2)]), 3),
        "{found:?}"
    );
}

/// A service that calls itself over HTTP answers well though what it called has failed.
#[tokio::test]
async fn who_was_called_within_a_service_has_failed_with_it() {
    let of = |kind: SpanKind, span: Span| Span { kind: kind as i32, ..span };
    let outer = || of(SpanKind::Server, span(1, 1, None));
    let inner = |kind, parent| of(kind, span(1, 3, Some(parent)).failed("500", "inner boom"));
    for (spans, failed) in [
        (vec![outer(), inner(SpanKind::Server, 1)], true),
        (vec![outer(), inner(SpanKind::Consumer, 77)], true),
        (vec![outer(), inner(SpanKind::Client, 1)], false),
        (vec![outer(), inner(SpanKind::Internal, 1)], false),
        (vec![of(SpanKind::Server, invocation(1, 1, "r-1")), inner(SpanKind::Server, 1)], false),
    ] {
        let table = Table::new().await;
        table.write(otlp("mono", spans)).await;
        let reader = table.reader();
        let rows = reader.transactions(LAST_HOUR, &Filter::default(), 10).await.unwrap().found;
        assert_eq!(rows[0].failures, u64::from(failed), "{rows:?}");
        let errors = reader.errors(LAST_HOUR, &Filter::default()).await.unwrap().found;
        let messages: Vec<_> = errors.iter().map(|one| one.error.message.as_str()).collect();
        assert_eq!(messages, if failed { vec!["inner boom"] } else { vec![] });
        let impact = reader.impact("mono", LAST_HOUR, &Filter::default()).await.unwrap().found;
        assert_eq!(impact.failures, u64::from(failed));
    }
}

/// A consumer of other tools has one span for its batch, with a link to each sender.
#[tokio::test]
async fn a_batch_without_records_that_failed_has_failed_for_each_sender() {
    let table = Table::new().await;
    for trace in [1, 2] {
        let sent = span(trace, trace, None).at(THEN, 5).attribute("user.id", &format!("u-{trace}"));
        table.write(otlp("shop", [sent.attribute("throughline.entry", "http POST /orders")])).await;
    }
    let batch = span(9, 9, None).link(1, 1).link(2, 2).at(THEN + 9, 5).failed("Timeout", "no answer");
    table.write(otlp("worker", [Span { kind: SpanKind::Consumer as i32, ..batch }])).await;

    let (reader, window) = (table.reader(), Window::new(THEN - 1, NOW));
    let failed = Filter { failed: Some(true), ..Filter::default() };
    let found = reader.transactions(window, &failed, 9).await.unwrap().found;
    let listed: BTreeSet<_> =
        found.iter().map(|one| (one.first.user.clone(), one.run.function.clone())).collect();
    let of = |user: &str| (Some(user.to_owned()), "worker".to_owned());
    assert_eq!(listed, BTreeSet::from([of("u-1"), of("u-2")]));

    let impact = reader.impact("worker", window, &Filter::default()).await.unwrap().found;
    let users: BTreeSet<&str> = impact.top_users.iter().map(|hit| hit.user.as_str()).collect();
    assert_eq!((impact.failures, users), (2, BTreeSet::from(["u-1", "u-2"])));
    assert!(!impact.errors[0].unread, "its span is in a trace of its own");
    assert_eq!(
        impact.entries.iter().map(|hit| hit.entry.as_str()).collect::<Vec<_>>(),
        ["http POST /orders"]
    );
    assert_eq!(reader.errors(window, &Filter::default()).await.unwrap().found[0].count, 2);
}

/// As other SDKs name it.
#[tokio::test]
async fn a_user_is_known_by_any_name() {
    let table = Table::new().await;
    let came_in = of(SpanKind::Server, 1, None).attribute("http.route", "/").failed("Broken", "no");
    table.write(otlp("web", [came_in.attribute("enduser.id", "u-1042")])).await;
    let (reader, all) = (table.reader(), Window::new(THEN - 3_600_000, NOW));
    assert_eq!(reader.with_baggage("user.id", "u-1042", all, 10).await.unwrap().found.len(), 1);
    let impact = reader.impact("web", all, &Filter::default()).await.unwrap().found;
    let top: Vec<&str> = impact.top_users.iter().map(|hit| hit.user.as_str()).collect();
    assert_eq!((impact.users, top), (1, vec!["u-1042"]));
}

/// Who is called knows nothing of where it came in: with what else it ran for is not told of one entry point.
#[tokio::test]
async fn runs_that_tell_no_entry_point_are_of_any() {
    let table = Table::new().await;
    let writer = table.writer();
    for (trace, path) in [(1, "/a"), (2, "/a"), (3, "/b")] {
        let of = |kind: SpanKind, id: u64, parent: Option<u64>| Span {
            kind: kind as i32,
            ..span(trace, id, parent).at(THEN, 5)
        };
        let came_in = of(SpanKind::Server, 1, None).attribute("http.request.method", "GET");
        let web = [came_in.attribute("http.route", path), of(SpanKind::Client, 2, Some(1))];
        write(&writer, otlp("web", web)).await;
        let answer = of(SpanKind::Server, 3, Some(2));
        let answer = if trace == 3 { answer.failed("Gone", "no") } else { answer };
        write(&writer, otlp("stock", [answer])).await;
    }
    let window = Window::new(THEN - 3_600_000, NOW);
    let impact = table.reader().impact("stock", window, &Filter::default()).await.unwrap().found;
    let entries: Vec<_> =
        impact.entries.iter().map(|hit| (hit.entry.as_str(), hit.failures, hit.runs)).collect();
    assert_eq!((impact.runs, entries), (Some(3), vec![("http GET /b", 1, None)]));
    assert_eq!((impact.users, impact.failures_of_unknown), (0, 1));
}

/// Its root was never sent: who called whom is not known to a list, but who was around the other is.
#[tokio::test]
async fn of_those_that_began_at_once_the_outer_one_was_first() {
    for (outer, inner) in [(7, 3), (3, 7)] {
        let table = Table::new().await;
        let answer = |id: u64, millis: u64| Span {
            kind: SpanKind::Server as i32,
            ..span(1, id, Some(99)).at(THEN, millis)
        };
        table.write(otlp("stock", [answer(inner, 3)])).await;
        table.write(otlp("web", [answer(outer, 9)])).await;
        let window = Window::new(THEN - 3_600_000, NOW);
        let listed = table.reader().transactions(window, &Filter::default(), 9).await.unwrap().found;
        assert_eq!((listed.len(), listed[0].first.function.as_str()), (1, "web"));
        let transaction = table.reader().transaction(&trace(1)).await.unwrap().found;
        assert_eq!(transaction.runs[0].function, "web");
    }
}
