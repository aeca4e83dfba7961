//! Why something failed.

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::value::{self, attribute};

/// Why a span failed, or what went wrong in it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) error_type: String,
    pub(crate) message: String,
    /// Where in the code it began, innermost first, as far as that is known.
    pub(crate) stacktrace: Option<String>,
}

impl Failure {
    /// Of a type that says nothing, such as a boxed error's, the type is the convention's `_OTHER`.
    pub(crate) fn new(error_type: &str, message: &str) -> Self {
        let error_type = if error_type.contains("dyn ") { "_OTHER" } else { error_type };
        Self { error_type: error_type.to_owned(), message: value::cut(message).to_owned(), stacktrace: None }
    }

    /// As an `exception` event has it
    /// (<https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/>).
    pub(crate) fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        let stacktrace = self.stacktrace.as_deref();
        [
            attribute("exception.type", self.error_type.as_str()),
            attribute("exception.message", self.message.as_str()),
        ]
        .into_iter()
        .chain(stacktrace.map(|stacktrace| attribute("exception.stacktrace", stacktrace)))
    }
}
