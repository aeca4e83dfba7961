use super::super::testing::{Told as _, span};
use super::*;

fn told(spans: Vec<Span>, linking: Vec<Span>) -> Vec<String> {
    let arcs = |spans: Vec<Span>| spans.into_iter().map(Arc::new).collect();
    rows(&Transaction::new(arcs(spans), arcs(linking)))
        .into_iter()
        .map(|row| {
            let error = row.error.map(|e| format!(" ✗ {e}")).unwrap_or_default();
            format!("{}{}{}", row.branch, row.label, error)
        })
        .collect()
}

fn checkout() -> Vec<Span> {
    vec![
        span("t", "1", None, "checkout-api").triggered_by("http POST /orders").at(0, 40),
        span("t", "2", Some("1"), "checkout-api").named("SNS/Publish").at(5, 9),
    ]
}

#[test]
fn functions_nest_by_what_triggered_them() {
    let mut spans = checkout();
    spans.extend([
        span("t", "3", Some("2"), "payment-worker").triggered_by("sqs payments < sns orders").at(50, 90),
        span("t", "4", Some("3"), "payment-worker").named("charge").at(51, 60),
        span("t", "5", Some("3"), "payment-worker").named("DynamoDB/PutItem").at(61, 65),
        span("t", "6", Some("5"), "fulfilment").triggered_by("stream orders").at(95, 99),
        span("t", "7", Some("3"), "payment-worker").named("SQS/SendMessage").at(66, 69),
        span("t", "8", Some("7"), "email-sender").triggered_by("sqs email").at(97, 99),
    ]);
    assert_eq!(
        told(spans, vec![]),
        [
            "└─ checkout-api",
            "   └─ payment-worker",
            "      ├─ charge",
            "      ├─ fulfilment",
            "      └─ email-sender",
        ]
    );
}

#[test]
fn attempts_stand_together() {
    let mut spans = checkout();
    for (id, start) in [("3", 50), ("4", 1050), ("5", 2050)] {
        let attempt = span("t", id, Some("2"), "payment-worker").triggered_by("sqs payments");
        spans.push(attempt.at(start, start + 10).failed("no"));
    }
    assert_eq!(
        told(spans, vec![]),
        [
            "└─ checkout-api",
            "   └─ payment-worker ✗ no",
            "         attempt 2 ✗ no",
            "         attempt 3 ✗ no",
        ]
    );
}

#[test]
fn a_record_speaks_for_its_invocation() {
    let mut spans = checkout();
    spans.extend([
        span("t", "3", Some("2"), "payment-worker")
            .triggered_by("sqs payments")
            .with("faas.invocation_id", "r")
            .at(50, 90),
        span("t", "4", Some("2"), "payment-worker").triggered_by("sqs payments").at(51, 89),
        span("t", "5", Some("3"), "payment-worker").named("of the invocation").at(52, 53),
    ]);
    assert_eq!(
        told(spans, vec![]),
        ["└─ checkout-api", "   └─ payment-worker", "      └─ of the invocation"]
    );
}

#[test]
fn a_record_below_its_invocation_is_the_same_step() {
    let mut spans = checkout();
    spans.extend([
        span("t", "3", Some("2"), "email-sender")
            .triggered_by("sqs email")
            .with("faas.invocation_id", "r")
            .at(50, 90),
        span("t", "4", Some("3"), "email-sender").triggered_by("sqs email").at(51, 89),
    ]);
    assert_eq!(told(spans, vec![]), ["└─ checkout-api", "   └─ email-sender"]);
}

#[test]
fn a_batch_that_failed_as_a_whole_is_shown_through_its_link() {
    let batch = span("u", "9", None, "payment-worker")
        .triggered_by("sqs payments")
        .with("faas.invocation_id", "r")
        .linked("t", "2")
        .failed("panicked")
        .at(50, 60);
    assert_eq!(told(checkout(), vec![batch]), ["└─ checkout-api", "   └─ payment-worker ✗ panicked"]);
}

#[test]
fn an_orphan_is_shown_as_one() {
    let orphan = Arc::new(span("t", "1", Some("gone"), "f").triggered_by("sqs q"));
    let rows = rows(&Transaction::new(vec![orphan], vec![]));
    assert_eq!(rows[0].note, Some("its parent is missing"));
}

#[test]
fn what_a_dry_run_keeps_back_is_shown() {
    let call = |id: &str, name: &str| span("t", id, Some("1"), "f").named(name);
    let spans = [
        span("t", "1", None, "f").triggered_by("sqs q").with("throughline.dry_run", "true"),
        call("2", "POST").with("throughline.dry_run.stubbed", "true"),
        call("3", "S3/PutObject").with("throughline.dry_run.refused", "true"),
        call("4", "SQS/SendMessage").with("throughline.dry_run", "true"),
    ];
    let rows = rows(&Transaction::new(spans.map(Arc::new).into(), vec![]));
    let notes: Vec<_> = rows.iter().map(|row| row.note).collect();
    assert_eq!(notes, [None, Some("dry run: stubbed"), Some("dry run: refused"), None]);
}
