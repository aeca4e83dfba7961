//! How invocations end, and what Lambda says of it: to the client and through the Telemetry API.

use std::time::Duration;

use serde_json::{Value, json};
use throughline_host::{
    FunctionError, Invocation, Outcome, Output, Sandbox, SandboxConfig, ShutdownReason, Source,
};

const RUNTIME: &str = env!("CARGO_BIN_EXE_host-test-runtime");
const EXTENSION: &str = env!("CARGO_BIN_EXE_host-test-extension");

/// What came of an invocation.
struct Ended {
    request_id: String,
    outcome: Outcome,
    output: Output,
}

impl Ended {
    /// Invokes once, in a sandbox of its own, and waits for all that is said of it.
    async fn of(
        invocation: impl Into<Invocation>,
        change: impl FnOnce(SandboxConfig) -> SandboxConfig,
    ) -> Self {
        let output = Output::default();
        let config = SandboxConfig::new("stand-in", RUNTIME).extension(EXTENSION).output(output.clone());
        let sandbox = Sandbox::start(change(config)).await.unwrap();
        let reply = sandbox.invoke(invocation).await;
        sandbox.settled().await;
        sandbox.shutdown(ShutdownReason::Spindown).await;
        Self { request_id: reply.request_id, outcome: reply.outcome, output }
    }

    /// The record of the telemetry event of that type about the invocation.
    fn record(&self, event: &str) -> Option<Value> {
        let lines = self.output.lines();
        let told = lines.iter().filter(|(source, _)| *source == Source::Extension);
        let batches = told.filter_map(|(_, line)| line.strip_prefix("telemetry "));
        let events = batches.flat_map(|batch| serde_json::from_str::<Vec<Value>>(batch).unwrap());
        let mut records = events.filter(|told| told["type"] == event).map(|mut told| told["record"].take());
        records.find(|record| record["requestId"] == *self.request_id)
    }

    /// `status` and `errorType`.
    fn verdict(&self, event: &str) -> Option<(String, Option<String>)> {
        let record = self.record(event)?;
        let text = |member: &str| record[member].as_str().map(str::to_owned);
        Some((text("status").unwrap(), text("errorType")))
    }

    fn error(&self) -> &FunctionError {
        self.outcome.error().unwrap_or_else(|| panic!("{:?}", self.outcome))
    }

    #[track_caller]
    fn is(&self, status: &str, error_type: Option<&str>, message: &str) {
        let verdict = Some((status.to_owned(), error_type.map(str::to_owned)));
        assert_eq!(self.verdict("platform.runtimeDone"), verdict);
        if status != "timeout" {
            assert_eq!(self.verdict("platform.report"), verdict);
        }
        assert_eq!(self.error().message, message.replace("ID", &self.request_id));
    }
}

#[tokio::test]
async fn an_error_that_the_function_reports() {
    let ended = Ended::of(json!("fail"), |config| config).await;
    ended.is("error", Some("Runtime.Unknown"), "as asked");
    assert_eq!(ended.error().kind, "Boom");
}

#[tokio::test]
async fn an_exit_and_an_abort() {
    let ended = Ended::of(json!("exit"), |config| config).await;
    ended.is(
        "error",
        Some("Runtime.ExitError"),
        "RequestId: ID Error: Runtime exited with error: exit status 3",
    );
    let ended = Ended::of(json!("abort"), |config| config).await;
    assert_eq!(ended.error().kind, "Runtime.ExitError");
    assert!(
        ended.error().message.contains("Runtime exited with error: signal: aborted"),
        "{}",
        ended.error()
    );
    assert!(ended.output.lines().iter().any(|(_, line)| line.contains(r#""shutdownReason":"failure""#)));
}

#[tokio::test]
async fn too_much_memory() {
    let ended = Ended::of(json!("eat"), |config| config.memory_limit(64)).await;
    ended.is(
        "error",
        Some("Runtime.OutOfMemory"),
        "RequestId: ID Error: Runtime exited with error: signal: killed",
    );
    assert_eq!(ended.error().kind, "Runtime.ExitError");
    let ended = Ended::of(json!("modest"), |config| config.memory_limit(64)).await;
    assert_eq!(ended.outcome.json(), Some(json!("modest")));
}

#[tokio::test]
async fn a_time_out() {
    let ended = Ended::of(json!("hang"), |config| config.timeout(Duration::from_millis(500))).await;
    ended.is("timeout", None, "RequestId: ID Error: Task timed out after 0.50 seconds");
    assert_eq!(ended.record("platform.report"), None, "as is usual after a time-out");
}

#[tokio::test]
async fn a_response_that_is_too_large() {
    let ended = Ended::of(json!("large"), |config| config).await;
    ended.is(
        "error",
        Some("Function.ResponseSizeTooLarge"),
        "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).",
    );
}

#[tokio::test]
async fn a_stream_that_is_broken_off() {
    let ended = Ended::of(json!("stream"), |config| config).await;
    assert_eq!(ended.outcome, Outcome::Response("0123456789".repeat(5).into()));
    assert_eq!(ended.record("platform.runtimeDone").unwrap()["metrics"]["producedBytes"], 50);
    let ended = Ended::of(json!("break off"), |config| config).await;
    ended.is("error", Some("Runtime.StreamError"), "no more");
    assert_eq!(ended.error().kind, "Late");
}

#[tokio::test]
async fn a_client_that_goes_away() {
    let leaves = Invocation::from(json!("stream")).client_leaves_after(12);
    let ended = Ended::of(leaves, |config| config).await;
    assert_eq!(ended.outcome, Outcome::Response("012345678901".into()));
    assert_eq!(ended.verdict("platform.runtimeDone"), Some(("success".to_owned(), None)));
    assert!(ended.output.lines().iter().any(|(_, line)| line == "stream answered with 500"));
}

#[tokio::test]
async fn a_managed_instance_reports_the_duration_alone() {
    let ended = Ended::of(json!(1), |config| config.managed_instance(2)).await;
    let report = ended.record("platform.report").unwrap();
    assert_eq!(report["status"], "success");
    assert!(report["metrics"].as_object().unwrap().keys().eq(["durationMs"]), "{report}");
}

#[tokio::test]
async fn the_lines_of_a_function_that_logs_json_are_told_as_objects() {
    let ended = Ended::of(json!("log"), |config| config.env("AWS_LAMBDA_LOG_FORMAT", "JSON")).await;
    let told = ended.output.lines().into_iter().map(|(_, line)| line).collect::<String>();
    assert!(told.contains(r#""record":{"message":"as JSON"}"#), "{told}");
    assert!(told.contains(r#""record":"runtime ready""#), "{told}");
}
