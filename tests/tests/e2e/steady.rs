//! Nothing fails but the handler: spans arrive before the freeze, responses are untouched.

use serde_json::json;
use throughline_host::Source;
use throughline_tests::backend::Backend;
use throughline_tests::handlers::Kind;
use throughline_tests::spans::Arrived;

use crate::support::{Function, Setup, command, eventually, plain_outcomes};

/// The span of the last invocation that arrived.
fn last_invocation(backend: &Backend) -> Arrived {
    backend.arrived().into_iter().rfind(Arrived::is_invocation).unwrap()
}

/// Invokes with each command and compares with what plain `lambda_runtime` answers. The spans must be
/// there each time before the sandbox is frozen.
async fn compare(function: &mut Function, backend: &Backend, kind: Kind, commands: &[(&str, u32)]) {
    let plain = plain_outcomes(kind, commands.iter().map(|(ending, spans)| command(ending, *spans))).await;
    for ((ending, spans), plain) in commands.iter().zip(plain) {
        assert_eq!(function.command(ending, *spans).await, plain, "{ending}");
        function.sandbox.settled().await;
        function.ledger.assert(&backend.arrived());
    }
}

#[tokio::test]
async fn spans_arrive_before_each_freeze() {
    let backend = Backend::start([]).unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&backend).await.start().await;
    for n in 0..20 {
        assert_eq!(function.command("ok", n % 4).await.json(), Some(json!({ "made": n % 4 })));
        function.sandbox.settled().await;
        assert!(function.sandbox.is_frozen());
        function.ledger.assert(&backend.arrived());
    }
    let ended = function.shutdown().await;
    ended.ledger.assert(&backend.arrived());
    let first = &backend.arrived()[0];
    assert_eq!(first.of_resource("service.name").as_deref(), Some("test-function"));
    assert_eq!(ended.printed.spans(Source::Function).len(), 0);
    assert_eq!(ended.printed.spans(Source::Extension).len(), 0);
    // One sandbox, one cold start.
    let cold = backend
        .arrived()
        .iter()
        .filter(|span| span.attribute("faas.coldstart").as_deref() == Some("true"))
        .count();
    assert_eq!(cold, 1);
}

#[tokio::test]
async fn what_waits_over_freezes_arrives_once_and_failures_at_once() {
    for policy in ["deferred", "adaptive", "interval=1s"] {
        let backend = Backend::start([]).unwrap();
        let setup = Setup::wrapped(Kind::Command).exporting_to(&backend).await;
        let mut function = setup.env("THROUGHLINE_FLUSH", policy).start().await;
        for n in 0..24 {
            let fails = n % 8 == 7;
            function.command(if fails { "error" } else { "ok" }, n % 4).await;
            function.sandbox.settled().await;
            assert!(function.sandbox.is_frozen());
            if fails {
                function.ledger.assert(&backend.arrived());
            }
        }
        function.shutdown().await.ledger.assert(&backend.arrived());
    }
}

#[tokio::test]
async fn an_error_reaches_the_client_and_the_span() {
    let backend = Backend::start([]).unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&backend).await.start().await;
    compare(&mut function, &backend, Kind::Command, &[("ok", 1), ("error", 2)]).await;
    let (_, message) = last_invocation(&backend).exception().unwrap();
    assert_eq!(message, "failed after 2 spans");
    compare(&mut function, &backend, Kind::Command, &[("ok", 1), ("panic", 3)]).await;
    let (kind, message) = last_invocation(&backend).exception().unwrap();
    assert_eq!((kind.as_str(), message.as_str()), ("panic", "panicked after 3 spans"));
    // The function goes on after both.
    compare(&mut function, &backend, Kind::Command, &[("ok", 2)]).await;
    assert_eq!(last_invocation(&backend).exception(), None);
    function.shutdown().await.ledger.assert(&backend.arrived());
}

#[tokio::test]
async fn streams_are_passed_on_and_traced_to_their_end() {
    let backend = Backend::start([]).unwrap();
    let mut function = Setup::wrapped(Kind::Streaming).exporting_to(&backend).await.start().await;
    compare(&mut function, &backend, Kind::Streaming, &[("ok", 5), ("ok", 0), ("error", 3)]).await;
    let (_, message) = last_invocation(&backend).exception().unwrap();
    assert!(message.contains("broke after 3 chunks"), "{message}");
    compare(&mut function, &backend, Kind::Streaming, &[("ok", 1)]).await;
    function.shutdown().await.ledger.assert(&backend.arrived());
}

#[tokio::test]
async fn run_concurrent_takes_turns_where_the_platform_does() {
    let backend = Backend::start([]).unwrap();
    let mut function = Setup::wrapped(Kind::Concurrent).exporting_to(&backend).await.start().await;
    compare(&mut function, &backend, Kind::Concurrent, &[("ok", 2), ("error", 1), ("panic", 1), ("ok", 1)])
        .await;
    function.shutdown().await.ledger.assert(&backend.arrived());
}

#[tokio::test]
async fn several_workers_lose_nothing_between_them() {
    let backend = Backend::start([]).unwrap();
    let setup = Setup::wrapped(Kind::Concurrent).exporting_to(&backend).await;
    // Workers that wait for events hide one that still hands over, so such a sandbox is never frozen.
    let setup = setup.env("AWS_LAMBDA_MAX_CONCURRENCY", "4").with(|config| config.freeze(false));
    let mut function = setup.start().await;
    for n in 0..12 {
        assert_eq!(function.command("ok", n % 3).await.json(), Some(json!({ "made": n % 3 })));
    }
    eventually(|| function.ledger.faults(&backend.arrived())).await;
    function.shutdown().await.ledger.assert(&backend.arrived());
}

#[tokio::test]
async fn two_sandboxes_on_the_default_port_stay_apart() {
    let backends = [Backend::start([]).unwrap(), Backend::start([]).unwrap()];
    let mut functions = Vec::new();
    for backend in &backends {
        let setup = Setup::wrapped(Kind::Command).exporting_to(backend).await;
        functions.push(setup.env("THROUGHLINE_LISTEN", "127.0.0.1:4318").start().await);
    }
    for spans in 0..4 {
        for function in &mut functions {
            function.command("ok", spans).await;
        }
    }
    for (function, backend) in functions.into_iter().zip(&backends) {
        function.shutdown().await.ledger.assert(&backend.arrived());
    }
}

#[tokio::test]
async fn thousands_of_spans_in_one_invocation() {
    let backend = Backend::start([]).unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&backend).await.start().await;
    for spans in [1, 3_000, 1] {
        assert_eq!(function.command("ok", spans).await.json(), Some(json!({ "made": spans })));
    }
    function.shutdown().await.ledger.assert(&backend.arrived());
}

#[tokio::test]
async fn a_log_level_takes_no_span_away() {
    let backend = Backend::start([]).unwrap();
    let setup =
        Setup::wrapped(Kind::Command).exporting_to(&backend).await.env("AWS_LAMBDA_LOG_LEVEL", "ERROR");
    let mut function = setup.start().await;
    function.command("ok", 2).await;
    function.command("error", 2).await;
    function.shutdown().await.ledger.assert(&backend.arrived());
}

#[tokio::test]
async fn bad_configuration_is_a_log_line_and_a_safe_default() {
    let backend = Backend::start([]).unwrap();
    let mut setup = Setup::wrapped(Kind::Command).exporting_to(&backend).await;
    for (name, value) in [
        ("THROUGHLINE_EXPORT_ENDPOINT", "gopher://\u{fffd}:99999/?"),
        ("THROUGHLINE_EXPORT_HEADERS", "=,no,\u{7f}=x,content-length=5"),
        ("THROUGHLINE_EXPORT_PROTOCOL", "grpc"),
        ("THROUGHLINE_LISTEN", "0.0.0.0:80"),
        ("THROUGHLINE_BUFFER_BYTES", "-1"),
        ("THROUGHLINE_BUDGET_MS", "soon"),
        ("THROUGHLINE_ENABLED", "perhaps"),
        ("THROUGHLINE_TRUST_INBOUND", "everyone"),
        ("THROUGHLINE_DYNAMODB_TABLES", ",,*,"),
        ("AWS_LAMBDA_LOG_LEVEL", "[[["),
    ] {
        setup = setup.env(name, value);
    }
    let mut function = setup.start().await;
    for spans in 0..3 {
        assert_eq!(function.command("ok", spans).await.json(), Some(json!({ "made": spans })));
    }
    let ended = function.shutdown().await;
    eventually(|| ended.ledger.faults(&ended.printed.spans(Source::Extension))).await;
    let told = ended.printed.lines(Source::Extension);
    for name in ["EXPORT_ENDPOINT", "EXPORT_PROTOCOL", "LISTEN", "BUFFER_BYTES", "BUDGET_MS", "ENABLED"] {
        let lines = told.iter().filter(|line| line.contains(&format!("THROUGHLINE_{name}"))).count();
        assert_eq!(lines, 1, "{name} in {told:#?}");
    }
}
