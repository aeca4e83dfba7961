//! Where telemetry goes: `THROUGHLINE_EXPORT_*`.

use super::{Config, Notice, Reader, aws};
use crate::endpoint::{Endpoint, mask};
use crate::export::{Aws, Store};
use crate::intake::Encoding;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::net::SocketAddr;

const ENDPOINT: &str = "THROUGHLINE_EXPORT_ENDPOINT";
/// Destinations that are named at most.
const MOST: usize = 4;
/// With the trace store; each has a queue.
pub const MOST_DESTINATIONS: usize = MOST + 1;
/// For all destinations, then for each alone.
const HEADERS: [&str; 1 + MOST] = [
    "THROUGHLINE_EXPORT_HEADERS",
    "THROUGHLINE_EXPORT_HEADERS_1",
    "THROUGHLINE_EXPORT_HEADERS_2",
    "THROUGHLINE_EXPORT_HEADERS_3",
    "THROUGHLINE_EXPORT_HEADERS_4",
];
/// As of the headers.
const PROTOCOL: [&str; 1 + MOST] = [
    "THROUGHLINE_EXPORT_PROTOCOL",
    "THROUGHLINE_EXPORT_PROTOCOL_1",
    "THROUGHLINE_EXPORT_PROTOCOL_2",
    "THROUGHLINE_EXPORT_PROTOCOL_3",
    "THROUGHLINE_EXPORT_PROTOCOL_4",
];
/// Headers that are ours or the connection's to set.
const RESERVED: [HeaderName; 6] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

/// A destination.
#[derive(Debug, Clone, PartialEq)]
pub enum Export {
    /// OTLP/JSON lines on stdout.
    Stdout,
    /// OTLP/HTTP.
    Otlp {
        /// Where.
        endpoint: Endpoint,
        /// What each request has besides; the values are secrets.
        headers: HeaderMap,
        /// Protobuf or JSON.
        encoding: Encoding,
    },
    /// CloudWatch.
    Aws(Box<Aws>),
    /// The trace store.
    Store(Box<Store>),
}

// === impl Export ===

/// The name in log lines: without secrets.
impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Export::Stdout => f.write_str("stdout"),
            Export::Otlp { endpoint, .. } => endpoint.fmt(f),
            Export::Aws(_) => f.write_str("aws"),
            Export::Store(store) => write!(f, "dynamodb:{}", store.table),
        }
    }
}

impl Export {
    /// What the extension itself tells goes there, by [`Signal::index`](crate::otlp::Signal::index), as far as its name tells
    /// what it takes. To stdout go no log records: lines that the function wrote there are there.
    pub fn takers(&self) -> [bool; 3] {
        match self {
            Export::Stdout => [true, true, false],
            Export::Otlp { endpoint, .. } => [true, !endpoint.is_of_traces(), !endpoint.is_of_traces()],
            Export::Aws(_) | Export::Store(_) => [true, false, true],
        }
    }
}

// === impl Config ===

impl Config {
    /// Keeps the extension from exporting to itself, which would go round for ever. `listening` is
    /// where it takes OTLP.
    pub fn refuse_own_listener(&mut self, listening: SocketAddr) -> Option<Notice> {
        let is_at = |endpoint: &Endpoint| endpoint.is_loopback() && endpoint.port() == listening.port();
        let is_own = |export: &Export| match export {
            Export::Otlp { endpoint, .. } => is_at(endpoint),
            Export::Aws(aws) => is_at(&aws.traces) || is_at(&aws.logs),
            Export::Store(store) => is_at(&store.endpoint),
            Export::Stdout => false,
        };
        let value = self.exports.iter().find(|export| is_own(export))?.to_string();
        self.exports.retain(|export| !is_own(export));
        let instead = if self.exports.is_empty() { "spans go to stdout instead" } else { "it is left out" };
        if self.exports.is_empty() {
            self.exports.push(Export::Stdout);
        }
        let message = format!("is where the extension itself listens; {instead}");
        Some(Notice { warning: true, variable: ENDPOINT, value, message })
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// The destinations, at least one. The trace store is the last; with it nothing goes to stdout that is not named.
    pub(super) fn exports(&mut self) -> Vec<Export> {
        let headers = self.headers(HEADERS[0]);
        let encoding = self.encoding(PROTOCOL[0], Encoding::Protobuf);
        let named: Vec<&str> = self.value(ENDPOINT).unwrap_or_default().split(',').map(str::trim).collect();
        let named: Vec<&str> = named.into_iter().filter(|text| !text.is_empty()).collect();
        let store = self.store();
        let instead = match &store {
            Some(_) => "spans go to the trace store alone",
            None => "spans go to stdout instead",
        };
        if named.is_empty() && store.is_none() {
            self.notices.push(Notice {
                warning: false,
                variable: ENDPOINT,
                value: String::new(),
                message: "is not set: spans are written to stdout as OTLP JSON lines".into(),
            });
        }
        if named.len() > MOST {
            let message = format!("names {} destinations; the first {MOST} are used", named.len());
            self.warn(ENDPOINT, mask(named[MOST]), message);
        }
        let mut exports = Vec::new();
        for (at, text) in named.iter().take(MOST).enumerate() {
            let own = self.headers(HEADERS[at + 1]);
            let encoding = self.encoding(PROTOCOL[at + 1], encoding);
            let destination = if text.eq_ignore_ascii_case("aws") {
                // A key for the others is none of its business.
                aws::read(&|variable| self.value(variable), own, encoding)
            } else {
                let mut headers = headers.clone();
                headers.extend(own);
                destination(text, headers, encoding)
            };
            match destination {
                Ok(export) if exports.contains(&export) => {
                    self.warn(ENDPOINT, mask(text), "is named twice; once is used");
                }
                Ok(export) => exports.push(export),
                Err(why) if named.len() == 1 => {
                    self.warn(ENDPOINT, mask(text), format!("{why}; {instead}"));
                }
                Err(why) => {
                    self.warn(ENDPOINT, mask(text), format!("{why}; the other destinations are used"))
                }
            }
        }
        let of_nobody = (named.len().min(MOST) + 1..=MOST).flat_map(|at| [HEADERS[at], PROTOCOL[at]]);
        for variable in of_nobody.filter(|variable| self.value(variable).is_some()).collect::<Vec<_>>() {
            self.warn(
                variable,
                "***",
                format!("is of a destination that {ENDPOINT} does not name; it is not used"),
            );
        }
        exports.extend(store.map(|store| Export::Store(Box::new(store))));
        if exports.is_empty() {
            exports.push(Export::Stdout);
        }
        exports
    }

    /// `key=value` pairs separated by commas, values percent-encoded, as in
    /// `OTEL_EXPORTER_OTLP_HEADERS`. A bad pair is left out; the others stand.
    fn headers(&mut self, variable: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let value = self.value(variable).unwrap_or_default();
        for pair in value.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            // Without a `=` the whole may be a secret.
            let Some((key, value)) = pair.split_once('=') else {
                self.warn(variable, "***", "has a part without `=`; that part is left out");
                continue;
            };
            let key = key.trim();
            let value = percent_encoding::percent_decode_str(value.trim()).collect::<Vec<u8>>();
            match (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_bytes(&value)) {
                (Ok(name), _) if RESERVED.contains(&name) => {
                    let message = "sets a header that is not free; it is left out";
                    self.warn(variable, format!("{key}=***"), message);
                }
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                _ => self.warn(variable, format!("{key}=***"), "is not a valid header; it is left out"),
            }
        }
        headers
    }

    fn encoding(&mut self, variable: &'static str, default: Encoding) -> Encoding {
        match self.value(variable) {
            None => default,
            Some("http/protobuf") => Encoding::Protobuf,
            Some("http/json") => Encoding::Json,
            Some(value) => {
                self.warn(variable, value, "is neither http/protobuf nor http/json; http/protobuf is used");
                Encoding::Protobuf
            }
        }
    }
}

fn destination(text: &str, headers: HeaderMap, encoding: Encoding) -> Result<Export, &'static str> {
    if text.eq_ignore_ascii_case("stdout") {
        return Ok(Export::Stdout);
    }
    Ok(Export::Otlp { endpoint: Endpoint::parse(text)?, headers, encoding })
}

#[cfg(test)]
#[path = "exports_tests.rs"]
mod tests;
