//! Several destinations at once: each has a queue, a breaker and an account of its own.

mod support;

use support::{Backend, Extension, PATIENCE, invocation_span, span};
use tokio::net::TcpListener;

/// The row of the spans of the destination in this position.
fn spans(summary: &serde_json::Value, to: usize) -> &serde_json::Value {
    &summary["destinations"][to]["spans"]
}

async fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound").port()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s{number}")).collect()
}

#[tokio::test]
async fn every_destination_gets_everything_with_its_own_headers() {
    let (one, two) = (Backend::start(&[]).await, Backend::start(&[]).await);
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &format!("{},{}", one.url(), two.url())),
        ("THROUGHLINE_EXPORT_HEADERS", "x-team=blue"),
        ("THROUGHLINE_EXPORT_HEADERS_2", "x-key=two"),
        ("THROUGHLINE_EXPORT_PROTOCOL_2", "http/json"),
    ])
    .await;
    extension.invocation("r0", "s0").await;
    assert_eq!((&one.state().spans, &two.state().spans), (&names(1), &names(1)), "after the invocation");
    let summary = extension.shut_down().await;
    for (to, backend) in [&one, &two].into_iter().enumerate() {
        assert_eq!((&spans(&summary, to)["exported"], &spans(&summary, to)["kept"]), (&1.into(), &0.into()));
        assert_eq!(summary["destinations"][to]["destination"], backend.url());
        assert_eq!(backend.state().requests[0]["x-team"], "blue");
    }
    assert_eq!(one.state().requests[0].get("x-key"), None);
    assert_eq!(two.state().requests[0]["x-key"], "two");
    assert_eq!(two.state().requests[0]["content-type"], "application/json");
}

#[tokio::test]
async fn one_that_is_down_holds_up_no_other_and_misses_nothing() {
    let (well, dead) = (Backend::start(&[]).await, unused_port().await);
    let endpoints = format!("http://127.0.0.1:{dead},{}", well.url());
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &endpoints)]).await;
    for number in 0..3 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
        assert_eq!(well.state().spans, names(number + 1));
    }
    let outage: Vec<_> = extension.lines().into_iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(outage.len(), 1);
    assert_eq!(outage[0]["destination"], format!("http://127.0.0.1:{dead}"));
    let back = Backend::on(TcpListener::bind(("127.0.0.1", dead)).await.expect("free"), &[]);
    let summary = extension.shut_down().await;
    assert_eq!(back.state().spans, names(3));
    assert_eq!((&spans(&summary, 0)["exported"], &spans(&summary, 1)["exported"]), (&3.into(), &3.into()));
}

#[tokio::test]
async fn what_one_or_both_miss_is_written_down_once() {
    let (well, dead) = (Backend::start(&[]).await, unused_port().await);
    // The second takes the first request and is not well then.
    let endpoints = format!("http://127.0.0.1:{dead},{}", well.url());
    let mut extension =
        Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &endpoints), ("THROUGHLINE_BUDGET_MS", "1000")])
            .await;
    extension.invocation("r0", "s0").await;
    well.state().script.extend([503; 10_000]);
    extension.lambda.invoke("r1", PATIENCE * 2);
    extension.hand_over(&[span("s1"), invocation_span("r1", "s2")]).await;
    let summary = extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), names(3), "once");
    assert_eq!((&spans(&summary, 0)["spilled"], &spans(&summary, 0)["exported"]), (&3.into(), &0.into()));
    assert_eq!((&spans(&summary, 1)["spilled"], &spans(&summary, 1)["exported"]), (&2.into(), &1.into()));
}

#[tokio::test]
async fn its_own_listener_is_left_out() {
    let (backend, port) = (Backend::start(&[]).await, unused_port().await);
    let endpoints = format!("http://127.0.0.1:{port},{}", backend.url());
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &endpoints),
        ("THROUGHLINE_LISTEN", &format!("127.0.0.1:{port}")),
    ])
    .await;
    extension.invocation("r0", "s0").await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, names(1));
    assert_eq!(summary["spans"]["exported"], 1);
    assert!(extension.lines().iter().any(|line| line["variable"] == "THROUGHLINE_EXPORT_ENDPOINT"));
}
