//! No extension: spans are lines on the function's stdout.

use std::time::Duration;

use serde_json::json;
use throughline_host::Source;
use throughline_tests::backend::Backend;
use throughline_tests::handlers::Kind;

use crate::support::{Setup, command, eventually};

#[tokio::test]
async fn each_invocation_is_one_line() {
    let mut function = Setup::wrapped(Kind::Command).start().await;
    for spans in 0..6 {
        assert_eq!(function.command("ok", spans).await.json(), Some(json!({ "made": spans })));
    }
    assert!(function.command("error", 1).await.error().is_some());
    let ended = function.shutdown().await;
    eventually(|| ended.ledger.faults(&ended.printed.spans(Source::Function))).await;
    assert_eq!(ended.printed.span_lines(Source::Function).len(), 7);
}

#[tokio::test]
async fn a_loopback_endpoint_is_the_extensions_and_not_asked() {
    // The variable that functions in other languages have for the extension.
    let backend = Backend::start([]).unwrap();
    let setup = Setup::wrapped(Kind::Command).env("OTEL_EXPORTER_OTLP_ENDPOINT", backend.endpoint());
    let mut function = setup.start().await;
    function.command("ok", 2).await;
    let ended = function.shutdown().await;
    eventually(|| ended.ledger.faults(&ended.printed.spans(Source::Function))).await;
    assert_eq!(backend.exchanges().len(), 0);
}

#[tokio::test]
async fn switched_off_is_a_pass_through() {
    let backend = Backend::start([]).unwrap();
    let setup =
        Setup::wrapped(Kind::Command).exporting_to(&backend).await.env("THROUGHLINE_ENABLED", "false");
    let mut function = setup.start().await;
    for spans in 0..3 {
        assert_eq!(function.command("ok", spans).await.json(), Some(json!({ "made": spans })));
    }
    let ended = function.shutdown().await;
    assert_eq!(backend.exchanges().len(), 0);
    assert_eq!(ended.printed.spans(Source::Function).len() + ended.printed.spans(Source::Extension).len(), 0);
}

#[tokio::test]
async fn what_hangs_is_told_of_before_its_time_is_up() {
    let setup = Setup::wrapped(Kind::Command).with(|config| config.timeout(Duration::from_secs(2)));
    let function = setup.start().await;
    let reply = function.sandbox.invoke(command("hang", 2)).await;
    assert!(reply.outcome.error().is_some(), "it ran out of time");
    let printed = function.shutdown().await.printed;
    let told = format!("request {}: it still runs", reply.request_id);
    assert!(printed.lines(Source::Function).iter().any(|line| line.contains(&told)));
    let spans = printed.spans(Source::Function);
    let told = spans.iter().map(|it| (it.span.name.as_str(), it.attribute("throughline.partial").is_some()));
    assert_eq!(told.collect::<Vec<_>>(), [("step", false), ("step", false), ("test-function", true)]);
}
