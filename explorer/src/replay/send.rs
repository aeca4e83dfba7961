//! Requests to the backend, tried again as OTLP/HTTP has it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::time::{Instant, sleep, timeout};

use super::groups::Signal;
use super::target::Target;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause; each further one is twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// Of an answer no more is read.
const MAX_REPLY: usize = 64 * 1024;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The backend has it, but for so many items, for its reason.
    Taken { rejected: u64, why: String },
    /// It will never take it; in smaller parts it may.
    Refused { divisible: bool, why: String },
    /// It did not take it in all the time that there is.
    Failed(String),
}

enum Try {
    Over(Outcome),
    Again { after: Duration, why: String },
}

/// A backend.
pub(super) struct Sender {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Target,
    /// How long a request is tried again.
    retry_for: Duration,
    /// Requests that were sent again though the backend may have taken them.
    pub(super) unanswered: u64,
}

// === impl Sender ===

impl Sender {
    /// Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// When the machine has no certificates, which https needs.
    pub(super) fn new(target: Target, retry_for: Duration) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, target, retry_for, unanswered: 0 })
    }

    /// Sends until the backend has answered for good, or for as long as a request is tried.
    pub(super) async fn send(&mut self, signal: Signal, request: &[u8]) -> anyhow::Result<Outcome> {
        let body = gzip(request)?;
        let begun = Instant::now();
        let mut pause = FIRST;
        loop {
            let (after, why) = match self.try_once(signal, body.clone()).await? {
                Try::Over(outcome) => return Ok(outcome),
                Try::Again { after, why } => (after, why),
            };
            // Those who failed together do not come back together.
            let wait = pause.mul_f64(1.0 - 0.5 * fastrand::f64()).max(after);
            if begun.elapsed() + wait > self.retry_for {
                return Ok(Outcome::Failed(why));
            }
            sleep(wait).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    async fn try_once(&mut self, signal: Signal, body: Bytes) -> anyhow::Result<Try> {
        let (uri, headers) = self.target.of(signal);
        let mut request = Request::post(uri)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "gzip")
            .header(USER_AGENT, concat!("throughline-replay/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))?;
        request.headers_mut().extend(headers.clone());
        let again = |why: String| Try::Again { after: Duration::ZERO, why };
        let exchange = async {
            let (head, body) = self.http.request(request).await?.into_parts();
            let body = Limited::new(body, MAX_REPLY).collect().await;
            Ok::<_, hyper_util::client::legacy::Error>((
                head,
                body.map(|body| body.to_bytes()).unwrap_or_default(),
            ))
        };
        Ok(match timeout(PATIENCE, exchange).await {
            Ok(Ok((head, body))) => answered(head.status, &head.headers, &body, SystemTime::now()),
            Ok(Err(error)) => {
                self.unanswered += u64::from(!error.is_connect());
                again(causes(&error))
            }
            Err(_) => {
                self.unanswered += 1;
                again(format!("no answer in {} s", PATIENCE.as_secs()))
            }
        })
    }
}

/// What an answer means.
fn answered(status: StatusCode, headers: &HeaderMap, body: &Bytes, now: SystemTime) -> Try {
    if status.is_success() {
        // The three signals' answers have the same form.
        let partial = ExportTraceServiceResponse::decode(body.clone()).ok().and_then(|r| r.partial_success);
        let (rejected, why) = partial.map_or((0, String::new()), |p| (p.rejected_spans, p.error_message));
        return Try::Over(Outcome::Taken { rejected: rejected.try_into().unwrap_or(0), why });
    }
    let text: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(200).collect();
    let why = format!("the backend answered {status} {text}").trim_end().to_owned();
    match status.as_u16() {
        429 | 502 | 503 | 504 => Try::Again { after: retry_after(headers, now).unwrap_or_default(), why },
        code => Try::Over(Outcome::Refused { divisible: matches!(code, 400 | 413 | 422), why }),
    }
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

/// An error with what caused it: that of the client says only that it is one.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    std::io::Write::write_all(&mut encoder, body)?;
    Ok(encoder.finish()?.into())
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    fn answer(status: u16, after: Option<&'static str>, body: impl Into<Bytes>) -> Try {
        let headers =
            after.map(|after| (RETRY_AFTER, http::HeaderValue::from_static(after))).into_iter().collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_730);
        answered(StatusCode::from_u16(status).unwrap(), &headers, &body.into(), now)
    }

    #[test]
    fn answers_are_read_as_otlp_has_them() {
        for status in [429, 502, 503, 504] {
            assert!(
                matches!(answer(status, Some("7"), ""), Try::Again { after, .. } if after.as_secs() == 7)
            );
        }
        let date = answer(503, Some("Sun, 06 Nov 1994 08:49:37 GMT"), "");
        assert!(matches!(date, Try::Again { after, .. } if after.as_secs() == 47));
        for (status, parts) in [(400, true), (413, true), (401, false), (404, false), (500, false)] {
            let Try::Over(Outcome::Refused { divisible, .. }) = answer(status, None, "no") else {
                panic!("{status}")
            };
            assert_eq!(divisible, parts, "{status}");
        }
        let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "old".into() };
        let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        let taken = |rejected, why: &str| Outcome::Taken { rejected, why: why.into() };
        assert!(matches!(answer(200, None, body), Try::Over(outcome) if outcome == taken(2, "old")));
        assert!(matches!(answer(202, None, "{}"), Try::Over(outcome) if outcome == taken(0, "")));
    }
}
