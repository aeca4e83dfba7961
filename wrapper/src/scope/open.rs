//! The spans of a scope while they run: those of calls, of records and of the program.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::common::v1::KeyValue;

use crate::capture::{Capture, Taken};
use crate::invocation::Invocation;
use crate::span::{Failure, Span, Value, attribute};
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

    /// What is told of the bodies of calls.
    pub(crate) fn capture_calls(&self) -> &Capture {
        &self.invocation.settings().capture_calls
    }

    /// Tells the body of a call, once it is known whether the call failed.
    pub(crate) fn tell(&mut self, key: &str, body: Option<&Taken>) {
        if let (Some(span), Some(body)) = (&mut self.span, body) {
            self.invocation.settings().capture_calls.tell(span, key, body);
        }
    }

    /// Marks the span as failed, with an `exception` event.
    pub(crate) fn fail(&mut self, error_type: &str, message: &str) {
        let now = self.invocation.now();
        if let Some(span) = &mut self.span {
            span.fail_with(Failure::new(error_type, message).masked(&self.invocation.settings().keys), now);
        }
    }

    /// Marks the span as failed without an event of its own: there is one that says why.
    pub(crate) fn fail_quietly(&mut self, error_type: &str, message: &str) {
        if let Some(span) = &mut self.span {
            span.fail_quietly(error_type, &self.invocation.settings().keys.text(message));
        }
    }

    /// Adds an event of the program's.
    pub(crate) fn event(&mut self, name: &str, attributes: Vec<KeyValue>) {
        let (now, keys) = (self.invocation.now(), &self.invocation.settings().keys);
        if let Some(span) = &mut self.span {
            let masked = |told: KeyValue| attribute(&told.key, Value::from(&told).masked(&told.key, keys));
            span.event(keys.text(name), now, attributes.into_iter().map(masked).collect());
        }
    }

    /// Sets attributes of the program's.
    pub(crate) fn extend(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        let keys = &self.invocation.settings().keys;
        if let Some(span) = &mut self.span {
            for attribute in attributes {
                span.set(&attribute.key, Value::from(&attribute).masked(&attribute.key, keys));
            }
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
