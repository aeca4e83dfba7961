//! Spans for tests.

use super::{Link, Span, Status};

/// A span of `function`, from 0 to 1 ms.
pub(crate) fn span(trace: &str, id: &str, parent: Option<&str>, function: &str) -> Span {
    Span {
        trace_id: trace.to_owned(),
        span_id: id.to_owned(),
        parent_id: parent.map(str::to_owned),
        function: function.to_owned(),
        name: function.to_owned(),
        end: 1_000_000,
        ..Span::default()
    }
}

/// What is said of a span.
pub(crate) trait Told: Sized {
    fn with(self, name: &str, value: &str) -> Self;
    fn named(self, name: &str) -> Self;
    fn triggered_by(self, source: &str) -> Self;
    fn failed(self, message: &str) -> Self;
    fn at(self, start_ms: u64, end_ms: u64) -> Self;
    fn linked(self, trace: &str, id: &str) -> Self;
}

impl Told for Span {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.insert(name.to_owned(), value.to_owned());
        self
    }

    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn triggered_by(self, source: &str) -> Self {
        self.with("throughline.source", source)
    }

    fn failed(mut self, message: &str) -> Self {
        self.status = Status::Error(message.to_owned());
        self
    }

    fn at(mut self, start_ms: u64, end_ms: u64) -> Self {
        (self.start, self.end) = (start_ms * 1_000_000, end_ms * 1_000_000);
        self
    }

    fn linked(mut self, trace: &str, id: &str) -> Self {
        self.links.push(Link { trace_id: trace.to_owned(), span_id: id.to_owned() });
        self
    }
}
