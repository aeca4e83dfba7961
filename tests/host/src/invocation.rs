//! One invocation: what goes in, what comes out.

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

/// An event on its way to the function, with what travels beside it.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The event's bytes; JSON in all of Lambda's own shapes, but nothing here depends on it.
    pub payload: Bytes,
    /// The X-Ray header; a fresh, well-formed, sampled one if `None`.
    pub trace_header: Option<String>,
    /// The client context of a direct invocation, as the JSON text that the runtime receives.
    pub client_context: Option<String>,
    /// After how many bytes of a streamed response the client goes away; `None` if it stays.
    pub client_leaves_after: Option<usize>,
}

impl Invocation {
    /// With this X-Ray header instead of a fresh one.
    pub fn trace_header(mut self, header: impl Into<String>) -> Self {
        self.trace_header = Some(header.into());
        self
    }

    /// With a client that goes away when it has so many bytes of a streamed response.
    pub fn client_leaves_after(mut self, bytes: usize) -> Self {
        self.client_leaves_after = Some(bytes);
        self
    }

    /// With this client context.
    pub fn client_context(mut self, context: impl Into<String>) -> Self {
        self.client_context = Some(context.into());
        self
    }
}

impl From<Value> for Invocation {
    fn from(event: Value) -> Self {
        Self { payload: event.to_string().into(), ..Self::default() }
    }
}

impl From<Bytes> for Invocation {
    fn from(payload: Bytes) -> Self {
        Self { payload, ..Self::default() }
    }
}

/// What an invocation gave, and the request id under which it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request id; each attempt has its own.
    pub request_id: String,
    /// Response or failure.
    pub outcome: Outcome,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function's response.
    Response(Bytes),
    /// An error that the function reported, or that the host found: a time-out, a crash.
    Failed(FunctionError),
}

impl Outcome {
    /// The response as JSON; `None` for a failure or a response that is not JSON.
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::Response(body) => serde_json::from_slice(body).ok(),
            Self::Failed(_) => None,
        }
    }

    /// The failure, if it is one.
    pub fn error(&self) -> Option<&FunctionError> {
        match self {
            Self::Response(_) => None,
            Self::Failed(error) => Some(error),
        }
    }
}

/// A function error, as Lambda reports it to the invoker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// `errorType`.
    pub kind: String,
    /// `errorMessage`.
    pub message: String,
}

impl FunctionError {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into() }
    }

    /// From the body that a runtime posts; a body that is not the documented JSON becomes the message.
    pub(crate) fn from_body(body: &[u8], kind: Option<&str>) -> Self {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        let member = |name: &str| parsed.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: member("errorType").or_else(|| kind.map(str::to_owned)).unwrap_or_else(|| "Error".into()),
            message: member("errorMessage").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
        }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// Why a sandbox ends, in Lambda's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Not needed any more.
    Spindown,
    /// An invocation outlived its deadline.
    Timeout,
    /// A process died.
    Failure,
}

impl ShutdownReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// A fresh X-Ray header with all that Lambda's own have: root, parent, sampled.
pub(crate) fn fresh_trace_header(now_ms: u64) -> String {
    let random = || fastrand::u64(1..);
    format!(
        "Root=1-{:08x}-{:016x}{:08x};Parent={:016x};Sampled=1",
        now_ms / 1000,
        random(),
        random() as u32,
        random()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_headers_are_well_formed() {
        let header = fresh_trace_header(1_795_139_223_112);
        let parts: Vec<&str> = header.split(';').collect();
        let root: Vec<&str> = parts[0].strip_prefix("Root=").unwrap().split('-').collect();
        assert_eq!(root[..2], ["1", "6affa697"]);
        assert_eq!(root[2].len(), 24);
        assert_eq!(parts[1].strip_prefix("Parent=").unwrap().len(), 16);
        assert_eq!(parts[2], "Sampled=1");
    }

    #[test]
    fn reads_the_error_that_a_runtime_posts() {
        let error = FunctionError::from_body(br#"{"errorType":"Boom","errorMessage":"no"}"#, Some("x"));
        assert_eq!(error, FunctionError::new("Boom", "no"));
        assert_eq!(FunctionError::from_body(b"plain", Some("T")), FunctionError::new("T", "plain"));
    }
}
