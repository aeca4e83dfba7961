//! For the crate's own tests: an extension that keeps what it is given, and a tracer that gives it there.

pub(crate) mod log;

use std::borrow::Borrow;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::handover::port_file_of;
use crate::invocation::{Call, Invocation};
use crate::propagation::root;
use crate::scope::Scope;
use crate::span::{self, EndedSpan, SpanKind, attribute};
use crate::tracer::Tracer;
use crate::triggers::{self, Caller, Record};
pub(crate) use log::{Listener, listened};

/// An environment of these variables alone.
pub(crate) fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |key| pairs.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned())
}

/// The time that tests run at.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// A stand-in for the extension.
pub(crate) struct Extension {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    connections: Arc<AtomicU64>,
    runtime_api: String,
    port: u16,
    folder: PathBuf,
    status: Arc<AtomicU16>,
    server: tokio::task::JoinHandle<()>,
}

impl Extension {
    /// Listens, and names its port where the wrapper looks.
    pub(crate) async fn start() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let runtime_api = format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = port_file_of(&runtime_api);
        let folder = file.parent().unwrap().to_owned();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
        let port = listener.local_addr().unwrap().port();
        fs::write(file, format!("{port}\n")).unwrap();
        let (requests, connections) = (Arc::default(), Arc::default());
        let status = Arc::new(AtomicU16::new(200));
        let server =
            tokio::spawn(serve(listener, Arc::clone(&requests), Arc::clone(&connections), status.clone()));
        Self { requests, connections, runtime_api, port, folder, status, server }
    }

    /// Answers so from now on.
    pub(crate) fn answer(&self, status: http::StatusCode) {
        self.status.store(status.as_u16(), Ordering::Relaxed);
    }

    /// Refuses connections from now on.
    pub(crate) async fn stop(&self) {
        self.server.abort();
        while !self.server.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn runtime_api(&self) -> &str {
        &self.runtime_api
    }

    /// A tracer that finds this extension, with more of an environment.
    pub(crate) fn tracer(&self, more: &[(&str, &str)]) -> Arc<Tracer> {
        Tracer::new(
            &|key| match key {
                "AWS_LAMBDA_RUNTIME_API" => Some(self.runtime_api.clone()),
                "AWS_LAMBDA_FUNCTION_NAME" => Some("checkout".to_owned()),
                _ => more.iter().find(|(known, _)| *known == key).map(|(_, value)| (*value).to_owned()),
            },
            now,
        )
    }

    /// All spans that were handed over.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The span of that name, which must be the only one.
    pub(crate) fn span(&self, name: &str) -> Span {
        let named: Vec<_> = self.spans().into_iter().filter(|span| span.name == name).collect();
        assert_eq!(named.len(), 1, "spans named {name} among {:?}", self.names());
        named.into_iter().next().unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.spans().into_iter().map(|span| span.name).collect()
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn serve(
    listener: TcpListener,
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    connections: Arc<AtomicU64>,
    status: Arc<AtomicU16>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        let (requests, status) = (requests.clone(), status.clone());
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let (requests, status) = (requests.clone(), status.load(Ordering::Relaxed));
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                requests.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
                Response::builder().status(status).body(Full::new(Bytes::new()))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// An invocation as the Runtime API tells of it.
pub(crate) fn call() -> Call {
    Call {
        event: None,
        request_id: "r-1".to_owned(),
        function_name: "checkout".to_owned(),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:checkout".to_owned(),
        tenant_id: None,
        xray: None,
        cold_start: false,
        event_bytes: 2,
        received: now(),
    }
}

/// The scope of an invocation without a sender.
pub(crate) fn scope() -> Scope {
    scope_in(&[])
}

/// The same in an environment.
pub(crate) fn scope_in(pairs: &[(&str, &str)]) -> Scope {
    let tracer = Tracer::new(&env(pairs), now);
    let reading = triggers::read(&Bytes::from_static(b"{}"), &Caller::default(), tracer.settings());
    Invocation::open(tracer, call(), reading).1
}

/// The spans of an invocation, which is over by that.
pub(crate) fn close(invocation: &Invocation) -> Vec<Span> {
    invocation.close().iter().map(EndedSpan::decode).collect()
}

/// A span that has ended.
pub(crate) fn ended(name: &str, attributes: impl IntoIterator<Item = KeyValue>) -> EndedSpan {
    let mut span = span::Span::start(root(None), None, SpanKind::Client, name, now());
    attributes.into_iter().for_each(|attribute| span.put(&attribute));
    span.end(now())
}

/// Makes `subscriber` the test's own, for as long as the guard lives.
///
/// Tests run side by side: while `tracing` knows a single dispatcher, a thread without one that comes to a callsite
/// first settles that nobody listens there. A second dispatcher makes it ask all of them.
pub(crate) fn subscribe(subscriber: impl Into<tracing::Dispatch>) -> (impl Drop, tracing::Dispatch) {
    let second = tracing::Dispatch::new(tracing_subscriber::registry());
    (tracing::dispatcher::set_default(&subscriber.into()), second)
}

/// What a subscriber of the program's own, which knows nothing of us, has written.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let writer = self.clone();
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let written = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        written.lines().map(str::to_owned).collect()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A span as the tables in `tests/spans` have it.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) attributes: Vec<String>,
}

impl From<&Span> for Expected {
    fn from(span: &Span) -> Self {
        let kind = format!("{:?}", span.kind()).to_uppercase();
        Self { name: span.name.clone(), kind, attributes: lines(&span.attributes) }
    }
}

/// A text attribute of a span.
pub(crate) fn text(span: &Span, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

/// The attributes as `key=value` lines, sorted.
pub(crate) fn lines(attributes: impl IntoIterator<Item: Borrow<KeyValue>>) -> Vec<String> {
    let line = |attribute: &KeyValue| format!("{}={}", attribute.key, value_text(attribute.value.as_ref()));
    let mut lines: Vec<String> = attributes.into_iter().map(|attribute| line(attribute.borrow())).collect();
    lines.sort();
    lines
}

/// The same of a record.
pub(crate) fn record_lines(record: &Record) -> Vec<String> {
    lines(record.attributes().map(|(key, value)| attribute(key, value)))
}

fn value_text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::ArrayValue(list)) => {
            let texts: Vec<_> = list.values.iter().map(|value| value_text(Some(value))).collect();
            format!("[{}]", texts.join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// An error that tells what was tried, not why it failed.
#[derive(Debug)]
pub(crate) struct Charging(pub(crate) std::fmt::Error);

impl std::fmt::Display for Charging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("charging")
    }
}

impl std::error::Error for Charging {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
