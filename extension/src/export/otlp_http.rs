//! OTLP/HTTP, protobuf or JSON, with gzip.

use super::connector::Connector;
use super::signing::Signing;
use super::{Outcome, USER_AGENT, quote, retry};
use crate::buffer::Batch;
use crate::endpoint::Endpoint;
use crate::http::{Reply, exchange};
use crate::intake::{Encoding, encoding};
use crate::otlp::json;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncWrite};

/// Of a backend's answer no more is read.
const MAX_REPLY: usize = 64 * 1024;

/// A backend.
pub(super) struct OtlpHttp {
    endpoint: Endpoint,
    headers: HeaderMap,
    encoding: Encoding,
    connector: Connector,
    /// A request was sent, and no answer has come.
    unanswered: AtomicBool,
}

impl std::fmt::Debug for OtlpHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OtlpHttp").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Why nothing came back.
enum Failure {
    Connect(std::io::Error),
    Tls(String),
    Http(String),
    /// There is no way to write the request.
    Unwritable(String),
}

// === impl OtlpHttp ===

impl OtlpHttp {
    /// Connects to nothing yet.
    pub(super) fn new(
        endpoint: Endpoint,
        headers: HeaderMap,
        encoding: Encoding,
        connector: Connector,
    ) -> Self {
        Self { endpoint, headers, encoding, connector, unanswered: AtomicBool::new(false) }
    }

    /// Sends a batch over a connection of its own, which is closed when the returned future ends or is
    /// dropped.
    pub(super) async fn send(&mut self, batch: &Batch) -> Outcome {
        match self.exchange(batch, None).await {
            Ok(reply) => self.outcome(&reply),
            Err(outcome) => outcome,
        }
    }

    /// Sends a batch, signed if need be; without an answer there is an outcome nevertheless.
    pub(super) async fn exchange(
        &self,
        batch: &Batch,
        signing: Option<Signing<'_>>,
    ) -> Result<Reply, Outcome> {
        let told = |why: &dyn std::fmt::Display| format!("{}: {why}", self.endpoint);
        self.post(batch, signing).await.map_err(|failure| match failure {
            Failure::Connect(error) if error.kind() == ErrorKind::ConnectionRefused => {
                Outcome::Unreachable(told(&error))
            }
            Failure::Connect(error) => Outcome::Failed { after: None, why: told(&error) },
            Failure::Tls(why) | Failure::Http(why) => Outcome::Failed { after: None, why: told(&why) },
            Failure::Unwritable(why) => Outcome::Refused { divisible: true, why },
        })
    }

    /// Whether the last request may have arrived although nobody said so; asked once.
    pub(super) fn take_unanswered(&self) -> bool {
        self.unanswered.swap(false, Relaxed)
    }

    /// What an answer means, as it may be told: some backends quote the key that they refuse.
    pub(super) fn outcome(&self, reply: &Reply) -> Outcome {
        let secrets = self.headers.values().filter_map(|value| value.to_str().ok());
        let secrets: Vec<&str> = secrets.chain(self.endpoint.query()).collect();
        outcome(reply, &secrets)
    }

    async fn post(&self, batch: &Batch, signing: Option<Signing<'_>>) -> Result<Reply, Failure> {
        let stream = self.connector.reach(&self.endpoint).await.map_err(Failure::Connect)?;
        // Compressed only now: a backend that is gone costs no more than finding that out.
        let request = self.request(batch, signing).map_err(Failure::Unwritable)?;
        if !self.endpoint.tls() {
            return self.talk(stream, request).await;
        }
        let stream = self.connector.shake_hands(self.endpoint.host(), stream).await.map_err(Failure::Tls)?;
        self.talk(stream, request).await
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Failure> {
        self.unanswered.store(true, Relaxed);
        let reply = exchange(stream, request, MAX_REPLY).await;
        let reply = reply.map_err(|error| Failure::Http(error.to_string()))?;
        self.unanswered.store(false, Relaxed);
        Ok(reply)
    }

    fn request(&self, batch: &Batch, signing: Option<Signing<'_>>) -> Result<Request<Full<Bytes>>, String> {
        let (kind, body) = match self.encoding {
            Encoding::Protobuf => ("application/x-protobuf", gzip(&batch.body())),
            Encoding::Json => {
                let text = json::from_protobuf(batch.signal, &batch.body()).map_err(|why| why.to_string())?;
                ("application/json", gzip(text.as_bytes()))
            }
        };
        let mut request = Request::post(self.endpoint.target(batch.signal))
            .header(header::HOST, self.endpoint.authority())
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_ENCODING, "gzip")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body.clone()))
            .map_err(|error| error.to_string())?;
        request.headers_mut().extend(self.headers.clone());
        if let Some(signing) = signing {
            signing.sign(&mut request, &body, SystemTime::now())?;
        }
        // A connection serves one request; tell the backend, so that it does not wait either.
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok(request)
    }
}

/// Reads the answer as the OTLP specification has it, and hides these secrets in what is told of it.
fn outcome(reply: &Reply, secrets: &[&str]) -> Outcome {
    let quoted = |text: &str| -> String {
        let text = quote::without(text, secrets);
        text.chars().filter(|c| !c.is_control()).take(200).collect()
    };
    if reply.status.is_success() {
        if is_page(reply) {
            // A proxy's or a portal's: whoever it was, it kept nothing.
            let why = format!("answered {} with a page for people; is it an OTLP endpoint?", reply.status);
            return Outcome::Failed { after: None, why };
        }
        let (rejected, why) = partial_success(reply).unwrap_or_default();
        return Outcome::Delivered { rejected: u64::try_from(rejected).unwrap_or(0), why: quoted(&why) };
    }
    let why =
        format!("the backend answered {}: {}", reply.status, quoted(&String::from_utf8_lossy(&reply.body)));
    if retry::is_transient(reply.status) {
        let after = retry::retry_after(&reply.headers, SystemTime::now());
        return Outcome::Failed { after, why };
    }
    Outcome::Refused { divisible: matches!(reply.status.as_u16(), 400 | 413 | 422), why }
}

/// Whether it is HTML.
fn is_page(reply: &Reply) -> bool {
    let kind =
        reply.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    !reply.body.is_empty() && kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}

/// How many items were rejected, and why, in either encoding. The three signals' answers have the same form.
fn partial_success(reply: &Reply) -> Option<(i64, String)> {
    if encoding(&reply.headers) != Some(Encoding::Json) {
        let response = ExportTraceServiceResponse::decode(reply.body.clone()).ok()?;
        return response.partial_success.map(|partial| (partial.rejected_spans, partial.error_message));
    }
    let response: Value = serde_json::from_slice(&reply.body).ok()?;
    let partial = response.get("partialSuccess")?;
    let rejected =
        ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"].map(|name| match &partial[name] {
            // 64-bit numbers are strings in protobuf's JSON.
            Value::String(digits) => digits.parse().unwrap_or(0),
            number => number.as_i64().unwrap_or(0),
        });
    let why = partial["errorMessage"].as_str().unwrap_or_default().to_owned();
    Some((rejected.into_iter().max().unwrap_or(0), why))
}

pub(super) fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
#[path = "otlp_http_tests.rs"]
mod tests;
