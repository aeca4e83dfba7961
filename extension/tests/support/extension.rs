//! The real binary beside a scripted Lambda.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Lambda, PATIENCE, eventually, invocation_span, names, post, request};

/// The real binary beside a fake Lambda.
pub struct Extension {
    pub lambda: Lambda,
    pub port: u16,
    pub child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Extension {
    /// Starts it and waits until it asked for its first event.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_at(Lambda::start(&[]).await, variables).await
    }

    pub async fn start_at(lambda: Lambda, variables: &[(&str, &str)]) -> Self {
        Self::start_as(env!("CARGO_BIN_EXE_throughline-extension").as_ref(), lambda, variables).await
    }

    /// Starts this executable, a copy of it.
    pub async fn start_as(executable: &Path, lambda: Lambda, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(executable)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", lambda.address.to_string())
            // Tests run side by side: any port will do.
            .env("THROUGHLINE_LISTEN", "127.0.0.1:0")
            // A loaded machine is slow; tests of the budget set their own.
            .env("THROUGHLINE_BUDGET_MS", "10000")
            // What is handed over is at the backend when the next event is asked for; tests of the others set theirs.
            .env("THROUGHLINE_FLUSH", "end")
            .envs(variables.iter().copied())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary runs");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut stdout = BufReader::new(child.stdout.take().expect("piped")).lines();
        let collected = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = stdout.next_line().await {
                collected.lock().expect("no panic under the lock").push(line);
            }
        });
        lambda.asked(1).await;
        let port = std::fs::read_to_string(lambda.port_file())
            .expect("the port file")
            .trim()
            .parse()
            .expect("a port");
        Self { lambda, port, child, lines }
    }

    /// Everything that it wrote to stdout, each line as JSON.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let lines = self.lines.lock().expect("no panic under the lock");
        lines.iter().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
    }

    /// Names of the spans that it wrote to stdout.
    pub fn spans_on_stdout(&self) -> Vec<String> {
        let requests = self.lines().into_iter().filter(|line| line.get("resourceSpans").is_some());
        requests.flat_map(|line| names(&serde_json::from_value(line).expect("OTLP/JSON"))).collect()
    }

    pub async fn hand_over(&self, spans: &[Span]) -> StatusCode {
        let headers = [("content-type", "application/x-protobuf")];
        post(self.port, "/v1/traces", &headers, request(spans).encode_to_vec()).await.status
    }

    /// One invocation of a wrapped function: INVOKE, the hand-over with one span of this name, and the
    /// wait until the extension asks for the next event.
    pub async fn invocation(&self, request_id: &str, span_name: &str) {
        let nexts = self.lambda.state().nexts;
        self.lambda.invoke(request_id, Duration::from_secs(60));
        assert_eq!(self.hand_over(&[invocation_span(request_id, span_name)]).await, 200);
        self.lambda.asked(nexts + 1).await;
    }

    /// SHUTDOWN; returns the summary.
    pub async fn shut_down(&mut self) -> serde_json::Value {
        self.shut_down_because("spindown").await
    }

    /// SHUTDOWN for this reason; returns the summary.
    pub async fn shut_down_because(&mut self, reason: &str) -> serde_json::Value {
        self.lambda.shutdown(reason);
        self.exited().await
    }

    pub async fn exited(&mut self) -> serde_json::Value {
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it exits").expect("waited");
        assert!(status.success(), "{status}");
        eventually("the summary", || self.lines().into_iter().find(|line| line["message"] == "summary")).await
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id().expect("it runs")).expect("a pid");
        let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("our child");
    }
}
