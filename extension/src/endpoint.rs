//! The address of an OTLP/HTTP backend.

use crate::otlp::Signal;
use http::Uri;
use std::fmt;
use std::net::IpAddr;

/// Where to send, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    tls: bool,
    host: String,
    port: u16,
    /// The path before `/v1/…`, without a slash at its end.
    base: String,
    query: Option<String>,
    /// The URL is that of the traces themselves.
    of_traces: bool,
}

// === impl Endpoint ===

impl Endpoint {
    /// Reads an `http://` or `https://` URL. `/v1/traces` is added to its path, and may be there already.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL, to be put after its name in a sentence.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("does not begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("holds user and password, which belong into THROUGHLINE_EXPORT_HEADERS");
        }
        let host = authority.host();
        if host.is_empty() {
            return Err("has no host");
        }
        // `Authority::port` is silent about a number that is too large.
        let port = match authority.as_str().strip_prefix(host).unwrap_or_default().strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or("has no valid port")?,
            None if tls => 443,
            None => 80,
        };
        let path = uri.path().trim_end_matches('/');
        let base =
            Signal::ALL.into_iter().find_map(|signal| path.strip_suffix(signal.path())).unwrap_or(path);
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            base: base.trim_end_matches('/').to_owned(),
            query: uri.query().map(str::to_owned),
            of_traces: path.ends_with(Signal::Traces.path()),
        })
    }

    /// Whether it is `https`.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// The host's name or address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The `host` header: with the port unless it is the scheme's own.
    pub fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// Path and query of a signal's requests.
    pub fn target(&self, signal: Signal) -> String {
        let query = self.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{}{query}", self.base, signal.path())
    }

    /// The path of a service that has but one.
    pub fn path(&self) -> &str {
        if self.base.is_empty() { "/" } else { &self.base }
    }

    /// The query, which may hold a key.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether it was named by the URL of the traces themselves. What functions send goes there all the same; what nobody
    /// has sent does not.
    pub fn is_of_traces(&self) -> bool {
        self.of_traces
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
    }
}

/// As it may be logged: without the query, which may hold a key.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let query = if self.query.is_some() { "?***" } else { "" };
        write!(f, "{scheme}://{}:{}{}{query}", self.host, self.port, self.base)
    }
}

/// Hides what may be secret in the text of a URL that could not be read, user information and query, and
/// cuts what remains: cut first, a long password would have lost the `@` that tells it.
pub fn mask(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, rest)| format!("***@{rest}"));
    let rest = rest.split_once('?').map_or(rest.clone(), |(rest, _)| format!("{rest}?***"));
    let masked = if scheme.is_empty() { rest } else { format!("{scheme}://{rest}") };
    masked.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, mask};
    use crate::otlp::Signal;

    #[test]
    fn the_path_of_the_signal_is_added_once() {
        for (text, target) in [
            ("http://host", "/v1/traces"),
            ("http://host/", "/v1/traces"),
            ("http://host:4318/v1/traces", "/v1/traces"),
            ("https://host/otlp/", "/otlp/v1/traces"),
            ("https://host/otlp/v1/traces/", "/otlp/v1/traces"),
            ("https://host/otlp?key=1", "/otlp/v1/traces?key=1"),
        ] {
            assert_eq!(Endpoint::parse(text).expect(text).target(Signal::Traces), target, "{text}");
        }
        let traces = Endpoint::parse("http://host/v1/traces").expect("valid");
        assert_eq!(traces.target(Signal::Logs), "/v1/logs");
        assert!(traces.is_of_traces() && !Endpoint::parse("http://host").expect("valid").is_of_traces());
    }

    #[test]
    fn ports_and_hosts() {
        let plain = Endpoint::parse("https://api.example.com").expect("valid");
        assert_eq!((plain.tls(), plain.port(), plain.authority().as_str()), (true, 443, "api.example.com"));
        let v6 = Endpoint::parse("http://[::1]:4318").expect("valid");
        assert_eq!((v6.host(), v6.authority().as_str(), v6.is_loopback()), ("::1", "[::1]:4318", true));
        for (text, loopback) in [
            ("http://localhost:1", true),
            ("http://127.9.9.9", true),
            ("http://0.0.0.0", true),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Endpoint::parse(text).expect(text).is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        for bad in [
            "",
            "host:4318",
            "ftp://host",
            "http://",
            "http://host:99999",
            "http://u:p@host",
            "http://a b",
            "aws",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        assert_eq!(mask("https://user:pa@ss@host/x?key=1"), "https://***@host/x?***");
        assert_eq!(mask("host?key=1"), "host?***");
        let long = "s".repeat(300);
        assert_eq!(mask(&format!("https://user:{long}@host?key={long}")), "https://***@host?***");
        assert_eq!(mask(&long).len(), 200, "a log line stays a line");
        let endpoint = Endpoint::parse("https://host/x?key=1").expect("valid");
        assert_eq!(endpoint.to_string(), "https://host:443/x?***");
    }
}
