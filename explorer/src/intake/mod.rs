//! OTLP over HTTP on loopback, into a store: what OpenTelemetry's exporters send
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), protobuf and JSON, plain and gzipped. Spans are written before
//! they are acknowledged, log lines too; metrics are taken and forgotten. Of a request with spans that are none the others are
//! taken, and the answer says so. Who may send is asked in `guard.rs`.

mod body;
mod guard;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use throughline_store::{Store, Writer};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http_server;
use crate::otlp::{Rejected, retain_with_ids};
use body::Encoding;
pub(crate) use guard::Signal;
use guard::{Call, Refused};

/// The largest body, before and after decompression.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How long a write may take. Exporters wait for ten seconds
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
const PATIENCE: Duration = Duration::from_secs(8);
/// Seconds after which an exporter may ask again whose spans could not be written.
const RETRY: HeaderValue = HeaderValue::from_static("1");

/// Why a log line is not taken that is one.
const UNNAMED: &str = "a log line that names neither a trace nor a request is found by nobody";

/// Hears of what comes in.
pub(crate) trait Hear: Send + Sync {
    /// A request. What it makes of it is called when the spans are in the store.
    fn spans(&self, request: &ExportTraceServiceRequest) -> Box<dyn FnOnce() + Send>;

    /// Not all of a request was taken.
    fn rejected(&self, signal: Signal, rejected: &Rejected);

    /// A program spoke HTTP/2, as gRPC does: nothing of it was taken.
    fn http2(&self);
}

/// Takes what exporters send.
#[derive(Clone)]
pub(crate) struct Intake {
    /// One write at a time: totals are put as they stand, and the last must be the newest.
    writer: Arc<Mutex<Writer<Store>>>,
    hear: Arc<dyn Hear>,
}

impl Intake {
    pub(crate) fn new(writer: Writer<Store>, hear: impl Hear + 'static) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)), hear: Arc::new(hear) }
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let hear = self.hear.clone();
        let answer = move |request| self.clone().answer(request);
        http_server::serve_and_hear(listener, answer, move || hear.http2()).await;
    }

    async fn answer<B>(self, request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    {
        let (parts, body) = request.into_parts();
        let call = match guard::check(&parts) {
            Ok(call) => call,
            Err(refused) => return Ok(refusal(Encoding::Json, &refused)),
        };
        let taken = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => self.take(call, body.to_bytes()).await,
            Err(_) => {
                Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 16 MiB".to_owned()))
            }
        };
        Ok(match taken {
            Ok(rejected) => {
                if rejected.items > 0 {
                    self.hear.rejected(call.signal, &rejected);
                }
                response(StatusCode::OK, call.encoding, body::accepted(call.encoding, call.signal, &rejected))
            }
            Err(refused) => refusal(call.encoding, &refused),
        })
    }

    /// Tells what of it was not taken.
    async fn take(&self, call: Call, body: Bytes) -> Result<Rejected, Refused> {
        let refuse = |why: String| Refused(StatusCode::BAD_REQUEST, why);
        let plain = if call.gzipped { body::unzip(&body, MAX_BODY)? } else { body };
        let (now, deadline) = (SystemTime::now(), Instant::now() + PATIENCE);
        let unwritten = |error| Refused(StatusCode::SERVICE_UNAVAILABLE, format!("the store: {error}"));
        match call.signal {
            Signal::Traces => {
                let (mut request, mut rejected) = body::decode(&plain, call.encoding).map_err(refuse)?;
                retain_with_ids(&mut request, &mut rejected);
                let tell = self.hear.spans(&request);
                self.writer.lock().await.write_request(request, now, deadline).await.map_err(unwritten)?;
                tell();
                Ok(rejected)
            }
            Signal::Logs => {
                let (request, mut rejected) = body::decode(&plain, call.encoding).map_err(refuse)?;
                let written = self.writer.lock().await.write_logs(request, now, deadline).await;
                rejected.add(written.map_err(unwritten)?.unnamed as u64, UNNAMED);
                Ok(rejected)
            }
            Signal::Metrics => Ok(Rejected::default()),
        }
    }
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

fn refusal(encoding: Encoding, Refused(status, why): &Refused) -> Response<Full<Bytes>> {
    let mut response = response(*status, encoding, body::refused(encoding, why));
    if *status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY);
    }
    response
}

fn response(status: StatusCode, encoding: Encoding, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(encoding.content_type()));
    response
}

#[cfg(test)]
mod tests;
