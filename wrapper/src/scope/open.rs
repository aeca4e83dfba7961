//! The spans of a scope while they run: those of calls, of records and of the program.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::invocation::Invocation;
use crate::span::{Span, Value};
use crate::swallowed::Swallowed;

/// A span that runs. It ends when it is dropped, so that none is lost where a future is cancelled.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    pub(super) invocation: Arc<Invocation>,
    pub(super) span: Option<Span>,
    /// Where its failure is noted; `None` where it is told anyway.
    pub(super) inside: Option<Arc<Swallowed>>,
}

impl OpenSpan {
    pub(crate) fn context(&self) -> SpanContext {
        self.span.as_ref().map_or_else(SpanContext::empty_context, |span| span.context().clone())
    }

    /// Writes the span down in the flight recorder, once it is described: a process that is killed leaves it there.
    pub(crate) fn write_down(&self) {
        if let Some(span) = &self.span {
            self.invocation.write_down_begun(span);
        }
    }

    pub(crate) fn set<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) {
        if let Some(span) = &mut self.span {
            span.set(key, value);
        }
    }

    /// Marks the span as failed, with an `exception` event.
    pub(crate) fn fail(&mut self, error_type: &str, message: &str) {
        let now = self.invocation.now();
        if let Some(span) = &mut self.span {
            span.fail(error_type, message, now);
        }
    }

    /// Marks the span as failed without an event of its own: there is one that says why.
    pub(crate) fn fail_quietly(&mut self, error_type: &str, message: &str) {
        if let Some(span) = &mut self.span {
            span.fail_quietly(error_type, message);
        }
    }

    pub(crate) fn event(&mut self, name: &str, attributes: Vec<KeyValue>) {
        let now = self.invocation.now();
        if let Some(span) = &mut self.span {
            span.event(name, now, attributes);
        }
    }

    /// Sets attributes that are made already.
    pub(crate) fn extend(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        if let Some(span) = &mut self.span {
            attributes.into_iter().for_each(|attribute| span.put(&attribute));
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            if let (Some(swallowed), Some(failure)) = (&self.inside, span.failure()) {
                let (id, now) = (span.context().span_id(), self.invocation.now());
                swallowed.note(id, span.parent(), failure.clone(), now);
            }
            let ended = span.end(self.invocation.now());
            self.invocation.keep(ended);
        }
    }
}
