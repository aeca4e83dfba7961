//! Each example under the host, with its event: it answers, its spans are of the event's transaction, and so are its
//! log lines.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::Value;
use throughline_host::{Output, Sandbox, SandboxConfig, ShutdownReason, Source};
use throughline_tests::spans::Arrived;

/// Name, executable, the names of its spans as they end, the invocation's last.
const EXAMPLES: [(&str, &str, &[&str]); 11] = [
    ("axum", env!("CARGO_BIN_EXE_axum"), &["GET /{proxy+}"]),
    ("dynamodb", env!("CARGO_BIN_EXE_dynamodb"), &["process carts", "process carts"]),
    ("eventbridge", env!("CARGO_BIN_EXE_eventbridge"), &["eventbridge"]),
    ("http", env!("CARGO_BIN_EXE_http"), &["GET /"]),
    ("invoke", env!("CARGO_BIN_EXE_invoke"), &["add", "invoke"]),
    ("kinesis", env!("CARGO_BIN_EXE_kinesis"), &["process readings", "process readings", "process readings"]),
    ("s3", env!("CARGO_BIN_EXE_s3"), &["process sourcebucket"]),
    ("schedule", env!("CARGO_BIN_EXE_schedule"), &["schedule"]),
    ("sns", env!("CARGO_BIN_EXE_sns"), &["process news"]),
    ("sqs", env!("CARGO_BIN_EXE_sqs"), &["process orders", "process orders", "process orders"]),
    ("streaming", env!("CARGO_BIN_EXE_streaming"), &["streaming"]),
];

/// The trace that the events carry, but for the last digit.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e473";
/// Those whose events carry none.
const BEGINNERS: [&str; 2] = ["s3", "schedule"];

#[tokio::test]
async fn each_example_is_in_its_transaction() {
    join_all(EXAMPLES.map(|(name, program, spans)| check(name, program, spans))).await;
}

async fn check(name: &str, program: &str, due: &[&str]) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let output = Output::with_listener(move |source, line| {
        if source == Source::Function {
            heard.lock().unwrap().push(line.to_owned());
        }
    });
    let event = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("events/{name}.json"));
    let event = Bytes::from(std::fs::read(event).unwrap());
    let sandbox = Sandbox::start(SandboxConfig::new(name, program).output(output)).await.unwrap();
    let outcome = sandbox.invoke(event).await.outcome;
    assert_eq!(outcome.error(), None, "{name}");
    sandbox.settled().await;
    sandbox.shutdown(ShutdownReason::Spindown).await;

    let lines = lines.lock().unwrap();
    let spans: Vec<Arrived> = lines.iter().filter_map(|line| Arrived::in_line(line)).flatten().collect();
    let names: Vec<&str> = spans.iter().map(|span| span.span.name.as_str()).collect();
    assert_eq!(names, due, "{name}");
    // Whom the authorizer knows, not whom the request names.
    let user = spans.last().and_then(|span| span.attribute("user.id"));
    assert_eq!(user.as_deref(), (name == "http").then_some("u-1"), "{name}");
    let carried = !BEGINNERS.contains(&name);
    // The invocation of a batch of several transactions has a trace of its own.
    for span in spans.iter().filter(|span| name != "sqs" || !span.is_invocation()) {
        let trace: String = span.span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(trace.starts_with(TRACE), carried, "{name}: {trace}");
    }
    let logged: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let logged: Vec<&Value> = logged.iter().filter(|line| line.get("message").is_some()).collect();
    assert!(!logged.is_empty() || name == "invoke", "{name} says nothing");
    for line in logged {
        let trace = line["trace_id"].as_str().unwrap_or_default();
        assert_eq!(trace.starts_with(TRACE), carried, "{name}: {line}");
        assert!(line["correlation_id"].is_string(), "{name}: {line}");
    }
}
