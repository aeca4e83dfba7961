//! An OTLP/HTTP client over one kept-alive connection.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as HttpClient, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;

use crate::diagnostics::{causes, warn_once};

/// Where requests go, and with which headers.
#[derive(Clone, Debug)]
pub(super) struct Target {
    uri: Uri,
    headers: HeaderMap,
}

impl Target {
    /// The extension on its port.
    pub(super) fn loopback(port: u16) -> Self {
        let uri =
            Uri::builder().scheme("http").authority(format!("127.0.0.1:{port}")).path_and_query("/v1/traces");
        Self { uri: uri.build().unwrap_or_default(), headers: HeaderMap::new() }
    }

    /// An endpoint as configured; `/v1/traces` is added unless the address is that of the signal itself
    /// (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).
    pub(super) fn endpoint(address: &str, whole: bool) -> Result<Self, String> {
        let base = address.trim().trim_end_matches('/');
        let full =
            if whole || base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
        let uri: Uri = full.parse().map_err(|_| "it is not an address".to_owned())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") if cfg!(feature = "tls") => {}
            Some("https") => return Err("https needs the feature 'tls' of the crate throughline".to_owned()),
            _ => return Err("it is not an http:// or https:// address".to_owned()),
        }
        Ok(Self { uri, headers: HeaderMap::new() })
    }

    /// Adds headers in the form `name=value,name=value`, values percent-encoded. Wrong ones are left out.
    pub(super) fn with_headers(mut self, pairs: &str) -> Self {
        for pair in pairs.split(',').filter(|pair| !pair.trim().is_empty()) {
            let parsed = pair.split_once('=').and_then(|(name, value)| {
                let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
                let mut value = HeaderValue::from_str(&value).ok()?;
                value.set_sensitive(true);
                Some((name.trim().parse::<HeaderName>().ok()?, value))
            });
            match parsed {
                Some((name, value)) => {
                    self.headers.insert(name, value);
                }
                None => {
                    warn_once("a header of the OTLP endpoint is not of the form name=value: it is left out")
                }
            }
        }
        self
    }

    /// One that no client can be made for, as where TLS has no root certificates.
    #[cfg(test)]
    pub(super) fn broken() -> Self {
        Self { uri: Uri::from_static("ftp://collector"), headers: HeaderMap::new() }
    }

    /// Host and port, for log lines: what else stands in an address may be a secret.
    fn place(&self) -> String {
        let host = self.uri.host().unwrap_or("the endpoint");
        self.uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(super) fn is_loopback(&self) -> bool {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Accepted,
    /// Somebody is there, and did not take it.
    Refused,
    /// The same, but may take it later (<https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes>).
    Busy,
    /// Nobody listens.
    Unreachable,
    /// No answer came in time.
    Unanswered,
}

/// A connection that is kept, and made anew when it is gone.
#[derive(Debug)]
pub(super) struct Client {
    target: Target,
    http: Http,
}

impl Client {
    /// `None`, with one log line, if TLS can't be set up.
    pub(super) fn new(target: Target) -> Option<Self> {
        match Http::new(&target.uri) {
            Ok(http) => Some(Self { target, http }),
            Err(why) => {
                warn_once(&format!("no OTLP client for {}: {why}", target.place()));
                None
            }
        }
    }

    /// Whether it sends to the extension: an endpoint in a function is never loopback.
    pub(super) fn is_of_extension(&self) -> bool {
        self.target.is_loopback()
    }

    /// Posts `body`, within `budget`.
    pub(super) async fn send(&self, body: Bytes, budget: Duration) -> Sent {
        let (sent, why) = match tokio::time::timeout(budget, self.post(body)).await {
            Ok(Ok(())) => return Sent::Accepted,
            Ok(Err((sent, why))) => (sent, why),
            Err(_) => (Sent::Unanswered, "it did not answer in time".to_owned()),
        };
        warn_once(&format!("spans were not accepted by {}: {why}", self.target.place()));
        sent
    }

    async fn post(&self, body: Bytes) -> Result<(), (Sent, String)> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.uri.clone();
        *request.headers_mut() = self.target.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let response = self.http.request(request).await.map_err(|error| {
            let sent = if error.is_connect() { Sent::Unreachable } else { Sent::Refused };
            (sent, causes(&error))
        })?;
        let status = response.status();
        // A connection is used again only when its answer was read.
        let _ = response.into_body().collect().await;
        let sent = match status.as_u16() {
            200..300 => return Ok(()),
            429 | 502..=504 => Sent::Busy,
            _ => Sent::Refused,
        };
        Err((sent, format!("it answered {status}")))
    }
}

fn http_connector() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http
}

/// The connection pool, with TLS where the target asks for it. Loopback never pays for root certificates.
#[derive(Debug)]
enum Http {
    Plain(HttpClient<HttpConnector, Full<Bytes>>),
    #[cfg(feature = "tls")]
    Tls(HttpClient<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl Http {
    fn new(uri: &Uri) -> Result<Self, String> {
        let mut builder = HttpClient::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(1);
        #[cfg(feature = "tls")]
        if uri.scheme_str() == Some("https") {
            let mut http = http_connector();
            http.enforce_http(false);
            let tls = hyper_rustls::HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                .map_err(|error| format!("no root certificates: {error}"))?;
            return Ok(Self::Tls(builder.build(tls.https_only().enable_http1().wrap_connector(http))));
        }
        if uri.scheme_str() == Some("http") {
            Ok(Self::Plain(builder.build(http_connector())))
        } else {
            Err("no TLS".to_owned())
        }
    }

    fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        match self {
            Self::Plain(http) => http.request(request),
            #[cfg(feature = "tls")]
            Self::Tls(http) => http.request(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_gets_the_path_of_the_signal_unless_it_has_it() {
        for (address, whole, uri) in [
            ("http://collector:4318", false, "http://collector:4318/v1/traces"),
            ("http://collector:4318/otlp/", false, "http://collector:4318/otlp/v1/traces"),
            ("http://collector:4318/v1/traces", false, "http://collector:4318/v1/traces"),
            ("http://collector:4318/ingest", true, "http://collector:4318/ingest"),
        ] {
            assert_eq!(Target::endpoint(address, whole).unwrap().uri.to_string(), uri);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        for address in ["", "collector:4318", "ftp://collector", "http://", "not an address"] {
            assert!(Target::endpoint(address, false).is_err(), "{address}");
        }
    }

    #[test]
    fn loopback_is_known_in_all_its_forms() {
        for (address, loopback) in [
            ("http://localhost:4318", true),
            ("http://127.0.0.1:4318", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:4318", true),
            ("http://10.0.0.1:4318", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(Target::endpoint(address, false).unwrap().is_loopback(), loopback, "{address}");
        }
    }

    #[test]
    fn no_log_line_shows_a_password() {
        let target = Target::endpoint("http://user:s3cret@collector:4318/x?key=s3cret", true).unwrap();
        assert_eq!(target.place(), "collector:4318");
        assert!(!Target::endpoint("htp://user:s3cret@collector", false).unwrap_err().contains("s3cret"));
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let target = Target::loopback(4318).with_headers("api-key=a%20b, broken ,x=1");
        assert_eq!(target.headers.get("api-key").unwrap(), "a b");
        assert_eq!(target.headers.len(), 2);
        assert!(!format!("{target:?}").contains("a b"));
    }
}
