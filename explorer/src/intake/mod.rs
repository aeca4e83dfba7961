//! OTLP over HTTP on loopback, into a store: what OpenTelemetry's exporters send
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), protobuf and JSON, plain and gzipped. Spans are written before
//! they are acknowledged, log lines too; metrics are taken and forgotten. Who may send is asked in `guard.rs`.

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
use body::Encoding;
use guard::{Call, Refused, Signal};

/// The largest body, before and after decompression.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How long a write may take. Exporters wait for ten seconds
/// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
const PATIENCE: Duration = Duration::from_secs(8);
/// Seconds after which an exporter may ask again whose spans could not be written.
const RETRY: HeaderValue = HeaderValue::from_static("1");

/// Hears of each request, and what it makes of it is called when the spans are in the store.
pub(crate) type Hear = Arc<dyn Fn(&ExportTraceServiceRequest) -> Box<dyn FnOnce() + Send> + Send + Sync>;

/// Takes what exporters send.
#[derive(Clone)]
pub(crate) struct Intake {
    /// One write at a time: totals are put as they stand, and the last must be the newest.
    writer: Arc<Mutex<Writer<Store>>>,
    hear: Hear,
}

impl Intake {
    pub(crate) fn new(writer: Writer<Store>, hear: Hear) -> Self {
        Self { writer: Arc::new(Mutex::new(writer)), hear }
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        http_server::serve(listener, move |request| self.clone().answer(request)).await;
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
            Ok(()) => response(StatusCode::OK, call.encoding, body::accepted(call.encoding)),
            Err(refused) => refusal(call.encoding, &refused),
        })
    }

    async fn take(&self, call: Call, body: Bytes) -> Result<(), Refused> {
        let refuse = |why: String| Refused(StatusCode::BAD_REQUEST, why);
        let plain = if call.gzipped { body::unzip(&body, MAX_BODY)? } else { body };
        let (now, deadline) = (SystemTime::now(), Instant::now() + PATIENCE);
        let unwritten = |error| Refused(StatusCode::SERVICE_UNAVAILABLE, format!("the store: {error}"));
        match call.signal {
            Signal::Traces => {
                let request: ExportTraceServiceRequest =
                    body::decode(&plain, call.encoding).map_err(refuse)?;
                let tell = (self.hear)(&request);
                self.writer.lock().await.write_request(request, now, deadline).await.map_err(unwritten)?;
                tell();
            }
            Signal::Logs => {
                let request = body::decode(&plain, call.encoding).map_err(refuse)?;
                self.writer.lock().await.write_logs(request, now, deadline).await.map_err(unwritten)?;
            }
            Signal::Metrics => {}
        }
        Ok(())
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
