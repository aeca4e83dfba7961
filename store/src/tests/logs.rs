//! Log lines are found with their runs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;

use super::*;
use crate::testing::{Told as _, invocation, line, lines, otlp, span};
use crate::{Card, Filter};

fn request(batches: impl IntoIterator<Item = ResourceLogs>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest { resource_logs: batches.into_iter().collect() }
}

async fn log(table: &Table, batches: impl IntoIterator<Item = ResourceLogs>) -> Written {
    table.writer().write_logs(request(batches), at(NOW), soon()).await.unwrap()
}

async fn run_of(table: &Table, function: &str) -> Vec<Card> {
    table.reader().runs(function, LAST_HOUR, &Filter::default(), 9).await.unwrap().found
}

async fn told(table: &Table, runs: &[Card]) -> Vec<String> {
    let answer = table.reader().logs(runs).await.unwrap();
    assert!(answer.damaged.is_empty() && !answer.at_least);
    answer.found.into_iter().map(|line| line.message).collect()
}

#[tokio::test]
async fn by_request_or_by_trace_and_in_order() {
    let table = Table::new().await;
    table.write(otlp("mailer", [invocation(1, 1, "r-1")])).await;
    table.write(otlp("mailer", [invocation(1, 2, "r-2")])).await;
    table.write(otlp("web", [span(1, 3, None)])).await;
    let batch = lines(
        "mailer",
        [
            line("r-1", 1, 3, "third"),
            line("r-2", 1, 0, "other"),
            line("r-1", 0, 1, "first"),
            line("r-1", 0, 1, "second"),
        ],
    );
    let written =
        log(&table, [batch, lines("web", [line("", 1, 2, "rendered"), line("", 0, 2, "lost")])]).await;
    assert_eq!((written.lines, written.items, written.unnamed), (5, 3, 1));
    log(&table, [lines("mailer", [line("", 1, 2, "of the trace")])]).await;

    let mut runs = run_of(&table, "mailer").await;
    assert_eq!(told(&table, &runs).await, ["other", "first", "second", "of the trace", "third"]);
    runs.retain(|run| run.request_id == "r-1");
    assert_eq!(told(&table, &runs).await, ["first", "second", "of the trace", "third"]);
    assert_eq!(told(&table, &run_of(&table, "web").await).await, ["rendered"]);
    assert_eq!(told(&table, &[]).await, [""; 0]);
    let requests = table.reader().logs(&runs).await.unwrap().requests;
    assert_eq!(requests, 2, "by request and by trace");
}

/// As of a program that exports logs alone, with the trace that it was called in.
#[tokio::test]
async fn within_a_transaction_who_has_no_spans_is_told_too() {
    let table = Table::new().await;
    table.write(otlp("api", [invocation(1, 1, "r-1")])).await;
    table.write(otlp("web", [invocation(1, 3, "r-3").child_of(1)])).await;
    let proxy = lines("proxy", [line("", 1, 5, "502 from upstream"), line("", 2, 5, "of another trace")]);
    log(&table, [proxy, lines("web", [line("", 1, 2, "rendered")]), lines("api", [line("r-1", 1, 1, "hi")])])
        .await;
    let reader = table.reader();
    let transaction = reader.transaction(&trace(1)).await.unwrap().found;
    let of_runs = async |functions: &[&str]| {
        let runs = transaction.runs.iter().filter(|run| functions.contains(&run.function.as_str()));
        let runs: Vec<Card> = runs.cloned().collect();
        let found = reader.logs_within(&transaction, &runs).await.unwrap().found;
        found.into_iter().map(|line| line.message).collect::<Vec<_>>()
    };
    assert_eq!(of_runs(&[]).await, ["502 from upstream"]);
    assert_eq!(of_runs(&["api"]).await, ["hi", "502 from upstream"]);
    assert_eq!(of_runs(&["api", "web"]).await, ["hi", "rendered", "502 from upstream"]);
}

#[tokio::test]
async fn written_again_in_other_company_nothing_changes() {
    let table = Table::new().await;
    table.write(otlp("mailer", [invocation(1, 1, "r-1")])).await;
    let (one, two) =
        (lines("mailer", [line("r-1", 1, 0, "one")]), lines("mailer", [line("r-1", 1, 1, "two")]));
    log(&table, [one.clone()]).await;
    log(&table, [two.clone(), one.clone()]).await;
    let runs = run_of(&table, "mailer").await;
    assert_eq!(told(&table, &runs).await, ["one", "two"]);
    let transaction = table.reader().transaction(&trace(1)).await.unwrap().found;
    let out = table.reader().export_logs(&transaction).await.unwrap().found;
    assert_eq!(out, request([one, two]));
}

#[tokio::test]
async fn many_are_in_several_items_and_the_largest_are_told() {
    let table = Table::new().await;
    table.write(otlp("f", [invocation(1, 1, "r-1")])).await;
    let mut random = fastrand::Rng::with_seed(1);
    let mut noise = |bytes: usize| (0..bytes).map(|_| random.alphanumeric()).collect::<String>();
    let many = (0..20).map(|at| line("r-1", 1, at, &noise(60_000)));
    let written = log(&table, [lines("f", many)]).await;
    assert!((3..6).contains(&written.items) && written.lines == 20, "{written:?}");
    let runs = run_of(&table, "f").await;
    assert_eq!(told(&table, &runs).await.len(), 20);

    let huge = "x".repeat(20 << 20);
    log(&table, [lines("f", [line("r-1", 1, 0, &huge)])]).await;
    let answer = table.reader().logs(&runs).await.unwrap();
    assert!(answer.at_least, "more than is read for one answer");
    let written = log(&table, [lines("f", [line("r-1", 1, 0, &"x".repeat(65 << 20))])]).await;
    assert_eq!((written.items, written.too_large), (0, 1));
}

/// What an invocation's lines cost: a unit for each KB that they are, compressed.
#[tokio::test]
async fn a_dozen_lines_cost_a_unit() {
    let table = Table::new().await;
    let said = |at| format!("order {at} of user u-1042 was priced at {} cents in {at} ms", at * 37);
    let written = log(&table, [lines("f", (0..12).map(|at| line("r-1", 1, at, &said(at))))]).await;
    assert_eq!((written.items, written.units, written.lines), (1, 1, 12));
}

#[tokio::test]
async fn lines_expire_with_their_run() {
    let table = Table::new().await;
    table.write(otlp("f", [invocation(1, 1, "r-1")])).await;
    log(&table, [lines("f", [line("r-1", 1, 0, "said")])]).await;
    let items = table.items().await;
    let ttl = |kind: &str| {
        let item = items.iter().find(|item| item["pk"].as_s().unwrap().starts_with(kind)).unwrap();
        item["ttl"].as_n().unwrap().clone()
    };
    assert_eq!(ttl("logs#"), ttl("spans#"));
}

/// Whoever sends a program's log lines may name it otherwise than who sends its spans, or not at all.
#[tokio::test]
async fn lines_are_found_whatever_their_resource_says() {
    let table = Table::new().await;
    table.write(otlp("mailer", [invocation(1, 1, "r-1")])).await;
    table.write(otlp("web", [span(1, 3, None)])).await;
    let nobody = |lines| ResourceLogs { resource: None, ..lines };
    let batches = [
        lines("mailer-service", [line("r-1", 1, 1, "by its request")]),
        nobody(lines("", [line("r-1", 1, 2, "by its request, of nobody")])),
        nobody(lines("", [line("", 1, 3, "of nobody")])),
        lines("proxy", [line("", 1, 4, "of who sent no spans")]),
    ];
    log(&table, batches).await;
    let mailer = run_of(&table, "mailer").await;
    assert_eq!(told(&table, &mailer).await, ["by its request", "by its request, of nobody", "of nobody"]);
    assert_eq!(told(&table, &run_of(&table, "web").await).await, ["of nobody"]);
    let transaction = table.reader().transaction(&trace(1)).await.unwrap().found;
    let all = table.reader().all_logs(&transaction).await.unwrap().found;
    let of: Vec<&str> = all.iter().map(|line| line.function.as_str()).collect();
    assert_eq!(of, ["mailer", "mailer", "unknown", "proxy"]);
    let out = table.reader().export_logs(&transaction).await.unwrap().found;
    assert_eq!(out.resource_logs.len(), 4);
}

/// What the others' records logged names their traces.
#[tokio::test]
async fn of_a_batch_of_several_senders_each_has_its_own_lines() {
    let table = Table::new().await;
    for sender in [1, 2] {
        let user = format!("u-{sender}");
        let api = invocation(sender, sender * 10, &format!("r-{sender}")).attribute("user.id", &user);
        table.write(otlp("api", [api])).await;
    }
    let record = |sender: u64, id| {
        let record = span(sender, id, Some(sender * 10)).attribute("throughline.source", "sqs payments");
        record.attribute("user.id", &format!("u-{sender}")).link(9, 90)
    };
    let batch =
        invocation(9, 90, "r-9").attribute("throughline.source", "sqs payments").failed("Exit", "killed");
    table.write(otlp("worker", [batch.link(1, 10).link(2, 20), record(1, 91), record(2, 92)])).await;
    let said = [(1, "of 1"), (2, "of 2"), (9, "of the batch"), (0, "of nobody")];
    let said = said.iter().enumerate().map(|(at, (of, message))| line("r-9", *of, at as u64, message));
    log(&table, [lines("worker", said)]).await;

    let said = |lines: Vec<crate::log::LogLine>| {
        lines.into_iter().map(|line| line.message).collect::<Vec<_>>().join(", ")
    };
    let (own, all) = ("of 1, of the batch, of nobody", "of 1, of 2, of the batch, of nobody");
    for (asked, wanted) in [(1, own), (9, all)] {
        let transaction = table.reader().transaction(&trace(asked)).await.unwrap().found;
        let lines = table.reader().all_logs(&transaction).await.unwrap().found;
        assert_eq!(said(lines), wanted, "{asked}");
        let lines = table.reader().logs_within(&transaction, &transaction.runs).await.unwrap().found;
        assert_eq!(said(lines), wanted, "{asked}");
        let out = table.reader().export_logs(&transaction).await.unwrap().found;
        let out = out.resource_logs.into_iter().flat_map(crate::log::LogLine::from_otlp);
        assert_eq!(said(out.collect()), wanted, "{asked}");
    }
    for function in [None, Some("worker".to_owned())] {
        let filter = Filter { user: Some("u-1".into()), function, ..Filter::default() };
        let found = table.reader().transactions(LAST_HOUR, &filter, 9).await.unwrap().found;
        let runs: Vec<Card> = found.iter().flat_map(|one| one.wanted.clone()).collect();
        assert!(runs.iter().any(|run| run.request_id == "r-9"), "{runs:?}");
        let lines = table.reader().logs_of(&found, &runs).await.unwrap().found;
        assert_eq!(said(lines), own);
    }
    assert_eq!(told(&table, &run_of(&table, "worker").await).await.join(", "), all, "of all that it did");
}
