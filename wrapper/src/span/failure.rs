//! Why something failed.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::value::{self, MAX_TEXT, attribute};
use crate::mask::Keys;

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
        // Twice what is told, so that a secret at its end is whole when it is looked for.
        let message = message.get(..message.floor_char_boundary(2 * MAX_TEXT)).unwrap_or_default();
        Self { error_type: error_type.to_owned(), message: message.to_owned(), stacktrace: None }
    }

    /// The same without its secrets, as it may be told. What Lambda and the program are told is the error itself.
    pub(crate) fn masked(self, keys: &Keys) -> Self {
        let masked = |text: String| match keys.text(&text) {
            Cow::Owned(masked) => masked,
            Cow::Borrowed(_) => text,
        };
        Self {
            error_type: masked(self.error_type),
            message: masked(self.message),
            stacktrace: self.stacktrace.map(masked),
        }
    }

    /// The same with as much of its message as is told.
    pub(super) fn cut(mut self) -> Self {
        self.message.truncate(value::cut(&self.message).len());
        self
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
