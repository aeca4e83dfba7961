//! Lambda's APIs and an OTLP backend, scripted, for the real binary. Each is a hyper server of a few
//! lines in the test's own process.

#![allow(dead_code, unreachable_pub)] // each test file is a crate of its own and uses a part

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use throughline_extension::http::{Reply, exchange, serve};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Far above anything that a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until `found` finds something.
pub async fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

pub fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

// --- Lambda ------------------------------------------------------------------------------------

#[derive(Debug, Default)]
pub struct LambdaState {
    /// Headers of the registration, and its body.
    pub registered: Option<(http::HeaderMap, String)>,
    /// Bodies of the subscriptions.
    pub subscriptions: Vec<serde_json::Value>,
    /// How often the next event was asked for.
    pub nexts: usize,
    /// Whether the port file was there when the first event was asked for.
    pub port_file_in_time: bool,
    /// Calls in their order.
    pub calls: Vec<&'static str>,
    events: VecDeque<String>,
    subscribe_answers: VecDeque<u16>,
}

/// The Runtime API's extension half.
#[derive(Debug, Clone)]
pub struct Lambda {
    pub address: SocketAddr,
    state: Arc<Mutex<LambdaState>>,
}

impl Lambda {
    /// `subscribe_answers`: statuses for the subscriptions, 200 after the last.
    pub async fn start(subscribe_answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let state = LambdaState {
            subscribe_answers: subscribe_answers.iter().copied().collect(),
            ..Default::default()
        };
        let this = Self { address, state: Arc::new(Mutex::new(state)) };
        let lambda = this.clone();
        tokio::spawn(serve(listener, move |request| lambda.clone().answer(request)));
        this
    }

    pub fn state(&self) -> MutexGuard<'_, LambdaState> {
        self.state.lock().expect("no panic under the lock")
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = String::from_utf8_lossy(&body.collect().await.expect("a body").to_bytes()).into_owned();
        let mut response = Response::new(Full::default());
        match (&parts.method, parts.uri.path()) {
            (&Method::POST, "/2020-01-01/extension/register") => {
                let mut state = self.state();
                state.calls.push("register");
                state.registered = Some((parts.headers, body));
                response
                    .headers_mut()
                    .insert("lambda-extension-identifier", "the-id".parse().expect("a header"));
                *response.body_mut() = r#"{"functionName":"f","accountId":"123456789012"}"#.into();
            }
            (&Method::PUT, "/2022-07-01/telemetry") => {
                assert_eq!(parts.headers["lambda-extension-identifier"], "the-id");
                let mut state = self.state();
                state.calls.push("subscribe");
                state.subscriptions.push(serde_json::from_str(&body).expect("JSON"));
                let status = state.subscribe_answers.pop_front().unwrap_or(200);
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            }
            (&Method::GET, "/2020-01-01/extension/event/next") => {
                assert_eq!(parts.headers["lambda-extension-identifier"], "the-id");
                {
                    let port_file = self.port_file().exists();
                    let mut state = self.state();
                    state.calls.push("next");
                    if state.nexts == 0 {
                        state.port_file_in_time = port_file;
                    }
                    state.nexts += 1;
                }
                let event = loop {
                    if let Some(event) = self.state().events.pop_front() {
                        break event;
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                };
                if event.is_empty() {
                    *response.status_mut() = StatusCode::FORBIDDEN;
                }
                *response.body_mut() = event.into();
            }
            other => panic!("unexpected call {other:?}"),
        }
        response
    }

    /// The folder's name is the FNV-1a hash of the API's address.
    pub fn port_file(&self) -> PathBuf {
        let hash = self.address.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let uid = rustix::process::geteuid().as_raw();
        PathBuf::from(format!("/tmp/.throughline-{uid}/{hash:016x}/port"))
    }

    pub fn invoke(&self, request_id: &str, timeout: Duration) {
        let deadline = epoch_ms() + timeout.as_millis() as u64;
        let event = serde_json::json!({
            "eventType": "INVOKE", "requestId": request_id, "deadlineMs": deadline,
            "invokedFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
        });
        self.state().events.push_back(event.to_string());
    }

    pub fn shutdown(&self) {
        let event = serde_json::json!({
            "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": epoch_ms() + 2000,
        });
        self.state().events.push_back(event.to_string());
    }

    /// Answers the next request for an event with 403, as a host does that knows the extension no more.
    pub fn disown(&self) {
        self.state().events.push_back(String::new());
    }

    /// Waits until the next event was asked for `times` in all.
    pub async fn asked(&self, times: usize) {
        eventually("the extension asks for the next event", || (self.state().nexts >= times).then_some(()))
            .await;
    }

    /// Sends platform events where the extension subscribed.
    pub async fn tell(&self, events: serde_json::Value) -> StatusCode {
        let uri = self.state().subscriptions.last().expect("subscribed")["destination"]["URI"].clone();
        let uri = uri.as_str().expect("a URI").to_owned();
        let port: u16 = uri.rsplit(':').next().expect("a port").parse().expect("a number");
        post(port, "/", &[("content-type", "application/json")], events.to_string().into_bytes()).await.status
    }

    pub async fn runtime_done(&self, request_id: &str, status: &str) {
        let record = serde_json::json!({ "requestId": request_id, "status": status });
        let events = serde_json::json!([{ "time": "2026-01-01T00:00:00Z", "type": "platform.runtimeDone", "record": record }]);
        assert_eq!(self.tell(events).await, 200);
    }
}

// --- backend -----------------------------------------------------------------------------------

#[derive(Debug, Default)]
pub struct BackendState {
    /// Names of the spans that were taken, in their order.
    pub spans: Vec<String>,
    /// Headers of every request.
    pub requests: Vec<http::HeaderMap>,
    /// Statuses to answer with, 200 after the last. 0 means: take the body, never answer.
    pub script: VecDeque<u16>,
    /// What answers other than 200 say in `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// A span of this name makes a whole request a 400.
    pub poison: Option<String>,
}

/// An OTLP backend.
#[derive(Debug)]
pub struct Backend {
    pub port: u16,
    state: Arc<Mutex<BackendState>>,
    task: JoinHandle<()>,
}

impl Backend {
    pub async fn start(script: &[u16]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.expect("loopback"), script)
    }

    pub fn on(listener: TcpListener, script: &[u16]) -> Self {
        let port = listener.local_addr().expect("bound").port();
        let state = BackendState { script: script.iter().copied().collect(), ..Default::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(serve(listener, move |request| Self::answer(Arc::clone(&shared), request)));
        Self { port, state, task }
    }

    pub fn state(&self) -> MutexGuard<'_, BackendState> {
        self.state.lock().expect("no panic under the lock")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn answer(state: Arc<Mutex<BackendState>>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v1/traces"));
        let (parts, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let mut response = Response::new(Full::default());
        let status = {
            let mut state = state.lock().expect("no panic under the lock");
            let mut status = state.script.pop_front().unwrap_or(200);
            let mut plain = Vec::new();
            assert_eq!(parts.headers["content-encoding"], "gzip");
            GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
            let spans = names(&ExportTraceServiceRequest::decode(plain.as_slice()).expect("OTLP"));
            state.requests.push(parts.headers);
            if state.poison.as_ref().is_some_and(|poison| spans.contains(poison)) {
                status = 400;
            }
            if status == 200 {
                state.spans.extend(spans);
            } else if let Some(seconds) = state.retry_after {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            status
        };
        if status == 0 {
            std::future::pending::<()>().await;
        }
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        response
    }

    /// Waits until `count` spans are there.
    pub async fn has(&self, count: usize) {
        eventually("spans at the backend", || (self.state().spans.len() >= count).then_some(())).await;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// --- the extension -----------------------------------------------------------------------------

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
        self.lambda.shutdown();
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

// --- spans and requests ------------------------------------------------------------------------

pub fn span(name: &str) -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.into(), ..Span::default() }
}

pub fn invocation_span(request_id: &str, name: &str) -> Span {
    let value = Some(AnyValue { value: Some(Value::StringValue(request_id.into())) });
    let attributes = vec![KeyValue { key: "faas.invocation_id".into(), value, ..KeyValue::default() }];
    Span { attributes, ..span(name) }
}

pub fn request(spans: &[Span]) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans: spans.to_vec(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

fn names(request: &ExportTraceServiceRequest) -> Vec<String> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect()
}

pub async fn send(port: u16, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let request = request.body(Full::from(body)).expect("a request");
    tokio::time::timeout(PATIENCE, exchange(stream, request, 1 << 20))
        .await
        .expect("in time")
        .expect("an answer")
}

pub async fn post(port: u16, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    send(port, Method::POST, path, headers, body).await
}
