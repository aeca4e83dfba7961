//! Invocations that end badly: the real binary tells them from the recorders that their processes left.

mod support;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use support::{Backend, Extension, Lambda, epoch_ms, invocation_span, span};
use throughline_recorder::testing::File;

const MINUTE: Duration = Duration::from_secs(60);

/// Writes the recorder of an invocation that has made a call and is in the middle of another; its spans are named after it.
fn record(lambda: &Lambda, request_id: &str) -> PathBuf {
    let folder = lambda.port_file().parent().expect("a folder").to_owned();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("made");
    let start = epoch_ms() * 1_000_000;
    let begun = |span: Span, id: u8| Span { span_id: vec![id; 8], start_time_unix_nano: start, ..span };
    let mut file = File::new(7, request_id);
    file.event(r#"{"order":1}"#);
    file.span(&begun(invocation_span(request_id, request_id), 1));
    file.span(&begun(span(&format!("{request_id} done")), 2));
    file.span(&begun(span(&format!("{request_id} open")), 3));
    let done = begun(span(&format!("{request_id} done")), 2);
    file.span(&Span { end_time_unix_nano: start + 1, ..done });
    file.line(0, r#"{"level":"DEBUG","message":"before the end"}"#);
    let number = request_id.bytes().map(u64::from).sum::<u64>();
    let path = folder.join(format!("recorder-{number:016x}"));
    fs::write(&path, file.into_bytes()).expect("written");
    path
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

/// What an invocation's span says of its end: `error.type` and the message.
fn end(backend: &Backend, request_id: &str) -> (String, String) {
    let span = backend.span(request_id);
    assert_ne!(span.end_time_unix_nano, 0);
    assert_eq!(text(&span, "throughline.partial"), "BoolValue(true)");
    assert_eq!(text(&span, "throughline.event"), r#"{"order":1}"#);
    let names: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["log", "exception"]);
    let [done, open] = ["done", "open"].map(|name| backend.span(&format!("{request_id} {name}")));
    assert_eq!(
        [text(&done, "throughline.partial"), text(&open, "throughline.partial")],
        ["", "BoolValue(true)"]
    );
    assert_eq!((done.status, open.status), (None, None));
    (text(&span, "error.type"), span.status.expect("failed").message)
}

async fn start(backend: &Backend, subscribe_answers: &[u16]) -> Extension {
    let lambda = Lambda::start(subscribe_answers).await;
    Extension::start_at(lambda, &[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await
}

#[tokio::test]
async fn a_process_that_died_is_told_before_the_next_event_is_asked_for() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.lambda.invoke("r1", MINUTE);
    let file = record(&extension.lambda, "r1");
    let metrics = json!({ "durationMs": 1200.0 });
    let record = json!({ "requestId": "r1", "status": "error", "errorType": "Runtime.OutOfMemory", "metrics": metrics });
    extension.lambda.done(record).await;
    extension.lambda.asked(2).await;
    let (error_type, message) = end(&backend, "r1");
    assert_eq!((error_type.as_str(), message.contains("out of memory")), ("Runtime.OutOfMemory", true));
    let span = backend.span("r1");
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_200_000_000);
    assert!(!file.exists());
    let summary = extension.shut_down_because("failure").await;
    assert_eq!((&summary["spans"]["received"], &summary["spans"]["exported"]), (&3.into(), &3.into()));
    assert_eq!(backend.state().spans.len(), 3, "once");
    assert!(!file.parent().expect("a folder").exists());
}

#[tokio::test]
async fn a_time_out_is_told_at_shutdown_with_the_time_that_it_had() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.lambda.invoke("r1", Duration::from_secs(1));
    record(&extension.lambda, "r1");
    // At the margin before the deadline the extension asks for the next event.
    extension.lambda.asked(2).await;
    assert_eq!(backend.state().spans, [""; 0]);
    extension
        .lambda
        .done(json!({ "requestId": "r1", "status": "timeout", "metrics": { "durationMs": 1000.0 } }))
        .await;
    let summary = extension.shut_down_because("timeout").await;
    assert_eq!(end(&backend, "r1"), ("Sandbox.Timedout".into(), "timed out after 1.00 s".into()));
    assert_eq!(summary["spans"]["exported"], 3);
}

#[tokio::test]
async fn shutdown_alone_suffices() {
    let short = Duration::from_millis(400);
    for (answer, time, reason, error_type, message) in [
        (202, MINUTE, "timeout", "Sandbox.Timedout", "timed out after "),
        (403, MINUTE, "failure", "Runtime.ExitError", "exited or was killed"),
        (202, MINUTE, "spindown", "Sandbox.Failure", "was shut down"),
        // AWS's emulator, when time ran out.
        (202, Duration::ZERO, "spindown", "Sandbox.Timedout", "timed out"),
        (200, short, "failure", "Runtime.ExitError", "exited or was killed"),
    ] {
        let backend = Backend::start(&[]).await;
        let mut extension = start(&backend, &[answer]).await;
        extension.lambda.invoke("r1", time);
        extension.lambda.asked(2).await;
        record(&extension.lambda, "r1");
        extension.shut_down_because(reason).await;
        let told = end(&backend, "r1");
        assert!(told.0 == error_type && told.1.contains(message), "{answer} {reason}: {told:?}");
    }
}

#[tokio::test]
async fn the_platform_s_word_on_a_crash_may_come_after_shutdown() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.lambda.invoke("r1", Duration::from_millis(400));
    extension.lambda.asked(2).await;
    record(&extension.lambda, "r1");
    extension.lambda.shutdown("failure");
    let record = json!({ "requestId": "r1", "status": "error", "errorType": "Runtime.OutOfMemory" });
    extension.lambda.done(record).await;
    extension.exited().await;
    assert_eq!(end(&backend, "r1").0, "Runtime.OutOfMemory");
}

#[tokio::test]
async fn an_invocation_that_told_its_own_end_is_not_told_again() {
    let backend = Backend::start(&[]).await;
    let mut extension = start(&backend, &[]).await;
    extension.lambda.invoke("r1", MINUTE);
    let file = record(&extension.lambda, "r1");
    // The span that the recorder has.
    let own = Span { span_id: vec![1; 8], ..invocation_span("r1", "its own") };
    extension.hand_over(&[own]).await;
    extension
        .lambda
        .done(json!({ "requestId": "r1", "status": "error", "errorType": "Runtime.ExitError" }))
        .await;
    let summary = extension.shut_down_because("failure").await;
    assert_eq!(backend.state().spans, ["its own", "after the handler"]);
    assert_eq!(summary["spans"]["received"], 2);
    assert!(!file.exists());
}

#[tokio::test]
async fn a_crash_where_nothing_freezes_is_told_at_once() {
    let backend = Backend::start(&[]).await;
    let lambda = Lambda::start(&[]).await;
    let variables = [
        ("THROUGHLINE_EXPORT_ENDPOINT", backend.url()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances".into()),
    ];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut extension = Extension::start_at(lambda, &variables).await;
    record(&extension.lambda, "r1");
    let alive = record(&extension.lambda, "r2");
    extension.lambda.runtime_done("r1", "failure").await;
    backend.has(3).await;
    assert_eq!(end(&backend, "r1").0, "Runtime.ExitError");
    assert!(alive.exists());
    extension.shut_down().await;
    assert_eq!(backend.state().spans.len(), 6);
}

#[tokio::test]
async fn what_a_reset_sandbox_left_is_sent_by_the_next_and_its_retry_runs_as_any_other() {
    let backend = Backend::start(&[]).await;
    let lambda = Lambda::start(&[]).await;
    let file = record(&lambda, "r1");
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", backend.url())];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut extension = Extension::start_at(lambda, &variables).await;
    assert!(!file.exists(), "before the function can run");
    extension.lambda.invoke("r1", MINUTE);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(extension.lambda.state().nexts, 1, "the handler still runs");
    extension.hand_over(&[invocation_span("r1", "retried")]).await;
    extension.lambda.asked(2).await;
    let (error_type, message) = end(&backend, "r1");
    assert_eq!((error_type.as_str(), message.contains("was reset")), ("Sandbox.Failure", true));
    assert_eq!(backend.state().spans.len(), 4);
    let summary = extension.shut_down().await;
    assert_eq!((&summary["spans"]["received"], &summary["spans"]["exported"]), (&4.into(), &4.into()));
}

#[tokio::test]
async fn what_a_dead_backend_does_not_take_is_written_down() {
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", "http://127.0.0.1:9")]).await;
    extension.lambda.invoke("r1", MINUTE);
    record(&extension.lambda, "r1");
    extension.lambda.runtime_done("r1", "failure").await;
    extension.lambda.asked(2).await;
    let summary = extension.shut_down_because("failure").await;
    assert_eq!(extension.spans_on_stdout(), ["r1", "r1 done", "r1 open"]);
    assert_eq!(summary["spans"]["spilled"], 3);
    let lines = extension.lines();
    let told = lines.iter().find(|line| line["spans"] == 3).expect("a line");
    assert_eq!((&told["request_id"], &told["error_type"]), (&"r1".into(), &"Runtime.ExitError".into()));
}
