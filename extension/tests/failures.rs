//! Backends that fail: nothing lost, nothing twice, and the function is not held up.

mod support;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Backend, Extension, Lambda, PATIENCE, eventually, invocation_span, span};
use throughline_extension::http::serve;
use tokio::net::TcpListener;

/// A port on which nobody listens.
async fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound").port()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("s{number}")).collect()
}

#[tokio::test]
async fn a_backend_that_is_busy_three_times_gets_everything_once() {
    let backend = Backend::start(&[503, 503, 503]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.invocation("r0", "s0").await;
    assert_eq!(backend.state().spans, ["s0"], "within the first invocation");
    extension.invocation("r1", "s1").await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, names(2));
    assert_eq!(backend.state().requests.len(), 5);
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["dropped"]), (&2.into(), &0.into()));
}

#[tokio::test]
async fn a_backend_is_not_bothered_before_it_wants_to_be() {
    let backend = Backend::start(&[429]).await;
    backend.state().retry_after = Some(3600);
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    let started = Instant::now();
    for number in 0..3 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
    }
    assert!(started.elapsed() < Duration::from_secs(8), "a pause that does not fit is not begun");
    assert_eq!(backend.state().requests.len(), 1);
    extension.shut_down().await;
    assert_eq!(backend.state().spans, names(3), "at SHUTDOWN there is no later");
}

#[tokio::test]
async fn a_retry_after_beyond_all_time_kills_nobody() {
    let backend = Backend::start(&[503]).await;
    backend.state().retry_after = Some(u64::MAX);
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.invocation("r0", "s0").await;
    extension.shut_down().await;
    assert_eq!(backend.state().spans, names(1));
}

#[tokio::test]
async fn a_backend_that_refuses_connections_for_ten_invocations_costs_nothing_and_gets_everything() {
    let port = unused_port().await;
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &endpoint)]).await;
    let started = Instant::now();
    for number in 0..10 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
    }
    assert!(started.elapsed() < Duration::from_secs(8), "no budget was sat out: {:?}", started.elapsed());
    let backend = Backend::on(TcpListener::bind(("127.0.0.1", port)).await.expect("free"), &[]);
    let mut invocations = 10;
    while backend.state().spans.is_empty() {
        extension.invocation(&format!("r{invocations}"), &format!("s{invocations}")).await;
        invocations += 1;
        assert!(started.elapsed() < PATIENCE, "it is asked again after a pause");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(backend.state().spans, names(invocations));
    let summary = extension.shut_down().await;
    assert_eq!(summary["spans"]["exported"], invocations);
    let warnings = extension.lines().iter().filter(|line| line["level"] == "WARN").count();
    assert_eq!(warnings, 1, "an outage is one line");
}

#[tokio::test]
async fn a_backend_that_never_answers_is_left_alone_after_two_tries() {
    let backend = Backend::start(&[0; 100]).await;
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()),
        ("THROUGHLINE_BUDGET_MS", "200"),
    ])
    .await;
    for number in 0..20 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
    }
    let tries = backend.state().requests.len();
    assert!((2..=4).contains(&tries), "the first pause is a second: {tries}");
    backend.state().script.clear();
    let summary = extension.shut_down().await;
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["kept"]), (&20.into(), &0.into()));
    assert_eq!(backend.state().spans, names(20), "SHUTDOWN does not ask the breaker");
}

#[tokio::test]
async fn a_backend_that_never_answers_costs_the_budget_and_what_it_missed_is_sent_later() {
    let backend = Backend::start(&[0, 0]).await;
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()),
        ("THROUGHLINE_BUDGET_MS", "1000"),
    ])
    .await;
    for number in 0..3 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
    }
    extension.shut_down().await;
    assert_eq!(backend.state().spans, names(3));
}

#[tokio::test]
async fn shutdown_writes_down_what_it_cannot_send() {
    let endpoint = format!("http://127.0.0.1:{}", unused_port().await);
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &endpoint)]).await;
    extension.invocation("r0", "s0").await;
    extension.lambda.invoke("r1", Duration::from_secs(60));
    extension.hand_over(&[invocation_span("r1", "s1"), span("s2")]).await;
    extension.lambda.asked(3).await;
    let summary = extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), names(3));
    assert_eq!((&summary["spans"]["spilled"], &summary["spans"]["kept"]), (&3.into(), &0.into()));
}

#[tokio::test]
async fn shutdown_sends_what_is_still_buffered() {
    let backend = Backend::start(&[503, 503]).await;
    let mut extension =
        Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url()), ("THROUGHLINE_BUDGET_MS", "1")])
            .await;
    extension.invocation("r0", "s0").await;
    extension.hand_over(&[span("s1")]).await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, names(2));
    assert_eq!(extension.spans_on_stdout(), [""; 0]);
    assert_eq!(summary["spans"]["exported"], 2);
}

#[tokio::test]
async fn what_a_backend_refuses_for_good_is_counted_and_costs_its_neighbours_nothing() {
    let backend = Backend::start(&[]).await;
    backend.state().poison = Some("poison".into());
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    extension.lambda.invoke("r1", Duration::from_secs(60));
    // Late, from an invocation before: this one goes on.
    let poison = invocation_span("r0", "poison");
    for span in [span("s0"), span("s1"), poison, span("s2")] {
        extension.hand_over(&[span]).await;
    }
    extension.hand_over(&[invocation_span("r1", "s3")]).await;
    extension.lambda.asked(2).await;
    assert_eq!(backend.state().spans, names(4));
    let summary = extension.shut_down().await;
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["dropped"]), (&4.into(), &1.into()));
    let lines = extension.lines();
    let dropped = lines.iter().find(|line| line["reason"] == "refused").expect("a line");
    assert_eq!((&dropped["dropped"], &dropped["request_ids"][0]), (&1.into(), &"r0".into()));
}

#[tokio::test]
async fn a_full_buffer_drops_the_oldest_and_says_so() {
    let endpoint = format!("http://127.0.0.1:{}", unused_port().await);
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &endpoint),
        ("THROUGHLINE_BUFFER_BYTES", "65536"),
    ])
    .await;
    for number in 0..4 {
        let big = format!("{number}{}", "x".repeat(20_000));
        extension.invocation(&format!("r{number}"), &big).await;
    }
    let summary = extension.shut_down().await;
    let kept: Vec<String> =
        extension.spans_on_stdout().into_iter().map(|name| name[..1].to_owned()).collect();
    assert_eq!(kept, ["1", "2", "3"]);
    assert_eq!(summary["spans"]["dropped_why"]["buffer-full"], 1);
    let lines = extension.lines();
    let dropped = lines.iter().find(|line| line["reason"] == "buffer-full").expect("a line");
    assert_eq!(dropped["request_ids"][0], "r0");
}

/// Takes 100 ms for each request.
async fn slow_backend(requests: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(serve(listener, move |request| {
        let requests = Arc::clone(&requests);
        async move {
            let _ = request.into_body().collect().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            requests.fetch_add(1, Ordering::Relaxed);
            Response::new(Full::new(Bytes::new()))
        }
    }));
    url
}

#[tokio::test]
async fn a_backend_that_is_slower_than_the_function_is_asked_again_within_an_invocation() {
    let requests = Arc::<AtomicUsize>::default();
    let endpoint = slow_backend(Arc::clone(&requests)).await;
    let extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", &endpoint),
        ("THROUGHLINE_BUFFER_BYTES", "65536"),
        ("THROUGHLINE_BUDGET_MS", "1000"),
    ])
    .await;
    extension.lambda.invoke("r0", Duration::from_secs(60));
    let more = [span(&"x".repeat(10_000))];
    let twice = async {
        // More than fit into one budget.
        while requests.load(Ordering::Relaxed) < 13 {
            assert_eq!(extension.hand_over(&more).await, 200);
        }
    };
    tokio::time::timeout(PATIENCE, twice).await.expect("the second flush");
}

#[tokio::test]
async fn what_a_backend_may_have_taken_without_an_answer_is_counted_apart() {
    let backend = Backend::start(&[0, 503]).await;
    let endpoint = backend.url();
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", endpoint.as_str()), ("THROUGHLINE_BUDGET_MS", "300")];
    let mut extension = Extension::start(&variables).await;
    extension.invocation("r0", "s0").await;
    extension.invocation("r1", "s1").await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, names(2));
    let spans = &summary["spans"];
    assert_eq!((&spans["exported"], &spans["kept"], &spans["unanswered"]), (&2.into(), &0.into(), &1.into()));
}

#[tokio::test]
async fn where_nothing_freezes_a_backend_is_asked_again_when_the_pause_is_over() {
    let port = unused_port().await;
    let endpoint = format!("http://127.0.0.1:{port}");
    // No telemetry, as in AWS's emulator.
    let lambda = Lambda::start(&[202]).await;
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", endpoint.as_str())];
    let mut extension = Extension::start_at(lambda, &variables).await;
    for name in names(3) {
        // The second try in vain opens the breaker.
        assert_eq!(extension.hand_over(&[span(&name)]).await, 200);
        eventually("a try", || extension.lines().iter().any(|line| line["level"] == "WARN").then_some(()))
            .await;
    }
    let backend = Backend::on(TcpListener::bind(("127.0.0.1", port)).await.expect("free"), &[]);
    backend.has(3).await;
    let summary = extension.shut_down().await;
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["unanswered"]), (&3.into(), &0.into()));
    assert_eq!(backend.state().spans, names(3));
}

#[tokio::test]
async fn it_does_not_export_to_itself_however_it_is_spelled() {
    for host in ["127.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let port = unused_port().await;
        let mut extension = Extension::start(&[
            ("THROUGHLINE_LISTEN", &format!("127.0.0.1:{port}")),
            ("THROUGHLINE_EXPORT_ENDPOINT", &format!("http://{host}:{port}")),
            ("THROUGHLINE_BUDGET_MS", "250"),
        ])
        .await;
        assert_eq!(extension.port, port);
        extension.invocation("r0", "s0").await;
        let summary = extension.shut_down().await;
        let spans = &summary["spans"];
        assert_eq!((&spans["received"], &spans["spilled"]), (&1.into(), &1.into()), "{host}");
        let lines = extension.lines();
        assert!(lines.iter().any(|line| line.to_string().contains("the extension itself")), "{lines:?}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = taken.local_addr().expect("bound").port();
    let mut extension = Extension::start(&[("THROUGHLINE_LISTEN", &format!("127.0.0.1:{port}"))]).await;
    assert_ne!(extension.port, port);
    extension.shut_down().await;
    let told = format!("port {port} is taken, {} is used", extension.port);
    let lines = extension.lines();
    assert!(lines.iter().any(|line| line["message"].to_string().contains(&told)), "{lines:?}");
}
