//! Lambda's APIs, scripted: the extension's half of the Runtime API, and the Telemetry API.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use throughline_extension::http::serve;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::{epoch_ms, eventually, post};

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
    /// Rings when there is an event.
    bell: Arc<Notify>,
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
        let this = Self { address, state: Arc::new(Mutex::new(state)), bell: Arc::default() };
        // What an earlier one at this address may have left; ours begins with an empty /tmp.
        let _ = std::fs::remove_dir_all(this.port_file().parent().expect("a folder"));
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
                    self.bell.notified().await;
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
        self.comes(event.to_string());
    }

    pub fn shutdown(&self, reason: &str) {
        let event = serde_json::json!({
            "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": epoch_ms() + 2000,
        });
        self.comes(event.to_string());
    }

    /// Answers the next request for an event with 403, as a host does that knows the extension no more.
    pub fn disown(&self) {
        self.comes(String::new());
    }

    fn comes(&self, event: String) {
        self.state().events.push_back(event);
        self.bell.notify_one();
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
        self.done(serde_json::json!({ "requestId": request_id, "status": status })).await;
    }

    /// The platform tells the end of an invocation in this record.
    pub async fn done(&self, record: serde_json::Value) {
        let events = serde_json::json!([{ "time": "2026-01-01T00:00:00Z", "type": "platform.runtimeDone", "record": record }]);
        assert_eq!(self.tell(events).await, 200);
    }
}
