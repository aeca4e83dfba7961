//! The chapters of a story.

use super::*;
use crate::trace::testing::{Told as _, span};

fn run(request: &str, span: &str, function: &str, start: u64) -> Card {
    Card {
        request_id: request.into(),
        span_id: span.into(),
        trace_id: "t".into(),
        function: function.into(),
        start,
        ..Card::default()
    }
}

fn line(message: &str, request: Option<&str>, at: u64) -> LogLine {
    LogLine {
        message: message.into(),
        request_id: request.map(str::to_owned),
        function: "mailer".into(),
        time: at * 1_000_000,
        ..LogLine::default()
    }
}

#[test]
fn what_says_something_new_comes_first() {
    let failed = |kind: &str, message: &str, run: Card| {
        let error = throughline_store::Failure { kind: kind.into(), message: message.into() };
        Card { error: Some(error), ..run }
    };
    let runs = [
        Card { swallowed: Some(1), ..run("0", "0", "mailer", 0) },
        Card { swallowed: Some(1), ..run("1", "1", "mailer", 1) },
        failed("Timeout", "after 1 s", run("2", "2", "payer", 2)),
        failed("Timeout", "after 2 s", run("3", "3", "payer", 3)),
        failed("Loop", "refused", run("4", "4", "mailer", 4)),
    ];
    let transaction =
        Transaction { trace_ids: vec!["t".into()], runs: runs.into(), ..Transaction::default() };
    let chapters = chapters(&transaction, &[], &HashMap::new());
    let ranked = ranked(chapters.iter().collect());
    let order: Vec<&str> = ranked.iter().map(|chapter| chapter.run.request_id.as_str()).collect();
    assert_eq!(order, ["2", "4", "0", "3", "1"]);
}

#[test]
fn each_span_and_line_is_with_its_run() {
    let transaction = Transaction {
        trace_ids: vec!["t".into()],
        runs: vec![
            run("api", "1", "api", 0),
            run("mail", "3", "mailer", 10),
            run("mail", "5", "mailer", 50),
            Card { record: Some("8".into()), ..run("batch", "7", "ledger", 60) },
        ],
        spans: vec![
            span("t", "1", None, "api").triggered_by("http GET /"),
            span("t", "2", Some("1"), "api").named("send"),
            span("t", "3", Some("2"), "mailer").triggered_by("sqs q").with("faas.invocation_id", "mail"),
            span("t", "4", Some("3"), "mailer").named("smtp").failed("no"),
            span("t", "5", Some("2"), "mailer").triggered_by("sqs q").with("faas.invocation_id", "mail"),
            span("t", "8", Some("2"), "ledger").triggered_by("sqs q"),
            span("t", "9", Some("8"), "ledger").named("put"),
            span("t", "10", Some("10"), "mailer").at(55, 56),
            span("t", "11", None, "nobody"),
        ],
        ..Transaction::default()
    };
    let of_span = LogLine {
        trace_id: Some("t".into()),
        span_id: Some("4".into()),
        ..line("of a span", Some("mail"), 99)
    };
    let lines = [
        line("of the second try", Some("mail"), 51),
        line("of the first", Some("mail"), 11),
        line("too early", Some("mail"), 1),
        line("by function", None, 52),
        of_span,
        LogLine { trace_id: Some("other".into()), ..line("of others", Some("mail"), 51) },
        line("unknown", Some("else"), 51),
    ];
    let chapters = chapters(&transaction, &lines, &HashMap::new());
    let told: Vec<(Vec<&str>, Vec<&str>)> = chapters
        .iter()
        .map(|chapter| {
            let spans = chapter.spans.iter().map(|span| span.span_id.as_str()).collect();
            (spans, chapter.lines.iter().map(|line| line.message.as_str()).collect())
        })
        .collect();
    assert_eq!(
        told,
        [
            (vec!["1", "2"], vec![]),
            (vec!["3", "4"], vec!["of the first", "too early", "of a span"]),
            (vec!["5", "10"], vec!["of the second try", "by function"]),
            (vec!["8", "9"], vec![]),
        ]
    );
    assert_eq!(chapters[1].failed_calls().count(), 1);
    assert_eq!(chapters[3].said("throughline.source"), Some("sqs q"));
}

#[test]
fn lines_of_who_has_no_spans_are_told_by_themselves() {
    let transaction = Transaction {
        trace_ids: vec!["t".into()],
        runs: vec![run("mail", "3", "mailer", 10)],
        spans: vec![span("t", "3", None, "mailer").triggered_by("sqs q")],
        ..Transaction::default()
    };
    let of = |function: &str, trace: &str, message: &str| LogLine {
        function: function.into(),
        trace_id: Some(trace.into()),
        ..line(message, None, 5)
    };
    let lines = [
        of("proxy", "t", "passed on"),
        of("mailer", "t", "before it began"),
        of("proxy", "other", "of others"),
        line("of a run", Some("mail"), 11),
    ];
    let told = of_no_run(&transaction, &lines);
    assert_eq!(told.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["passed on"]);
    let chapters = chapters(&transaction, &lines, &HashMap::new());
    assert_eq!(chapters[0].lines.len(), 2, "what is of its function is its own");
}

/// So long that whoever climbs to its root for each span would not end.
#[test]
fn a_long_chain_is_of_the_run_at_its_head() {
    const MANY: usize = 100_000;
    let chain = (0..MANY).map(|at| {
        let parent = at.checked_sub(1).map(|parent| parent.to_string());
        // By their time they would be of another run.
        span("t", &at.to_string(), parent.as_deref(), "api").at(70, 71)
    });
    let transaction = Transaction {
        runs: vec![run("first", "0", "api", 0), run("second", "gone", "api", 60)],
        // From its end, where nothing is known of what is above.
        spans: chain.rev().collect(),
        ..Transaction::default()
    };
    let told: Vec<usize> =
        chapters(&transaction, &[], &HashMap::new()).iter().map(|one| one.spans.len()).collect();
    assert_eq!(told, [MANY, 0]);
}
