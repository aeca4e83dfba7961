//! An OTLP backend, scripted.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use throughline_extension::http::serve;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{eventually, names};

#[derive(Debug, Default)]
pub struct BackendState {
    /// Names of the spans that were taken, in their order.
    pub spans: Vec<String>,
    /// The requests that were taken.
    pub taken: Vec<ExportTraceServiceRequest>,
    /// Requests of metrics and logs that were taken, each with its path.
    pub others: Vec<(String, Vec<u8>)>,
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
        assert_eq!(request.method(), Method::POST);
        let (parts, body) = request.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let mut response = Response::new(Full::default());
        let status = {
            let mut state = state.lock().expect("no panic under the lock");
            let mut status = state.script.pop_front().unwrap_or(200);
            let mut plain = Vec::new();
            assert_eq!(parts.headers["content-encoding"], "gzip");
            GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip");
            match parts.uri.path() {
                "/v1/traces" => {}
                path @ ("/v1/metrics" | "/v1/logs") => {
                    state.others.push((path.to_owned(), plain));
                    return response;
                }
                other => panic!("unexpected path {other}"),
            }
            let request = if parts.headers["content-type"] == "application/json" {
                serde_json::from_slice(&plain).expect("OTLP/JSON")
            } else {
                ExportTraceServiceRequest::decode(plain.as_slice()).expect("OTLP")
            };
            let spans = names(&request);
            state.requests.push(parts.headers);
            if state.poison.as_ref().is_some_and(|poison| spans.contains(poison)) {
                status = 400;
            }
            if status == 200 {
                state.spans.extend(spans);
                state.taken.push(request);
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

    /// The span of this name, which must have been taken once.
    pub fn span(&self, name: &str) -> Span {
        let state = self.state();
        let scopes =
            state.taken.iter().flat_map(|request| &request.resource_spans).flat_map(|r| &r.scope_spans);
        let mut found = scopes.flat_map(|scope| &scope.spans).filter(|span| span.name == name);
        let span = found.next().unwrap_or_else(|| panic!("no {name} among {:?}", state.spans)).clone();
        assert!(found.next().is_none(), "{name} twice");
        span
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
