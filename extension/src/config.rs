//! Configuration: a pure reading of `THROUGHLINE_*` variables.
//!
//! A bad value never stops the extension, for that would stop the function: it is told in one
//! [`Notice`] and a safe value takes its place.

mod aws;
mod exports;
mod facts;
mod store;

pub use exports::{Export, MOST_DESTINATIONS};

use crate::flush::{Policy, is_ample};
use crate::variables;
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

/// What the variables say.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `THROUGHLINE_ENABLED`: whether anything is kept and sent.
    pub enabled: bool,
    /// `THROUGHLINE_LISTEN`: the wanted port on 127.0.0.1; one of the next, if it is taken.
    pub listen: u16,
    /// `THROUGHLINE_BUFFER_BYTES`: the bound of each destination's queue.
    pub buffer_bytes: usize,
    /// `THROUGHLINE_BUDGET_MS`: how long a flush may hold up the next event.
    pub budget: Duration,
    /// `THROUGHLINE_FLUSH`: what may wait.
    pub flush: Policy,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`: whether there is processor enough to send beside the handler.
    pub ample: bool,
    /// `THROUGHLINE_EXPORT_*`: the destinations, at least one.
    pub exports: Vec<Export>,
    /// `THROUGHLINE_PHASES`, `THROUGHLINE_METRICS`, `THROUGHLINE_LOGS`, and which function this is.
    pub facts: crate::facts::Settings,
    /// Lambda Managed Instances: no INVOKE events and no freeze.
    pub managed_instances: bool,
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
    let mut config = Config {
        enabled: reader.enabled(),
        listen: reader.listen(),
        buffer_bytes: reader.number("THROUGHLINE_BUFFER_BYTES", BUFFER_BYTES, BUFFER_RANGE) as usize,
        budget: Duration::from_millis(reader.number("THROUGHLINE_BUDGET_MS", BUDGET_MS, BUDGET_RANGE)),
        flush: reader.flush(),
        ample: is_ample(reader.value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|size| size.parse().ok())),
        exports: reader.exports(),
        facts: crate::facts::Settings::default(),
        managed_instances: env.get("AWS_LAMBDA_INITIALIZATION_TYPE").map(String::as_str)
            == Some("lambda-managed-instances"),
    };
    // They go by where there is to send to.
    config.facts = reader.facts(&config.exports, config.managed_instances);
    reader.slips();
    (config, reader.notices)
}

struct Reader<'a> {
    env: &'a HashMap<String, String>,
    /// Where we listen if nothing else is said.
    port: u16,
    notices: Vec<Notice>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Names that are nearly those of variables. Their values are not told: they may be secrets.
    fn slips(&mut self) {
        let mut names: Vec<&String> = self.env.keys().collect();
        names.sort_unstable();
        for name in names {
            if let Some(variable) = variables::meant(name) {
                let message =
                    format!("is perhaps what {name} was meant to be, which is no variable and is not read");
                self.warn(variable, "", message);
            }
        }
    }

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
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
