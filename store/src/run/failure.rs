//! Why something failed.

use serde::{Deserialize, Serialize};

use super::card::{cut_to, kept};
use crate::span::Span;

/// The longest message of an error that is kept beside the spans, in bytes.
const MAX_MESSAGE: usize = 240;

/// Why something failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// A name that one can count by: `error.type`.
    pub kind: String,
    /// What it says, cut.
    pub message: String,
}

/// What type of error it is, without its path: `PaymentError` of `payment_worker::PaymentError`, as Rust tells them.
///
/// ```
/// use throughline_store::last_name;
/// assert_eq!(last_name("payment_worker::PaymentError"), "PaymentError");
/// assert_eq!(last_name("Sandbox.Timedout"), "Sandbox.Timedout");
/// assert_eq!(last_name("tokio::Wrapped<std::io::Error>"), "tokio::Wrapped<std::io::Error>", "a path has no brackets");
/// ```
#[must_use]
pub fn last_name(kind: &str) -> &str {
    kind.rsplit("::").next().filter(|name| !name.is_empty() && !kind.contains('<')).unwrap_or(kind)
}

impl Failure {
    /// Type and message in a line: `Timeout: no answer`; of an error without a message its type alone.
    ///
    /// ```
    /// use throughline_store::Failure;
    /// let failure = |message: &str| Failure { kind: "Timeout".to_owned(), message: message.to_owned() };
    /// assert_eq!(failure("no answer").said(), "Timeout: no answer");
    /// assert_eq!(failure("").said(), "Timeout");
    /// ```
    #[must_use]
    pub fn said(&self) -> String {
        let Self { kind, message } = self;
        if message.is_empty() { kind.clone() } else { format!("{kind}: {message}") }
    }

    /// Why a span failed, if it did.
    pub(crate) fn of(span: &Span) -> Option<Self> {
        Some(Self::told(span, span.error()?))
    }

    /// The last error that a span had and does not say itself, if it had one.
    pub(crate) fn swallowed(span: &Span) -> Option<Self> {
        (span.swallowed() > 0).then(|| Self::told(span, ""))
    }

    fn told(span: &Span, message: &str) -> Self {
        let exceptions = || span.events.iter().rev().filter(|event| event.name == "exception");
        let told = |name| exceptions().find_map(|event| event.attributes.get(name));
        let kind = span.attribute("error.type").or_else(|| told("exception.type").map(String::as_str));
        // Conventions before `error.type` have the status alone.
        let status = ["http.response.status_code", "http.status_code"];
        let kind = kind.or_else(|| status.iter().find_map(|name| span.attribute(name)));
        let message =
            if message.is_empty() { told("exception.message").map_or("", String::as_str) } else { message };
        Self {
            kind: kept(kind.unwrap_or("_OTHER")).to_owned(),
            message: cut_to(message, MAX_MESSAGE).to_owned(),
        }
    }
}
