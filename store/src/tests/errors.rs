//! Errors told by what was counted, and failure by failure.

use super::*;
use crate::testing::{Told as _, invocation, otlp, span};
use crate::time::{DAY, HOUR};
use crate::{ErrorGroup, Filter, bound};

/// What asks the same of each failure: how long it took is not counted.
fn each(filter: &Filter) -> Filter {
    Filter { longer_than: Some(0), ..filter.clone() }
}

fn of(function: &str) -> Filter {
    Filter { function: Some(function.to_owned()), ..Filter::default() }
}

/// Three functions, of four sandboxes each, that fail in three ways for three days.
async fn failing() -> Table {
    let table = Table::embedded().await;
    for (n, function) in (0..12_u64).zip(["a", "b", "c"].into_iter().cycle()) {
        let runs = (0..50_u64).map(|run| {
            let id = 1 + n * 1000 + run;
            let at = NOW - (id * 7_919_993) % (3 * DAY);
            let (kind, message) = match run % 4 {
                0 => ("Timeout", format!("timed out after {run} ms")),
                1 => ("Declined", format!("card {id} declined")),
                2 => ("Declined", format!("card {id} is lost")),
                _ => ("Refused", String::new()),
            };
            let build = format!("build-{}", at / DAY);
            let run = invocation(id, id, &format!("r-{id}")).attribute("throughline.build_id", &build);
            run.failed(kind, &message).at(at, 1)
        });
        let writer = table.store.writer(&format!("sandbox-{n}"), Options::default());
        write(&writer, otlp(function, runs)).await;
    }
    table
}

#[tokio::test]
async fn hours_that_were_counted_and_failures_tell_the_same() {
    let table = failing().await;
    let reader = table.reader();
    let hour = NOW / HOUR * HOUR;
    let windows = [
        (NOW - DAY, NOW),
        (NOW - HOUR, NOW),
        (NOW - HOUR / 4, NOW),
        (hour - 5 * HOUR, hour - 1),
        (hour - 5 * HOUR, hour - HOUR / 2),
        (hour - 30 * HOUR - 1234, hour - 7 * HOUR + 99),
        (NOW - 3 * DAY, NOW),
    ];
    let filters = [
        Filter::default(),
        of("b"),
        of("nobody"),
        Filter { error: Some("Declined".to_owned()), ..Filter::default() },
        Filter { build: Some(format!("build-{}", NOW / DAY - 1)), failed: Some(true), ..Filter::default() },
    ];
    let mut told = 0;
    for (from, to) in windows {
        let window = Window::new(from, to);
        for filter in &filters {
            let counted = reader.errors(window, filter).await.unwrap();
            let read = reader.errors(window, &each(filter)).await.unwrap();
            assert_eq!(counted.found, read.found, "{window:?} {filter:?}");
            assert!(!counted.at_least && counted.damaged.is_empty());
            assert!(counted.requests <= bound::errors(window) - 50, "{window:?} {}", counted.requests);
            assert!(read.requests <= bound::errors(window) - 50);
            told += counted.found.len();
        }
    }
    assert!(told > 100, "{told}");
    // Whole hours are counted; of each error its example is read. Failure by failure, each of three functions is asked.
    let whole = Window::new(hour - 5 * HOUR, hour - 1);
    let days = whole.with_before().days().count() as u64;
    let counted = reader.errors(whole, &Filter::default()).await.unwrap();
    assert_eq!(counted.requests, 16 * days + counted.found.len() as u64);
    let read = reader.errors(whole, &each(&Filter::default())).await.unwrap();
    assert_eq!(read.requests, 16 * days + 3 * 4 * days);
    let all = reader.errors(Window::new(NOW - 3 * DAY, NOW), &Filter::default()).await.unwrap().found;
    assert_eq!(all.iter().map(|group| group.count).sum::<u64>(), 600);
    assert!(all.iter().all(|group| group.builds.len() > 2 && group.before == 0), "{all:?}");
}

#[tokio::test]
async fn what_was_counted_is_told_where_the_newest_is_not_found() {
    let table = Table::new().await;
    let earlier = NOW - 3 * HOUR;
    let batch = invocation(1, 1, "r-1").at(earlier, 9);
    // Of a batch a hundred failures are found by; the newest is none of them.
    let records = (0..130_u64).map(|n| {
        span(2, 100 + n, Some(1))
            .attribute("throughline.source", "sqs q")
            .failed("Broken", &format!("record {n} is broken"))
            .at(earlier + n, 1)
    });
    table.write(otlp("f", std::iter::once(batch).chain(records))).await;
    let window = Window::new(NOW - DAY, NOW);
    let told = table.reader().errors(window, &Filter::default()).await.unwrap().found;
    let ErrorGroup { error, count, first, last, example, .. } = &told[0];
    assert_eq!((*count, *first, *last), (130, earlier, earlier + 129));
    assert_eq!((example.function.as_str(), example.request_id.as_str()), ("f", "r-1"));
    assert_eq!((example.trace_id.clone(), example.at()), (trace(2), earlier + 129));
    assert_eq!(error.message, "record 129 is broken", "what the newest says");
    assert_eq!(example.error.as_ref(), Some(error));
}

#[tokio::test]
async fn too_many_ways_to_fail_are_told_together() {
    let table = Table::new().await;
    let earlier = NOW - 3 * HOUR;
    let letters = |n: u64| n.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
    let runs = (1..=200_u64).map(|n| {
        let run = invocation(n, n, &format!("r-{n}"))
            .attribute("throughline.entry", &format!("http GET /{}", n % 3));
        run.failed(&format!("Kind{}", n % 2), &format!("no user {} {}", letters(n), "x".repeat(300)))
            .at(earlier + n, 1)
    });
    table.write(otlp("f", runs)).await;
    let reader = table.reader();
    let window = Window::new(NOW - DAY, NOW);
    let answer = reader.errors(window, &Filter::default()).await.unwrap();
    let other = &answer.found[0];
    assert_eq!((other.error.kind.as_str(), other.count), ("(other)", 200 - 64));
    assert_eq!((other.example.trace_id.clone(), other.last), (trace(200), earlier + 200));
    assert_eq!(other.example.error.as_ref().unwrap().kind, "Kind0", "the example says what it was");
    let of_kind = Filter { error: Some("Kind1".to_owned()), ..Filter::default() };
    let answer = reader.errors(window, &of_kind).await.unwrap();
    assert!(answer.at_least && answer.found.iter().all(|group| group.error.kind == "Kind1"));
    let row = reader.functions(window, &Filter::default()).await.unwrap().found.remove(0);
    assert_eq!(row.errors.values().sum::<u64>(), 200);
    let totals =
        table.items().await.into_iter().filter(|item| item["pk"].as_s().unwrap().starts_with("totals"));
    let sizes: Vec<usize> = totals.map(size).collect();
    assert!(sizes.len() == 1 && sizes[0] < 40 * 1024, "{sizes:?}");
}

#[tokio::test]
async fn an_error_is_asked_for_by_its_last_name() {
    let table = Table::new().await;
    let runs =
        [(1, NOW - 3 * HOUR, "shop::PaymentError"), (2, NOW, "PaymentErrors"), (3, NOW, "app.HttpError")];
    let runs =
        runs.map(|(n, at, kind)| invocation(n, n, &format!("r-{n}")).failed(kind, "no credit").at(at, 1));
    table.write(otlp("f", runs)).await;
    let (reader, window) = (table.reader(), Window::new(NOW - DAY, NOW + 1));
    for (error, found) in [("PaymentError", 1), ("shop::PaymentError", 1), ("Error", 0), ("HttpError", 1)] {
        let filter = Filter { error: Some(error.to_owned()), ..Filter::default() };
        assert_eq!(reader.errors(window, &filter).await.unwrap().found.len(), found, "{error}");
        let transactions = reader.transactions(window, &filter, 9).await.unwrap().found;
        assert_eq!(transactions.len(), found, "{error}");
    }
}
