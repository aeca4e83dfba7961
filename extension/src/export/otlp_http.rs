//! OTLP/HTTP with protobuf and gzip.

use super::{Outcome, retry};
use crate::buffer::Batch;
use crate::endpoint::Endpoint;
use crate::http::{Reply, exchange};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Of a backend's answer no more is read.
const MAX_REPLY: usize = 64 * 1024;

/// A backend.
pub struct OtlpHttp {
    endpoint: Endpoint,
    headers: HeaderMap,
    /// Made at the first send: reading the machine's certificates takes longer than the whole start.
    tls: Option<TlsConnector>,
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
}

// === impl OtlpHttp ===

impl OtlpHttp {
    /// Connects to nothing yet.
    pub fn new(endpoint: Endpoint, headers: HeaderMap) -> Self {
        Self { endpoint, headers, tls: None }
    }

    /// Sends a batch over a connection of its own, which is closed when the returned future ends or is
    /// dropped.
    pub async fn send(&mut self, batch: &Batch) -> Outcome {
        match self.post(batch).await {
            Ok(reply) => outcome(&reply),
            Err(Failure::Connect(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                Outcome::Unreachable(format!("{}: {error}", self.endpoint))
            }
            Err(Failure::Connect(error)) => {
                Outcome::Failed { after: None, why: format!("{}: {error}", self.endpoint) }
            }
            Err(Failure::Tls(why) | Failure::Http(why)) => {
                Outcome::Failed { after: None, why: format!("{}: {why}", self.endpoint) }
            }
        }
    }

    async fn post(&mut self, batch: &Batch) -> Result<Reply, Failure> {
        let address = (self.endpoint.host(), self.endpoint.port());
        let stream = TcpStream::connect(address).await.map_err(Failure::Connect)?;
        let _ = stream.set_nodelay(true);
        // Compressed only now: a backend that is gone costs no more than finding that out.
        let request = self.request(batch).map_err(|error| Failure::Http(error.to_string()))?;
        if !self.endpoint.tls() {
            return talk(stream, request).await;
        }
        let name = ServerName::try_from(self.endpoint.host().to_owned())
            .map_err(|error| Failure::Tls(error.to_string()))?;
        let stream =
            self.tls()?.connect(name, stream).await.map_err(|error| Failure::Tls(error.to_string()))?;
        talk(stream, request).await
    }

    fn request(&self, batch: &Batch) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::post(self.endpoint.target(batch.signal))
            .header(header::HOST, self.endpoint.authority())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "gzip")
            .header(header::USER_AGENT, concat!("throughline-extension/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(gzip(&batch.body())))?;
        request.headers_mut().extend(self.headers.clone());
        // A connection serves one request; tell the backend, so that it does not wait either.
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok(request)
    }

    fn tls(&mut self) -> Result<&TlsConnector, Failure> {
        if self.tls.is_none() {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| Failure::Tls(error.to_string()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            self.tls = Some(TlsConnector::from(Arc::new(config)));
        }
        self.tls.as_ref().ok_or_else(|| Failure::Tls("no TLS".into()))
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Failure> {
    exchange(stream, request, MAX_REPLY).await.map_err(|error| Failure::Http(error.to_string()))
}

/// Reads the answer as the OTLP specification has it.
fn outcome(reply: &Reply) -> Outcome {
    if reply.status.is_success() {
        // The three signals' answers have the same form: what was rejected, and why.
        let partial =
            ExportTraceServiceResponse::decode(reply.body.clone()).ok().and_then(|r| r.partial_success);
        let (rejected, why) = partial.map_or((0, String::new()), |p| (p.rejected_spans, p.error_message));
        return Outcome::Delivered { rejected: u64::try_from(rejected).unwrap_or(0), why };
    }
    let text: String =
        String::from_utf8_lossy(&reply.body).chars().filter(|c| !c.is_control()).take(200).collect();
    let why = format!("the backend answered {}: {text}", reply.status);
    if retry::is_transient(reply.status) {
        let after = retry::retry_after(&reply.headers, SystemTime::now());
        return Outcome::Failed { after, why };
    }
    Outcome::Refused { divisible: matches!(reply.status.as_u16(), 400 | 413 | 422), why }
}

pub(super) fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, outcome};
    use crate::http::Reply;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };
    use prost::Message as _;
    use std::time::Duration;

    fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
        let status = StatusCode::from_u16(status).expect("a status");
        Reply { status, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn success_may_be_partial() {
        let whole = Outcome::Delivered { rejected: 0, why: String::new() };
        for body in [&b""[..], b"{}", b"\xff\xff"] {
            assert_eq!(outcome(&reply(200, body)), whole);
        }
        assert_eq!(outcome(&reply(202, "")), whole);
        let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".into() };
        let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(outcome(&reply(200, body)), Outcome::Delivered { rejected: 2, why: "too old".into() });
    }

    #[test]
    fn busy_backends_are_asked_again_when_they_say() {
        let mut busy = reply(503, "later");
        busy.headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
        let Outcome::Failed { after, why } = outcome(&busy) else { panic!("transient") };
        assert_eq!(after, Some(Duration::from_secs(3)));
        assert!(why.contains("503") && why.contains("later"), "{why}");
    }

    #[test]
    fn other_errors_are_final() {
        for (status, parts) in [(400, true), (413, true), (401, false), (404, false), (500, false)] {
            let Outcome::Refused { divisible, .. } = outcome(&reply(status, "")) else {
                panic!("{status} is final")
            };
            assert_eq!(divisible, parts, "{status}");
        }
    }
}
