//! Who may send: programs on this machine, and no web page that somebody looks at on it.
//!
//! A page can make the browser send requests to loopback. It can't choose the `Host` header: one that a name of its own
//! leads here (DNS rebinding) has that name in it. A browser says in `Origin` which page asks, with each POST. And what
//! OTLP's content types are, a page may send only if it is allowed to when the browser asks first (`OPTIONS`), which
//! nobody is (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, StatusCode};

use super::body::Encoding;

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

/// What is sent, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) gzipped: bool,
}

/// What is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Spans.
    Traces,
    /// Log lines.
    Logs,
    /// Metrics.
    Metrics,
}

impl Signal {
    /// How an answer calls the number of those that were not taken.
    pub(super) fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Logs => "rejectedLogRecords",
            Self::Metrics => "rejectedDataPoints",
        }
    }
}

/// What a request sends, if it may.
pub(super) fn check(parts: &Parts) -> Result<Call, Refused> {
    let refuse = |status, why: &str| Err(Refused(status, why.to_owned()));
    let header = |name| parts.headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
    if !is_here(parts) {
        return refuse(StatusCode::FORBIDDEN, "send to localhost or 127.0.0.1: other names are refused");
    }
    if parts.headers.contains_key(ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "web pages may not send here");
    }
    let signal = match parts.uri.path() {
        "/v1/traces" => Signal::Traces,
        "/v1/logs" => Signal::Logs,
        "/v1/metrics" => Signal::Metrics,
        _ => return refuse(StatusCode::NOT_FOUND, "there is /v1/traces, /v1/metrics and /v1/logs"),
    };
    if parts.method != Method::POST {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "POST alone is understood");
    }
    let Some(encoding) = header(CONTENT_TYPE).and_then(Encoding::of) else {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type is application/x-protobuf or application/json",
        );
    };
    let gzipped = match header(CONTENT_ENCODING).map(str::trim) {
        None | Some("" | "identity") => false,
        Some("gzip") => true,
        Some(_) => return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content encoding is gzip or none"),
    };
    Ok(Call { signal, encoding, gzipped })
}

/// Whether the request was sent to a name of loopback, and to no other beside it.
fn is_here(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).is_some_and(is_loopback);
    // A request for a proxy names its host in the address too.
    let address = parts.uri.authority().is_none_or(|authority| is_loopback(authority.as_str()));
    host && hosts.next().is_none() && address
}

/// Whether `host`, with or without a port, is loopback by its name alone.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || name.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json");

    fn asked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Call, StatusCode> {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        check(&request.body(()).unwrap().into_parts().0).map_err(|Refused(status, _)| status)
    }

    fn posted(headers: &[(&str, &str)]) -> Result<Call, StatusCode> {
        asked("POST", "/v1/traces", headers)
    }

    #[test]
    fn exporters_on_this_machine_may_send() {
        let call = |signal, encoding, gzipped| Ok(Call { signal, encoding, gzipped });
        let protobuf = ("content-type", "application/x-protobuf");
        for host in ["localhost:4318", "LOCALHOST", "127.0.0.1:4318", "127.1.2.3", "[::1]:4318"] {
            let host = ("host", host);
            let traces = call(Signal::Traces, Encoding::Protobuf, true);
            assert_eq!(posted(&[host, protobuf, ("content-encoding", "gzip")]), traces);
            assert_eq!(posted(&[host, JSON]), call(Signal::Traces, Encoding::Json, false));
            for (path, signal) in [("/v1/metrics", Signal::Metrics), ("/v1/logs", Signal::Logs)] {
                assert_eq!(asked("POST", path, &[host, JSON]), call(signal, Encoding::Json, false));
            }
        }
    }

    #[test]
    fn a_name_that_leads_here_is_refused() {
        for host in [
            "evil.example",
            "evil.example:4318",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "10.0.0.1:4318",
            "0.0.0.0:4318",
            "2130706433",
            "",
            "lo calhost",
        ] {
            assert_eq!(posted(&[("host", host), JSON]), Err(StatusCode::FORBIDDEN), "{host}");
        }
        assert_eq!(posted(&[JSON]), Err(StatusCode::FORBIDDEN), "no host");
        let two = [("host", "localhost"), ("host", "evil.example"), JSON];
        assert_eq!(posted(&two), Err(StatusCode::FORBIDDEN));
        let proxied = asked("POST", "http://evil.example/v1/traces", &[("host", "localhost"), JSON]);
        assert_eq!(proxied, Err(StatusCode::FORBIDDEN));
    }

    #[test]
    fn no_page_may_send() {
        let host = ("host", "localhost:4318");
        for origin in ["https://evil.example", "null", "http://localhost:4318", "http://localhost:3000"] {
            assert_eq!(posted(&[host, JSON, ("origin", origin)]), Err(StatusCode::FORBIDDEN), "{origin}");
        }
        // What a form may send without asking first.
        for simple in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let refused = Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            assert_eq!(posted(&[host, ("content-type", simple)]), refused, "{simple}");
        }
        assert_eq!(posted(&[host]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        // The browser asks before, and is not told yes.
        let ask = [host, ("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        assert_eq!(asked("OPTIONS", "/v1/traces", &ask), Err(StatusCode::FORBIDDEN));
        assert_eq!(asked("OPTIONS", "/v1/traces", &[host, JSON]), Err(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(asked("GET", "/v1/traces", &[host, JSON]), Err(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(asked("POST", "/", &[host, JSON]), Err(StatusCode::NOT_FOUND));
        let brotli = posted(&[host, JSON, ("content-encoding", "br")]);
        assert_eq!(brotli, Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }

    proptest! {
        #[test]
        fn no_other_name_is_loopback(name in "[a-z0-9.:@\\[\\]-]{0,24}") {
            let is_ours = name.starts_with("localhost") || name.starts_with("127.") || name.starts_with("[::1]")
                || name.starts_with("[0") || name.starts_with("[::");
            prop_assert!(is_ours || !is_loopback(&name), "{name}");
        }
    }
}
