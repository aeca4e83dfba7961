//! For the tests of this module: an invocation with a user in its baggage, and servers on loopback.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;

use crate::invocation::Invocation;
use crate::propagation::Context;
use crate::scope::{Scope, Scoped};
use crate::testing::{call, close, now};
use crate::tracer::Tracer;
use crate::triggers::{Caller, Sender, read};

/// The host that may have the baggage, and one that may not.
pub(super) const NAMED: &str = "127.0.0.1";
pub(super) const OTHER: &str = "127.0.0.2";

pub(super) fn env(key: &str) -> Option<String> {
    (key == "THROUGHLINE_BAGGAGE_HOSTS").then(|| NAMED.to_owned())
}

/// An invocation on behalf of user `u-1`.
pub(super) struct Function {
    invocation: Arc<Invocation>,
    pub(super) scope: Scope,
}

impl Function {
    pub(super) fn new() -> Self {
        Self::with(&env)
    }

    pub(super) fn with(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let tracer = Tracer::new(env, now);
        let mut reading = read(&Bytes::from_static(b"{}"), &Caller::default(), tracer.settings());
        let traceparent = "00-00000000000000000000000000000007-0000000000000001-01";
        let sender = Context::from_headers(traceparent, Some("vendor=1"), Some("user.id=u-1"));
        reading.sender = sender.map(Sender::Parent);
        let (invocation, scope) = Invocation::open(tracer, call(), reading);
        Self { invocation, scope }
    }

    pub(super) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        Scoped::new(work, self.scope.clone()).await
    }

    /// The spans of its requests, in the order that they ended.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = close(&self.invocation);
        spans.pop();
        spans
    }
}

/// A server that keeps the heads of its requests, and answers all with one status and, if it redirects, a location.
pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Server {
    pub(super) async fn start(host: &str, status: u16, location: Option<String>) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<http::request::Parts>>> = Arc::default();
        let keeps = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (keeps, location) = (keeps.clone(), location.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    keeps.lock().unwrap().push(request.into_parts().0);
                    let response = Response::builder().status(status);
                    let response = location.iter().fold(response, |made, to| made.header("location", to));
                    std::future::ready(response.body(Empty::<Bytes>::new()))
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, seen }
    }

    /// A header of each request that came, `-` where it had none.
    pub(super) fn seen(&self, header: &str) -> Vec<String> {
        let value = |parts: &http::request::Parts| {
            parts.headers.get(header).map_or("-".to_owned(), |value| value.to_str().unwrap().to_owned())
        };
        self.seen.lock().unwrap().iter().map(value).collect()
    }
}

/// The `traceparent` that a span is known by.
pub(super) fn traceparent(span: &Span) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}
