//! OTLP as bytes: what a request holds, without decoding it into structs.
//!
//! An `Export…ServiceRequest` is nothing but a repeated field 1, so two requests of one signal are
//! merged by putting their bytes one after the other. That is all the extension needs to batch; what
//! it must know besides (how many spans, which invocation ended) [`inspect`] reads in passing.
//! Structs are made only where JSON is taken or written ([`json`]).

mod invocations;
pub mod json;
mod schema;
mod split;
mod wire;

pub use invocations::{InvocationSpan, first_trace, invocations};
pub use split::{largest_item, split, split_within};
pub use wire::{Findings, Malformed, inspect};

/// One of the three OTLP signals; they travel apart, on paths of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Spans, `/v1/traces`.
    Traces,
    /// Metrics, `/v1/metrics`.
    Metrics,
    /// Log records, `/v1/logs`.
    Logs,
}

impl Signal {
    /// All signals, in the order of their [`index`](Signal::index).
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// The path that OTLP/HTTP gives this signal.
    pub const fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// What the items of this signal are called in log lines.
    pub const fn items(self) -> &'static str {
        match self {
            Signal::Traces => "spans",
            Signal::Metrics => "metrics",
            Signal::Logs => "log records",
        }
    }

    /// The signal that is taken on `path`, if any.
    pub fn of_path(path: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.path() == path)
    }

    /// A small number for tables with a row for each signal.
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Signal;

    #[test]
    fn every_signal_is_found_by_its_path_and_stands_at_its_index() {
        for (at, signal) in Signal::ALL.into_iter().enumerate() {
            assert_eq!(Signal::of_path(signal.path()), Some(signal));
            assert_eq!(signal.index(), at);
        }
        assert_eq!(Signal::of_path("/v1/traces/"), None);
    }
}
