//! Configuration: a pure reading of `THROUGHLINE_*` variables.
//!
//! A bad value never stops the extension, for that would stop the function: it is told in one
//! [`Notice`] and a safe value takes its place.

use crate::endpoint::{Endpoint, mask};
use crate::flush::{Policy, is_ample};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// OTLP/HTTP's own port (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-default-port>).
const LISTEN: u16 = 4318;
const BUFFER_BYTES: u64 = 4 * 1024 * 1024;
const BUFFER_RANGE: RangeInclusive<u64> = 64 * 1024..=1024 * 1024 * 1024;
const BUDGET_MS: u64 = 250;
const BUDGET_RANGE: RangeInclusive<u64> = 1..=60_000;
/// Headers that are ours or the connection's to set.
const RESERVED: [HeaderName; 6] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

/// What the variables say.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `THROUGHLINE_ENABLED`: whether anything is kept and sent.
    pub enabled: bool,
    /// `THROUGHLINE_LISTEN`: the wanted port on 127.0.0.1; one of the next, if it is taken.
    pub listen: u16,
    /// `THROUGHLINE_BUFFER_BYTES`: the buffer's bound.
    pub buffer_bytes: usize,
    /// `THROUGHLINE_BUDGET_MS`: how long a flush may hold up the next event.
    pub budget: Duration,
    /// `THROUGHLINE_FLUSH`: what may wait.
    pub flush: Policy,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`: whether there is processor enough to send beside the handler.
    pub ample: bool,
    /// `THROUGHLINE_EXPORT_ENDPOINT` and `THROUGHLINE_EXPORT_HEADERS`.
    pub export: Export,
    /// Lambda Managed Instances: no INVOKE events and no freeze.
    pub managed_instances: bool,
}

/// Where telemetry goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Export {
    /// OTLP/JSON lines on stdout.
    Stdout,
    /// OTLP/HTTP with protobuf.
    Otlp(Endpoint, HeaderMap),
}

/// One line to log about the configuration. Values of secrets are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether the value is wrong, or the line only tells what a default means.
    pub warning: bool,
    /// The variable.
    pub variable: &'static str,
    /// Its value, masked; empty if it is not set.
    pub value: String,
    /// What is wrong and what is used instead.
    pub message: String,
}

/// Reads the configuration from `env` and tells what is odd about it. Where a `collector` is a neighbour (see
/// [`neighbours::has_collector`](crate::neighbours::has_collector)), the usual port is its own: it ends with an error if
/// somebody else has it, and the function with it.
pub fn parse(env: &HashMap<String, String>, collector: bool) -> (Config, Vec<Notice>) {
    let port = if collector { LISTEN + 1 } else { LISTEN };
    let mut reader = Reader { env, port, notices: Vec::new() };
    let config = Config {
        enabled: reader.enabled(),
        listen: reader.listen(),
        buffer_bytes: reader.number("THROUGHLINE_BUFFER_BYTES", BUFFER_BYTES, BUFFER_RANGE) as usize,
        budget: Duration::from_millis(reader.number("THROUGHLINE_BUDGET_MS", BUDGET_MS, BUDGET_RANGE)),
        flush: reader.flush(),
        ample: is_ample(reader.value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|size| size.parse().ok())),
        export: reader.export(),
        managed_instances: env.get("AWS_LAMBDA_INITIALIZATION_TYPE").map(String::as_str)
            == Some("lambda-managed-instances"),
    };
    reader.protocol();
    (config, reader.notices)
}

struct Reader<'a> {
    env: &'a HashMap<String, String>,
    /// Where we listen if nothing else is said.
    port: u16,
    notices: Vec<Notice>,
}

// === impl Config ===

impl Config {
    /// Keeps the extension from exporting to itself, which would go round for ever. `listening` is
    /// where it takes OTLP.
    pub fn refuse_own_listener(&mut self, listening: SocketAddr) -> Option<Notice> {
        match &self.export {
            Export::Otlp(endpoint, _) if endpoint.is_loopback() && endpoint.port() == listening.port() => {
                let value = endpoint.to_string();
                self.export = Export::Stdout;
                Some(Notice {
                    warning: true,
                    variable: "THROUGHLINE_EXPORT_ENDPOINT",
                    value,
                    message: "is where the extension itself listens; spans go to stdout instead".into(),
                })
            }
            _ => None,
        }
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// The value, if it is set to something.
    fn value(&self, variable: &str) -> Option<&'a str> {
        self.env.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn warn(&mut self, variable: &'static str, value: impl Into<String>, message: impl Into<String>) {
        let (value, message) = (value.into(), message.into());
        self.notices.push(Notice { warning: true, variable, value, message });
    }

    fn enabled(&mut self) -> bool {
        match self.value("THROUGHLINE_ENABLED") {
            None => true,
            Some(value) => match value.to_ascii_lowercase().as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => {
                    self.warn("THROUGHLINE_ENABLED", value, "is neither true nor false; true is used");
                    true
                }
            },
        }
    }

    fn listen(&mut self) -> u16 {
        const NAME: &str = "THROUGHLINE_LISTEN";
        let Some(value) = self.value(NAME) else { return self.port };
        let default = format!("127.0.0.1:{} is used", self.port);
        match value.replacen("localhost:", "127.0.0.1:", 1).parse::<SocketAddr>() {
            Ok(address) if address.ip() == std::net::Ipv4Addr::LOCALHOST => return address.port(),
            Ok(_) => self.warn(NAME, value, format!("is not on 127.0.0.1, and only that is safe; {default}")),
            Err(_) => self.warn(NAME, value, format!("is not an address like 127.0.0.1:4318; {default}")),
        }
        self.port
    }

    fn number(&mut self, variable: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        match self.value(variable).map(|value| (value, value.parse::<u64>())) {
            None => default,
            Some((_, Ok(number))) if range.contains(&number) => number,
            Some((value, _)) => {
                let (low, high) = range.into_inner();
                let message = format!("is not a whole number from {low} to {high}; {default} is used");
                self.warn(variable, value, message);
                default
            }
        }
    }

    fn flush(&mut self) -> Policy {
        const NAME: &str = "THROUGHLINE_FLUSH";
        let Some(value) = self.value(NAME) else { return Policy::Adaptive };
        Policy::parse(value).unwrap_or_else(|| {
            self.warn(NAME, value, "is not end, deferred, adaptive or interval=20s; adaptive is used");
            Policy::Adaptive
        })
    }

    fn export(&mut self) -> Export {
        const NAME: &str = "THROUGHLINE_EXPORT_ENDPOINT";
        let headers = self.headers();
        let Some(value) = self.value(NAME) else {
            self.notices.push(Notice {
                warning: false,
                variable: NAME,
                value: String::new(),
                message: "is not set: spans are written to stdout as OTLP JSON lines".into(),
            });
            return Export::Stdout;
        };
        let (first, more) = value.split_once(',').map_or((value, false), |(first, _)| (first.trim(), true));
        if more {
            self.warn(NAME, mask(value), "names several endpoints; only the first is used");
        }
        if first.eq_ignore_ascii_case("stdout") {
            return Export::Stdout;
        }
        match Endpoint::parse(first) {
            Ok(endpoint) => Export::Otlp(endpoint, headers),
            Err(why) => {
                self.warn(NAME, mask(first), format!("{why}; spans go to stdout instead"));
                Export::Stdout
            }
        }
    }

    /// `key=value` pairs separated by commas, values percent-encoded, as in
    /// `OTEL_EXPORTER_OTLP_HEADERS`. A bad pair is left out; the others stand.
    fn headers(&mut self) -> HeaderMap {
        const NAME: &str = "THROUGHLINE_EXPORT_HEADERS";
        let mut headers = HeaderMap::new();
        for pair in self.value(NAME).unwrap_or_default().split(',').map(str::trim).filter(|p| !p.is_empty()) {
            // Without a `=` the whole may be a secret.
            let Some((key, value)) = pair.split_once('=') else {
                self.warn(NAME, "***", "has a part without `=`; that part is left out");
                continue;
            };
            let key = key.trim();
            let value = percent_encoding::percent_decode_str(value.trim()).collect::<Vec<u8>>();
            match (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_bytes(&value)) {
                (Ok(name), _) if RESERVED.contains(&name) => {
                    self.warn(NAME, format!("{key}=***"), "sets a header that is not free; it is left out");
                }
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                _ => self.warn(NAME, format!("{key}=***"), "is not a valid header; it is left out"),
            }
        }
        headers
    }

    fn protocol(&mut self) {
        const NAME: &str = "THROUGHLINE_EXPORT_PROTOCOL";
        if let Some(value) = self.value(NAME).filter(|value| *value != "http/protobuf") {
            self.warn(NAME, value, "is not supported; http/protobuf is used");
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
