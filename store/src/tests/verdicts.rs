//! Failures that those whom they hit could not tell.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};
use crate::time::HOUR;
use crate::{Failure, Filter, Killed};

const QUEUE: &str = "sqs payments";

fn batch(id: u64) -> Span {
    invocation(50, id, &format!("r-{id}")).attribute("throughline.source", QUEUE).link(1, 90).link(2, 90)
}

/// A record of batch `of` that is its sender's child.
fn record(trace: u64, id: u64, of: u64) -> Span {
    let record = span(trace, id, Some(90)).attribute("throughline.source", QUEUE).link(50, of);
    record.attribute("throughline.entry", "http POST /orders").attribute("user.id", &format!("u-{trace}"))
}

/// What the spans and the runs of a transaction tell of failures.
async fn told(table: &Table, asked: u64) -> (Vec<String>, Vec<String>) {
    let found = table.reader().transaction(&trace(asked)).await.unwrap().found;
    let kind = |kind: Option<&str>| kind.unwrap_or("ok").to_owned();
    let of_span = |span: &crate::span::Span| {
        let error = span.error().and(span.attribute("error.type"));
        format!("{} {}", &span.span_id[14..], kind(error))
    };
    let of_run = |run: &crate::Card| kind(run.error.as_ref().map(|error| error.kind.as_str()));
    (found.spans.iter().map(of_span).collect(), found.runs.iter().map(of_run).collect())
}

/// How many messages the function got from its queue, and how many of them failed.
async fn received(table: &Table) -> (u64, u64) {
    let map = table.reader().map(LAST_HOUR).await.unwrap().found;
    let edge = map.edges.iter().find(|edge| edge.from == QUEUE && edge.to == "worker").unwrap();
    (edge.now.runs, edge.now.failures)
}

#[tokio::test]
async fn a_killed_invocation_fails_with_all_of_its_records() {
    let table = Table::new().await;
    let writer = table.writer();
    let sent = otlp("api", [invocation(1, 0x90, "r-1"), span(1, 90, Some(0x90))]);
    write(&writer, sent).await;
    let killed = batch(0x50).failed("Sandbox.Timedout", "timed out after 1.00 s");
    let call = span(1, 0x61, Some(0x60)).attribute("throughline.partial", "true");
    write(&writer, otlp("worker", [killed, record(1, 0x60, 0x50), record(2, 0x62, 0x50), call])).await;
    // The next attempt goes well.
    write(&writer, otlp("worker", [batch(0x51), record(1, 0x63, 0x51)])).await;

    let (spans, runs) = told(&table, 1).await;
    assert_eq!(
        spans,
        ["50 Sandbox.Timedout", "51 ok", "5a ok", "60 Sandbox.Timedout", "61 ok", "63 ok", "90 ok"]
    );
    assert_eq!(runs, ["Sandbox.Timedout", "ok", "ok"]);
    assert_eq!(received(&table).await, (3, 2));
}

#[tokio::test]
async fn where_some_have_failed_by_themselves_so_did_what_was_not_done() {
    let table = Table::new().await;
    let killed = batch(0x50).failed("Runtime.ExitError", "exit status 1");
    let refused = record(1, 0x60, 0x50).failed("Refused", "no");
    let open = record(2, 0x62, 0x50).attribute("throughline.partial", "true");
    table.write(otlp("worker", [killed, refused, open, record(3, 0x63, 0x50)])).await;
    let mut all = Vec::new();
    for asked in 1..=3 {
        all.extend(told(&table, asked).await.0.into_iter().filter(|span| !span.starts_with("50")));
    }
    assert_eq!(all, ["60 Refused", "62 Runtime.ExitError", "63 ok"]);
    let impact = table.reader().impact("worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
    let users: Vec<_> = impact.top_users.iter().map(|hit| hit.user.as_str()).collect();
    assert_eq!(users, ["u-1", "u-2"], "and the same is counted");
    assert_eq!(received(&table).await, (3, 2));
}

/// The extension hears of some ends only after the spans have left.
#[tokio::test]
async fn what_the_platform_told_later_is_told_of_the_run() {
    let table = Table::new().await;
    let writer = table.writer();
    let head = invocation(1, 0x50, "r-1").attribute("throughline.source", QUEUE);
    let record = span(1, 0x51, Some(0x50)).attribute("throughline.source", QUEUE);
    write(&writer, otlp("worker", [head, record])).await;
    assert_eq!(received(&table).await, (1, 0));
    let mut later = otlp("worker", [span(1, 0x70, Some(0x50)).failed("Runtime.ExitError", "exit status 1")]);
    later.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "throughline-extension".into(),
        ..InstrumentationScope::default()
    });
    write(&writer, later.clone()).await;
    write(&writer, later).await;

    let found = table.reader().transaction(&trace(1)).await.unwrap().found;
    let failure = Failure { kind: "Runtime.ExitError".into(), message: "exit status 1".into() };
    assert_eq!(found.runs.iter().map(|run| run.error.clone()).collect::<Vec<_>>(), [Some(failure)]);
    assert!(found.spans.iter().all(|span| span.error() == Some("exit status 1")), "{:?}", found.spans);
    assert_eq!(received(&table).await, (1, 1));
}

/// Killed at once, killed where some had failed by themselves, and told by the platform later.
#[tokio::test]
async fn counted_anew_as_many_messages_failed_with_their_batches() {
    let table = Table::new().await;
    let writer = table.writer();
    let then = |spans: Vec<Span>| otlp("worker", spans.into_iter().map(|span| span.at(NOW - 2 * HOUR, 5)));
    let killed = || batch(0x50).failed("Sandbox.Timedout", "timed out after 1.00 s");
    let call = span(1, 0x61, Some(0x60)).attribute("throughline.partial", "true");
    write(&writer, then(vec![killed(), record(1, 0x60, 0x50), record(2, 0x62, 0x50), call])).await;
    let refused = record(1, 0x70, 0x51).failed("Refused", "no");
    let open = record(2, 0x71, 0x51).attribute("throughline.partial", "true");
    let exited = batch(0x51).failed("Runtime.ExitError", "exit status 1");
    write(&writer, then(vec![exited, refused, open, record(3, 0x72, 0x51)])).await;
    write(&writer, then(vec![batch(0x52), record(1, 0x80, 0x52), record(2, 0x81, 0x52)])).await;
    let mut later = then(vec![span(50, 0x90, Some(0x52)).failed("Runtime.OutOfMemory", "signal: killed")]);
    later.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "throughline-extension".into(),
        ..InstrumentationScope::default()
    });
    write(&writer, later).await;

    let all = Window::new(NOW - 3 * HOUR, NOW);
    let counted = async || {
        let (reader, any) = (table.reader(), Filter::default());
        let (map, functions) = tokio::join!(reader.map(all), reader.functions(all, &any));
        (map.unwrap().found, functions.unwrap().found)
    };
    let live = counted().await;
    let edge = live.0.edges.iter().find(|edge| edge.from == QUEUE && edge.to == "worker").unwrap();
    assert_eq!((edge.now.runs, edge.now.failures), (7, 6), "all but the record that was done");
    assert_eq!(live.1[0].errors.values().sum::<u64>(), 5, "{:?}", live.1[0].errors);
    let rebuilt = writer.rebuild_totals(all, at(NOW), soon(), |_| ()).await.unwrap();
    assert_eq!(rebuilt.items, 1);
    assert_eq!(counted().await, live);
}

/// Killed at once, told of by the platform later, and over in time after all.
#[tokio::test]
async fn a_call_that_had_not_ended_when_its_function_was_killed_has_failed() {
    let table = Table::new().await;
    let writer = table.writer();
    let then = |spans: Vec<Span>| otlp("worker", spans.into_iter().map(|span| span.at(NOW - 2 * HOUR, 5)));
    let call = |id, parent| {
        let call = span(1, id, Some(parent)).attribute("server.address", "bank");
        Span { kind: SpanKind::Client as i32, ..call }
    };
    let open = |id, parent| call(id, parent).attribute("throughline.partial", "true");
    let killed = batch(0x50).failed("Sandbox.Timedout", "timed out after 1.00 s");
    let spans = vec![killed, record(1, 0x60, 0x50), call(0x61, 0x60), open(0x62, 0x60)];
    write(&writer, then(spans)).await;
    let head = invocation(1, 0x51, "r-51").attribute("throughline.source", QUEUE);
    write(&writer, then(vec![head, open(0x71, 0x51)])).await;
    let mut later = then(vec![span(1, 0x72, Some(0x51)).failed("Runtime.OutOfMemory", "signal: killed")]);
    later.resource_spans[0].scope_spans[0].scope = Some(InstrumentationScope {
        name: "throughline-extension".into(),
        ..InstrumentationScope::default()
    });
    write(&writer, later).await;
    write(&writer, then(vec![batch(0x52), record(1, 0x80, 0x52), open(0x81, 0x80)])).await;

    let all = Window::new(NOW - 3 * HOUR, NOW);
    let called = async || {
        let edges = table.reader().map(all).await.unwrap().found.edges;
        let edge = edges.iter().find(|edge| edge.to == "http bank").unwrap();
        (edge.now.runs, edge.now.failures)
    };
    assert_eq!(called().await, (4, 2));
    assert_eq!(writer.rebuild_totals(all, at(NOW), soon(), |_| ()).await.unwrap().items, 1);
    assert_eq!(called().await, (4, 2), "counted anew");
}

/// Of two messages one waited, and the other was not begun.
#[tokio::test]
async fn what_ran_out_of_time_says_for_which_call_it_waited() {
    let table = Table::new().await;
    let open = |span: Span| span.attribute("throughline.partial", "true");
    let call = span(1, 0x61, Some(0x60)).attribute("server.address", "bank");
    let call = open(Span { kind: SpanKind::Client as i32, name: "POST".into(), ..call });
    let killed = open(batch(0x50).failed("Sandbox.Timedout", "timed out after 1.00 s"));
    let spans = [killed, open(record(1, 0x60, 0x50)), call, record(2, 0x62, 0x50)];
    table.write(otlp("worker", spans)).await;
    let impact = table.reader().impact("worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
    let [group] = impact.errors.try_into().unwrap();
    assert_eq!((group.count, group.cause), (2, None));
    assert_eq!(group.example.trace_id, trace(2), "which did not wait");
    let open = group.open_call.unwrap();
    assert_eq!((open.name.as_str(), open.function.as_str(), open.others), ("POST bank", "worker", 0));
    assert_eq!(open.trace_id, trace(1));
}

/// One that reads the queue that it writes to.
#[tokio::test]
async fn a_sender_that_failed_is_no_verdict_on_what_it_sent() {
    let table = Table::new().await;
    let sender = invocation(1, 0x50, "r-1").attribute("throughline.source", QUEUE).failed("Late", "too late");
    table.write(otlp("worker", [sender])).await;
    let head = invocation(1, 0x60, "r-2").child_of(0x50).attribute("throughline.source", QUEUE);
    let record = span(1, 0x61, Some(0x50)).attribute("throughline.source", QUEUE).link(1, 0x60);
    table.write(otlp("worker", [head.at(NOW + 9, 1), record.at(NOW + 9, 1)])).await;
    assert_eq!(told(&table, 1).await.0, ["50 Late", "60 ok", "61 ok"]);
}

/// Two messages come twice in one batch. The first waits for a call each time that the process dies, the second runs.
#[tokio::test]
async fn which_message_kills_its_batch_is_told_to_all_of_it() {
    let table = Table::new().await;
    let open = |span: Span| span.attribute("throughline.partial", "true");
    for n in [0x50, 0x60] {
        let call = Span { kind: SpanKind::Client as i32, ..span(1, n + 3, Some(n + 1)) };
        let killed = open(batch(n).failed("Runtime.ExitError", "exit status 134"));
        let handled = [record(1, n + 1, n), record(2, n + 2, n), call].map(open);
        let spans = [killed].into_iter().chain(handled).chain([record(3, n + 4, n)]);
        write(&table.writer(), otlp("worker", spans)).await;
    }
    let suspects = |killed: &Killed| {
        let told = killed.suspects.iter().map(|one| (one.user.clone().unwrap(), one.ends, one.ran, one.only));
        (killed.ends, killed.transactions, told.collect::<Vec<_>>())
    };
    let expected = (2, 3, vec![("u-2".to_owned(), 2, 2, false), ("u-1".to_owned(), 2, 0, false)]);
    for asked in 1..=3 {
        let found = table.reader().transaction(&trace(asked)).await.unwrap().found;
        assert_eq!(found.killed.first().map(suspects), Some(expected.clone()));
    }
    let impact = async |filter| table.reader().impact("worker", LAST_HOUR, &filter).await.unwrap().found;
    let of_user = Filter { user: Some("u-3".into()), ..Filter::default() };
    for filter in [Filter::default(), of_user] {
        let told = impact(filter).await.killed.as_ref().map(suspects);
        assert_eq!(told, Some(expected.clone()), "whoever is asked for");
    }
}
