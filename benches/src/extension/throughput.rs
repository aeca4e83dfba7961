//! Spans a second through intake and export: as much as four connections can post, in requests of 100 spans, while the
//! extension has one core. What counts is what came to the backend, in a second and in a second of the extension's processor
//! time: on a small machine sender and backend need the same core.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use throughline_host::sandbox_folder;
use tokio::process::Command;

use super::{Contender, free_port};
use crate::cpu;
use crate::http_server::HttpServer;
use crate::progress::Progress;

const CONNECTIONS: usize = 4;
const SPANS: usize = 100;
/// How long it is posted to.
const LOAD: Duration = Duration::from_secs(3);
/// From the request for an event until it comes.
const NEXT: Duration = Duration::from_millis(5);
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Figures of one extension.
#[derive(Debug)]
pub(crate) struct Throughput {
    /// Spans that came to the backend in a second.
    pub(crate) spans_a_second: f64,
    /// The same in a second of processor time.
    pub(crate) spans_a_cpu_second: f64,
}

/// Runs the extension on the machine's first core, as `taskset` has it.
pub(super) async fn measure(contender: &Contender, progress: &Progress) -> anyhow::Result<Throughput> {
    progress.begin(&format!("{}, spans a second", contender.name), 1);
    let backend = HttpServer::sink().await?;
    let invoked = Arc::<AtomicU64>::default();
    let api = HttpServer::start(move |request| lambda(request, invoked.clone())).await?;
    let (port, runtime_api) = (free_port(), api.address.to_string());
    let mut extension = Command::new("taskset")
        .args(["-c", "0"])
        .arg(&contender.program)
        .env("AWS_LAMBDA_RUNTIME_API", &runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_REGION", "us-east-1")
        .envs(contender.variables(port, &format!("http://{}", backend.address)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run taskset")?;
    let request = request();
    let begun = Instant::now();
    let loads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let request = request.clone();
            tokio::task::spawn_blocking(move || post(port, &request, begun))
        })
        .collect();
    let mut answered = Duration::ZERO;
    for load in loads {
        answered = answered.max(load.await??);
    }
    let cpu = cpu::time(extension.id().context("the extension is gone")?)?;
    let spans = backend.spans()?.len();
    extension.kill().await?;
    let _ = std::fs::remove_dir_all(sandbox_folder(&runtime_api));
    ensure!(spans > 0, "{}: nothing came to the backend", contender.name);
    let spans = spans as f64;
    Ok(Throughput {
        spans_a_second: spans / answered.as_secs_f64(),
        spans_a_cpu_second: spans / cpu.as_secs_f64(),
    })
}

/// Posts again and again, and says for how long.
fn post(port: u16, request: &[u8], begun: Instant) -> io::Result<Duration> {
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let started = Instant::now();
    let mut answer = [0; 4096];
    while started.elapsed() < LOAD {
        stream.write_all(request)?;
        // An answer is a few hundred bytes at most: one read.
        if stream.read(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(started.elapsed())
}

/// A POST of spans as an SDK makes them: eight attributes each.
fn request() -> Arc<[u8]> {
    let attribute = |n: usize| KeyValue {
        key: format!("shop.attribute.{n}"),
        value: Some(AnyValue { value: Some(Value::StringValue(format!("value {n} of a span"))) }),
        ..KeyValue::default()
    };
    let span = |n: usize| Span {
        trace_id: vec![7; 16],
        span_id: (n as u64 + 1).to_be_bytes().to_vec(),
        name: "charge".to_owned(),
        kind: 3,
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_000_001_000_000,
        attributes: (0..8).map(attribute).collect(),
        ..Span::default()
    };
    let spans = (0..SPANS).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}

/// Invocations without an end; the next comes shortly after it was asked for, since there are extensions that export only then.
async fn lambda(request: Request<()>, invoked: Arc<AtomicU64>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let mut response = Response::new(Full::from("\"OK\""));
    if path.ends_with("/event/next") {
        tokio::time::sleep(NEXT).await;
        let number = invoked.fetch_add(1, Ordering::Relaxed);
        // 2200: no deadline comes near.
        let event = format!(
            r#"{{"eventType":"INVOKE","deadlineMs":7258118400000,"requestId":"bench-{number}","invokedFunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:bench","tracing":{{"type":"X-Amzn-Trace-Id","value":"Root=1-6affa697-000000000000000000000001"}}}}"#
        );
        *response.body_mut() = Full::from(event);
    }
    if path.ends_with("/register") {
        *response.body_mut() =
            Full::from(r#"{"functionName":"bench","functionVersion":"$LATEST","handler":"bootstrap"}"#);
        response.headers_mut().insert("lambda-extension-identifier", HeaderValue::from_static("bench"));
    }
    response
}
