//! The ids by which an invocation is found in the log.

use opentelemetry::trace::SpanContext;

use super::Invocation;

/// What a log line that is about an invocation bears, so that a query by any of the ids finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) span: &'a SpanContext,
    pub(crate) correlation_id: Option<&'a str>,
}

impl Invocation {
    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    pub(crate) fn ids(&self) -> Ids<'_> {
        let correlation_id = self.correlation_id.as_deref();
        Ids { request_id: &self.request_id, span: &self.context, correlation_id }
    }
}
