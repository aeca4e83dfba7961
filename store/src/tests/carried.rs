//! What one of the runs tells of whom and where from is so of the whole transaction: most tools carry neither on.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::Filter;
use crate::testing::{Told as _, otlp, span};

/// Three payments in a service that tells for whom, each handled by a worker that does not: two fail there, and one of
/// another entry point.
async fn shop() -> Table {
    let table = Table::new().await;
    let writer =
        table.store.writer("sandbox", Options { baggage: vec!["user.id".into()], ..Options::default() });
    for (trace, path, user, is_failed) in [
        (1, "/pay", "anna", true),
        (2, "/pay", "anna", false),
        (3, "/pay", "ben", true),
        (4, "/buy", "anna", true),
    ] {
        let at = NOW - 60_000 + trace * 1000;
        let of = |kind: SpanKind, id: u64, parent: Option<u64>| Span {
            kind: kind as i32,
            ..span(trace, id, parent).at(at + id, 5)
        };
        let web = of(SpanKind::Server, 1, None).attribute("http.request.method", "POST");
        let web = web.attribute("http.route", path).attribute("user.id", user);
        let web = web.attribute("correlation.id", &format!("c-{trace}"));
        write(&writer, otlp("web", [web, of(SpanKind::Producer, 2, Some(1))])).await;
        let job = of(SpanKind::Consumer, 3, Some(2));
        let job = if is_failed { job.failed("JobError", "no") } else { job };
        write(&writer, otlp("worker", [job])).await;
    }
    table
}

#[tokio::test]
async fn a_failure_is_found_by_what_others_of_its_transaction_tell() {
    let table = shop().await;
    let text = |text: &str| Some(text.to_owned());
    let failed = || Filter { failed: Some(true), ..Filter::default() };
    let pay = || Filter { entry: text("http POST /pay"), ..failed() };
    for (filter, found) in [
        (failed(), &[4, 3, 1][..]),
        (Filter { user: text("anna"), ..failed() }, &[4, 1]),
        (pay(), &[3, 1]),
        (Filter { user: text("anna"), ..pay() }, &[1]),
        (Filter { correlation_id: text("c-3"), ..failed() }, &[3]),
        (Filter { correlation_id: text("c-2"), ..failed() }, &[]),
        (Filter { user: text("anna"), error: text("JobError"), failed: None, ..failed() }, &[4, 1]),
        (Filter { function: text("worker"), user: text("anna"), ..failed() }, &[4, 1]),
        (Filter { function: text("worker"), ..pay() }, &[3, 1]),
        (Filter { function: text("worker"), failed: None, ..pay() }, &[3, 2, 1]),
        (Filter { function: text("web"), ..pay() }, &[]),
        (Filter { function: text("worker"), entry: text("http GET /"), ..failed() }, &[]),
    ] {
        let answer = table.reader().transactions(LAST_HOUR, &filter, 9).await.unwrap();
        let traces: Vec<u64> =
            answer.found.iter().map(|one| u64::from_str_radix(&one.first.trace_id, 16).unwrap()).collect();
        assert_eq!(traces, found, "{filter:?}");
        assert!(!answer.at_least && answer.requests <= crate::bound::transactions_that_failed(LAST_HOUR));
    }
}

/// Consumers that only link tell neither: as many of them are asked as can be, and where not all were, that is said.
#[tokio::test]
async fn failures_that_only_link_are_asked_whom_they_hit() {
    // Of so many items moto looks at each for each request.
    let table = Table::embedded().await;
    let writer = table.writer();
    let run = |trace: u64, id: u64, name: &str, value: &str| {
        span(trace, id, None).at(NOW - 600_000 + trace * 1000, 5).attribute(name, value)
    };
    let sent: Vec<Span> = (1..=150)
        .map(|n| {
            let came_in = run(n, n * 10, "http.request.method", "POST").attribute("http.route", "/pay");
            let came_in = came_in.attribute("user.id", &format!("u-{n}"));
            Span { kind: SpanKind::Server as i32, ..came_in }
        })
        .collect();
    write(&writer, otlp("web", sent)).await;
    let read = (1..=150).map(|n| {
        let read =
            run(1000 + n, n * 10 + 1, "messaging.system", "kafka").link(n, n * 10).failed("JobError", "no");
        Span { kind: SpanKind::Consumer as i32, ..read.at(NOW - 600_000 + n * 1000, 5) }
    });
    write(&writer, otlp("worker", read)).await;
    let answer = table.reader().impact("worker", LAST_HOUR, &Filter::default()).await.unwrap();
    let impact = &answer.found;
    let entries: Vec<_> =
        impact.entries.iter().map(|hit| (hit.entry.as_str(), hit.failures, hit.users)).collect();
    assert_eq!((entries, impact.users, answer.at_least), (vec![("http POST /pay", 150, 150)], 150, false));
    assert!(answer.requests <= crate::bound::impact(LAST_HOUR), "{}", answer.requests);
}
