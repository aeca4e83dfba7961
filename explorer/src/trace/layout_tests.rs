use super::super::testing::{Told as _, span};
use super::*;

fn told(spans: Vec<Span>, linking: Vec<Span>) -> Vec<String> {
    let arcs = |spans: Vec<Span>| spans.into_iter().map(Arc::new).collect();
    rows(&Transaction::new(arcs(spans), arcs(linking)))
        .into_iter()
        .map(|row| {
            let error = row.error.map(|e| format!(" ✗ {e}")).unwrap_or_default();
            let note = row.note.map(|note| format!(" [{note}]")).unwrap_or_default();
            format!("{}{}{}{note}", row.branch, row.label, error.trim_end())
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
        ["└─ checkout-api", "   └─ payment-worker ✗ no", "         attempt 2 ✗", "         attempt 3 ✗",]
    );
}

/// Streams do not say how often a record came, queues do.
#[test]
fn each_attempt_has_its_number() {
    let read = |id: &str, source: &str, start| {
        span("t", id, Some("2"), "worker").triggered_by(source).at(start, start + 10)
    };
    let mut spans = checkout();
    spans.extend([
        read("3", "kinesis audit", 50),
        read("4", "kinesis audit", 150),
        read("5", "sqs payments", 50).with("throughline.receive_count", "4"),
        read("6", "sqs payments", 150).with("throughline.receive_count", "5"),
    ]);
    let arcs: Vec<_> = spans.iter().cloned().map(Arc::new).collect();
    let mut attempts: Vec<_> = attempts(&Transaction::new(arcs, vec![])).into_iter().collect();
    attempts.sort();
    assert_eq!(attempts, [("4".to_owned(), 2), ("5".to_owned(), 4), ("6".to_owned(), 5)]);
    assert_eq!(
        told(spans, vec![]),
        [
            "└─ checkout-api",
            "   ├─ worker",
            "   │     attempt 2",
            "   └─ worker [attempt 4]",
            "         attempt 5",
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
    assert_eq!(rows[0].note.as_deref(), Some("its parent is missing"));
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
    let notes: Vec<_> = rows.iter().map(|row| row.note.as_deref()).collect();
    assert_eq!(notes, [None, Some("dry run: stubbed"), Some("dry run: refused"), None]);
}

#[test]
fn what_a_function_was_at_when_it_was_stopped_is_told() {
    let open = |span: Span| span.with("throughline.partial", "true");
    let spans = vec![
        open(span("t", "1", None, "f").triggered_by("sqs q")).failed("timed out"),
        span("t", "2", Some("1"), "f").named("GET"),
        open(span("t", "3", Some("1"), "f").named("POST").with("server.address", "mx1")),
    ];
    assert_eq!(told(spans, vec![]), ["└─ f ✗ timed out", "   ├─ GET", "   └─ POST mx1 [not ended]"]);
}

/// A batch of another trace has spans below it there. Its ids are that trace's own.
#[test]
fn ids_that_two_traces_share_are_told_apart() {
    let batch = span("u", "1", None, "payment-worker")
        .triggered_by("sqs payments")
        .with("faas.invocation_id", "r")
        .linked("t", "2")
        .linked("u", "2")
        .failed("panicked")
        .at(50, 60);
    assert_eq!(told(checkout(), vec![batch]), ["└─ checkout-api", "   └─ payment-worker ✗ panicked"]);
    let mut spans = checkout();
    spans.extend([
        span("u", "2", None, "other").triggered_by("sqs x").at(50, 60),
        span("u", "1", Some("2"), "another").triggered_by("sqs y").at(60, 70),
    ]);
    assert_eq!(told(spans, vec![]), ["├─ checkout-api", "│  └─ SNS/Publish", "└─ other", "   └─ another"]);
}

#[test]
fn attempts_end_in_the_queue_of_dead_letters() {
    let mail = |id: &str, count: &str, start| {
        let attempt = span("t", id, Some("2"), "mailer").triggered_by("sqs email").at(start, start + 1);
        attempt.with("throughline.receive_count", count)
    };
    let mut spans = checkout();
    spans.extend([
        mail("3", "1", 50).failed("no"),
        mail("4", "3", 60).failed("never"),
        span("t", "5", Some("2"), "undertaker")
            .triggered_by("sqs email-dlq")
            .with("throughline.dead_letter.source", "email")
            .at(70, 71),
    ]);
    assert_eq!(
        told(spans, vec![]),
        [
            "└─ checkout-api",
            "   ├─ mailer ✗ no",
            "   │     attempt 3 ✗ never [→ dead-letter queue email-dlq]",
            "   └─ undertaker",
        ]
    );
}

#[test]
fn a_cold_start_says_how_long_and_a_dropped_error_which() {
    use throughline_store::span::Event;

    let mut api = span("t", "1", None, "api").triggered_by("http GET /").with("faas.coldstart", "true");
    api.attributes.insert("throughline.swallowed_errors".into(), "1".into());
    let error = [("exception.type", "FraudCheck"), ("exception.message", "no score")];
    let attributes = error.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    api.events.push(Event { name: "exception".into(), time: 0, attributes });
    // Other tools tell of the exception alone.
    let mut call = span("t", "3", Some("1"), "api").named("score").at(1, 2);
    call.events = api.events.clone();
    let init = span("t", "2", Some("1"), "api").named("init").with("faas.coldstart", "true").at(0, 212);
    assert_eq!(
        told(vec![api, init, call], vec![]),
        [
            "└─ api [cold start 212 ms, swallowed FraudCheck: no score]",
            "   ├─ init",
            "   └─ score [swallowed FraudCheck: no score]",
        ]
    );
}

/// A service of other tools says nothing of a source: it stands where a function would, with what it was asked for.
#[test]
fn services_are_named_where_functions_would_be() {
    let spans = [
        span("t", "1", None, "web").named("GET /cart").at(0, 50),
        span("t", "2", Some("1"), "web").named("GET").at(1, 40),
        span("t", "3", Some("2"), "cart").named("GET /items").at(2, 39),
        span("t", "4", Some("3"), "cart").named("HGETALL").at(3, 9),
        // Two requests are no attempts of one.
        span("t", "5", Some("1"), "cart").named("GET /items").at(41, 42),
        span("t", "6", Some("1"), "cart").named("GET /items").at(43, 44),
    ];
    let rows = rows(&Transaction::new(spans.map(Arc::new).into(), vec![]));
    let told: Vec<String> =
        rows.iter().map(|row| format!("{}{} {}", row.branch, row.label, row.trigger)).collect();
    assert_eq!(
        told,
        [
            "└─ web GET /cart",
            "   ├─ cart GET /items",
            "   │  └─ HGETALL ",
            "   ├─ cart GET /items",
            "   └─ cart GET /items",
        ]
    );
    assert_eq!(rows.iter().filter(|row| row.is_call).count(), 1);
}

/// So many that whoever looks at all for each would not end.
#[test]
fn wide_trees_take_no_longer_than_others() {
    const MANY: usize = 50_000;
    let top = || span("t", "top", None, "api").triggered_by("http GET /");
    for source in [None, Some("sqs q")] {
        let below = (0..MANY).map(|at| {
            let one = span("t", &at.to_string(), Some("top"), "api");
            source.map_or(one.clone(), |source| one.triggered_by(source))
        });
        assert_eq!(told(std::iter::once(top()).chain(below).collect(), vec![]).len(), MANY + 1);
        let roots = (0..MANY).map(|at| span("t", &at.to_string(), Some("gone"), "api"));
        let roots = roots.map(|root| source.map_or(root.clone(), |source| root.triggered_by(source)));
        assert_eq!(told(roots.collect(), vec![]).len(), MANY);
    }
    let distinct = (0..MANY).map(|at| span("t", &at.to_string(), Some("top"), &format!("f-{at}")));
    let distinct = distinct.map(|one| one.triggered_by("sqs q"));
    assert_eq!(told(std::iter::once(top()).chain(distinct).collect(), vec![]).len(), MANY + 1);
}
