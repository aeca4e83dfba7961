//! What a failing function breaks.

use super::*;
use crate::Filter;
use crate::testing::{Told as _, invocation, otlp};

fn run(id: u64, entry: &str, user: &str, minute: u64) -> opentelemetry_proto::tonic::trace::v1::Span {
    invocation(id, id, &format!("r-{id}"))
        .child_of(999)
        .attribute("throughline.source", "sqs email")
        .attribute("throughline.entry", entry)
        .attribute("throughline.build_id", if minute < 30 { "old" } else { "new" })
        .attribute("user.id", user)
        .attribute("account.id", "acme")
        .at(NOW - 3_600_000 + minute * 60_000, 1)
}

#[tokio::test]
async fn for_whom_since_when_and_by_which_build() {
    let table = Table::new().await;
    let writer = table.writer();
    let (orders, bot) = ("http POST /orders", "schedule lunchbot");
    let mut spans: Vec<_> = (0..30).map(|n| run(n + 1, orders, &format!("u-{}", n % 7), n)).collect();
    spans.extend((30..40).map(|n| {
        run(n + 1, orders, &format!("u-{}", n % 3), n)
            .failed("SmtpRejected", &format!("550 sender {n} unverified"))
    }));
    spans.push(
        run(41, bot, "robot", 45)
            .attribute("user.test", "true")
            .attribute("account.id", "probes")
            .failed("Timeout", "timed out after 3.00 s"),
    );
    // The second try of what failed in minute 30.
    spans.push(invocation(31, 100, "r-31").attribute("throughline.source", "sqs email").at(NOW - 60_000, 1));
    write(&writer, otlp("email-sender", spans)).await;

    let answer = table.reader().impact("email-sender", LAST_HOUR, &Filter::default()).await.unwrap();
    let impact = answer.found;
    assert_eq!((impact.runs, impact.failures), (Some(42), 11));
    assert_eq!(impact.since, Some(NOW - 30 * 60_000));
    assert_eq!(
        (impact.users, impact.users_estimated, impact.test_failures, impact.accounts),
        (3, false, 1, 1)
    );
    let entries: Vec<_> = impact
        .entries
        .iter()
        .map(|hit| (hit.entry.as_str(), hit.failures, hit.runs, hit.users, hit.ended_well))
        .collect();
    assert_eq!(entries, [(orders, 10, Some(40), 3, 1), (bot, 1, Some(1), 0, 0)]);
    let errors: Vec<_> = impact.errors.iter().map(|group| (group.error.kind.as_str(), group.count)).collect();
    assert_eq!(errors, [("SmtpRejected", 10), ("Timeout", 1)], "numbers in messages don't part them");
    assert_eq!(impact.errors[0].example.trace_id, trace(40));
    assert_eq!(impact.errors[0].builds.iter().collect::<Vec<_>>(), ["new"]);
    let top: Vec<_> = impact.top_users.iter().map(|hit| (hit.user.as_str(), hit.failures)).collect();
    assert_eq!(top, [("u-0", 4), ("u-1", 3), ("u-2", 3)]);
    let builds: Vec<_> = impact
        .builds
        .iter()
        .map(|build| (build.build.as_str(), build.now.figures.runs, build.now.figures.failures))
        .collect();
    assert_eq!(builds, [("", 1, 0), ("new", 11, 11), ("old", 30, 0)]);
    assert_eq!((impact.looked_at, impact.ended_well), (11, 1));
    let days = LAST_HOUR.whole_hours().with_before().days().count() as u64;
    let causes = 2 * 2;
    assert_eq!(answer.requests, days * (16 + 4) + impact.looked_at + causes);
    assert!(impact.errors.iter().all(|group| group.cause.is_none()), "its own");

    let well = table.reader().impact("nobody", LAST_HOUR, &Filter::default()).await.unwrap();
    assert_eq!((well.found.failures, well.found.since), (0, None));
}

#[tokio::test]
async fn each_failed_record_of_a_batch_counts_for_its_user() {
    let table = Table::new().await;
    let record = |trace, id, user: &str| {
        crate::testing::span(trace, id, Some(999))
            .attribute("throughline.source", "sqs email")
            .attribute("user.id", user)
            .link(9, 90)
    };
    let batch =
        invocation(9, 90, "r-9").attribute("throughline.source", "sqs email").link(1, 999).link(2, 999);
    let spans = [
        batch,
        record(1, 91, "u-1").failed("Broken", "b"),
        record(2, 92, "u-2"),
        record(3, 93, "u-3").failed("Broken", "b"),
    ];
    table.write(otlp("email-sender", spans)).await;
    let failures =
        table.reader().failures("email-sender", LAST_HOUR, &Default::default(), 9).await.unwrap().found;
    let mut users: Vec<_> =
        failures.iter().map(|card| (card.user.as_deref().unwrap(), card.trace_id.clone())).collect();
    users.sort_unstable();
    assert_eq!(users, [("u-1", trace(1)), ("u-3", trace(3))]);
    let row = &table.reader().functions(LAST_HOUR, &Filter::default()).await.unwrap().found[0];
    assert_eq!((row.now.figures.runs, row.now.figures.failures, row.errors["Broken"]), (1, 1, 2));
    assert_eq!(
        table.reader().map(LAST_HOUR).await.unwrap().found.edges[0].now.runs,
        3,
        "records, not batches"
    );
}

#[tokio::test]
async fn the_cause_may_be_in_another_function() {
    let table = Table::new().await;
    let fraud = crate::testing::span(1, 3, Some(1)).failed("FraudCheck", "no score").at(NOW, 1);
    table.write(otlp("checkout-api", [invocation(1, 1, "r-1").at(NOW, 5), fraud])).await;
    let mail = invocation(1, 2, "r-2").child_of(1).failed("NoAddress", "nobody to send to").at(NOW + 9, 1);
    table.write(otlp("email-sender", [mail])).await;
    let impact = table.reader().impact("email-sender", LAST_HOUR, &Filter::default()).await.unwrap().found;
    let cause = impact.errors[0].cause.as_ref().unwrap();
    assert_eq!(
        (cause.way, cause.function.as_str(), cause.error.kind.as_str()),
        (crate::Upstream::Before, "checkout-api", "FraudCheck")
    );
}

#[tokio::test]
async fn what_fails_in_all_functions() {
    let table = Table::new().await;
    for (function, count) in [("a", 2_u64), ("b", 3), ("c", 0)] {
        let runs = (0..4_u64).map(|n| {
            let id = n + 10 * u64::from(function.as_bytes()[0]);
            let run = invocation(id, id, &format!("r-{id}"));
            if n < count { run.failed("Broken", &format!("{function} is broken, {n}")) } else { run }
        });
        table.write(otlp(function, runs)).await;
    }
    let answer = table.reader().errors(LAST_HOUR, &Filter::default()).await.unwrap();
    let groups: Vec<_> =
        answer.found.iter().map(|group| (group.example.function.as_str(), group.count)).collect();
    assert_eq!(groups, [("b", 3), ("a", 2)]);
    let days = |window: Window| window.days().count() as u64;
    let of_functions = 2 * days(LAST_HOUR.with_before());
    assert_eq!(answer.requests, 16 * days(LAST_HOUR.with_before()) + 4 * of_functions);
    assert!(!answer.at_least);
}

#[tokio::test]
async fn a_batch_that_fails_as_a_whole_hits_everybody_in_it() {
    let table = Table::new().await;
    let record = |trace: u64, user: &str| {
        let record = crate::testing::span(trace, trace, Some(90 + trace))
            .attribute("throughline.source", "sqs payments");
        record.attribute("throughline.entry", "http POST /orders").attribute("user.id", user)
    };
    let batch = || invocation(50, 50, "r-50").attribute("throughline.source", "sqs payments");
    let killed = batch().failed("Runtime.ExitError", "the process was killed");
    write(&table.writer(), otlp("payment-worker", [killed, record(1, "u-1"), record(2, "u-2")])).await;
    // Where one has failed by itself, the others have not.
    let partly =
        invocation(60, 60, "r-60").attribute("throughline.source", "sqs payments").failed("Batch", "1 of 2");
    let spans = [partly, record(3, "u-3"), record(4, "u-4").failed("Refused", "no")];
    write(&table.writer(), otlp("payment-worker", spans)).await;

    let impact = table.reader().impact("payment-worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
    let users: Vec<_> = impact.top_users.iter().map(|hit| (hit.user.as_str(), hit.failures)).collect();
    assert_eq!(users, [("u-1", 1), ("u-2", 1), ("u-4", 1)]);
    let errors: Vec<_> = impact.errors.iter().map(|group| (group.error.kind.as_str(), group.count)).collect();
    assert_eq!(errors, [("Runtime.ExitError", 2), ("Refused", 1)]);
    assert_eq!(impact.entries[0].entry, "http POST /orders");
    assert_eq!(impact.entries[0].runs, None, "batches do not say where they came in");
}

/// A batch is counted, but says nothing of where its records came in.
#[tokio::test]
async fn what_is_not_counted_as_asked_is_not_none() {
    let table = Table::new().await;
    let record = |trace: u64| {
        let record = crate::testing::span(trace, trace, Some(90 + trace)).failed("Refused", "no");
        record
            .attribute("throughline.source", "sqs payments")
            .attribute("throughline.entry", "http POST /orders")
    };
    let batch = invocation(60, 60, "r-60").attribute("throughline.source", "sqs payments");
    write(&table.writer(), otlp("payment-worker", [batch, record(3), record(4)])).await;
    let of = async |filter| table.reader().impact("payment-worker", LAST_HOUR, &filter).await.unwrap().found;
    let all = of(Filter::default()).await;
    assert_eq!((all.failures, all.runs, all.failures_counted), (2, Some(1), Some(2)));
    let filter = Filter { entry: Some("http POST /orders".to_owned()), ..Filter::default() };
    let narrow = of(filter).await;
    assert_eq!((narrow.failures, narrow.runs, narrow.runs_before), (2, None, None), "a batch tells no entry");
}

/// An order whose message comes once, or again after it failed.
fn payments(of: u64, attempts: &[bool]) -> Vec<opentelemetry_proto::tonic::trace::v1::Span> {
    let attempt = |(n, is_well): (u64, &bool)| {
        let pay = invocation(of, of * 10 + n, &format!("pay-{of}-{n}"))
            .child_of(999)
            .attribute("throughline.source", "sqs payments")
            .attribute("throughline.receive_count", &(n + 1).to_string())
            .at(NOW + of * 100 + n * 10, 1);
        if *is_well { pay } else { pay.failed("Refused", "no") }
    };
    (0..).zip(attempts).map(attempt).collect()
}

#[tokio::test]
async fn what_a_retry_mended_ended_well_wherever_it_is_told() {
    let table = Table::new().await;
    let orders = [(1, &[true][..], false), (2, &[false, true], true), (3, &[false, false], false)];
    let spans = orders.iter().flat_map(|(of, attempts, _)| payments(*of, attempts));
    write(&table.writer(), otlp("payment-worker", spans)).await;
    let rows = table.reader().transactions(LAST_HOUR, &Filter::default(), 9).await.unwrap().found;
    let mut listed: Vec<_> = rows.iter().map(|row| (row.first.trace_id.clone(), row.ended_well)).collect();
    listed.sort_unstable();
    assert_eq!(listed, orders.map(|(of, _, ended_well)| (trace(of), ended_well)));
    for (of, _, ended_well) in orders {
        let told = table.reader().transaction(&trace(of)).await.unwrap().found;
        assert_eq!(told.ended_well, ended_well, "{of}");
    }
    let impact = table.reader().impact("payment-worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!((impact.failures, impact.looked_at, impact.ended_well), (3, 2, 1));
    let failed = Filter { failed: Some(true), ..Filter::default() };
    assert_eq!(table.reader().transactions(LAST_HOUR, &failed, 9).await.unwrap().found.len(), 2);
}

#[tokio::test]
async fn what_another_function_failed_at_for_good_did_not_end_well() {
    let table = Table::new().await;
    let writer = table.writer();
    write(&writer, otlp("payment-worker", (1..=3).flat_map(|of| payments(of, &[false, true])))).await;
    // What is paid is mailed: in the same trace, or in one that no context reached.
    let sent = crate::testing::span(2, 29, Some(21)).list("throughline.join.out", "sqs:m-2").at(NOW + 211, 1);
    write(&writer, otlp("payment-worker", [invocation(2, 28, "sent").child_of(999).at(NOW + 211, 5), sent]))
        .await;
    let mail = |trace, id| invocation(trace, id, &format!("mail-{id}")).failed("NoAddress", "to whom?");
    let lost = mail(50, 50).list("throughline.join.in", "sqs:m-2").at(NOW + 300, 1);
    write(&writer, otlp("mailer", [mail(1, 49).child_of(999).at(NOW + 300, 1), lost])).await;
    let impact = table.reader().impact("payment-worker", LAST_HOUR, &Filter::default()).await.unwrap().found;
    assert_eq!((impact.failures, impact.looked_at, impact.ended_well), (3, 3, 1));
    let failed = Filter { failed: Some(true), ..Filter::default() };
    let rows = table.reader().transactions(LAST_HOUR, &failed, 9).await.unwrap().found;
    let listed: Vec<_> = rows.iter().map(|row| (row.first.trace_id.clone(), row.ended_well)).collect();
    assert_eq!(listed, [(trace(3), true), (trace(2), false), (trace(1), false)], "the same is told of each");
}

/// Of one batch the run itself says nothing of its messages.
#[tokio::test]
async fn a_card_says_which_message_failed() {
    let table = Table::new().await;
    let pay = |id, message: &str| {
        crate::testing::span(1, id, Some(10))
            .attribute("throughline.source", "sqs payments")
            .attribute("messaging.message.id", message)
            .attribute("throughline.receive_count", "1")
    };
    let batch = invocation(1, 10, "r-1").attribute("throughline.source", "sqs payments");
    table.write(otlp("payment-worker", [batch, pay(11, "a"), pay(12, "b").failed("Refused", "no")])).await;
    let again = |id, message, attempt: &str| {
        invocation(1, id, &format!("r-{id}"))
            .attribute("throughline.source", "sqs payments")
            .attribute("messaging.message.id", message)
            .attribute("throughline.receive_count", attempt)
            // By a clock that is late.
            .at(NOW - 40, 1)
    };
    let ended_well = async || table.reader().transaction(&trace(1)).await.unwrap().found.ended_well;
    table.write(otlp("payment-worker", [again(20, "a", "2")])).await;
    assert!(!ended_well().await, "another message");
    table.write(otlp("payment-worker", [again(30, "b", "2")])).await;
    assert!(ended_well().await);
}
