//! The span model: OTLP's own `Span`, built in place, so that an ended span needs no conversion.

mod resource;

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{self as otlp, status::StatusCode};
use prost::Message as _;

pub(crate) use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
pub(crate) use resource::resource;

/// The longest text of one attribute or status, in bytes; more is cut at a character.
const MAX_TEXT: usize = 8 * 1024;
/// The most links of one span: OpenTelemetry's own default
/// (<https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits>).
const MAX_LINKS: usize = 128;
/// Room for as many attributes as most spans have, so that none moves while they are put.
const ATTRIBUTES: usize = 16;
/// The most events of one span, likewise.
const MAX_EVENTS: usize = 128;

/// A span that has begun. It becomes an OTLP span when it is ended.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    context: SpanContext,
    inner: otlp::Span,
}

impl Span {
    /// Begins a span with the ids of `context` under `parent`, at `start`.
    pub(crate) fn start(
        context: SpanContext,
        parent: Option<&SpanContext>,
        kind: SpanKind,
        name: impl Into<String>,
        start: SystemTime,
    ) -> Self {
        let inner = otlp::Span {
            trace_id: context.trace_id().to_bytes().to_vec(),
            span_id: context.span_id().to_bytes().to_vec(),
            parent_span_id: parent
                .filter(|parent| parent.span_id() != SpanId::INVALID)
                .map(|parent| parent.span_id().to_bytes().to_vec())
                .unwrap_or_default(),
            trace_state: context.trace_state().header(),
            flags: flags(&context, parent.is_some_and(SpanContext::is_remote)),
            kind: kind.into(),
            name: name.into(),
            start_time_unix_nano: unix_nanos(start),
            attributes: Vec::with_capacity(ATTRIBUTES),
            ..otlp::Span::default()
        };
        Self { context, inner }
    }

    pub(crate) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Sets an attribute; a key that is there already gets the new value.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.put(attribute(key, value));
    }

    /// Sets an attribute that is made already.
    pub(crate) fn put(&mut self, attribute: KeyValue) {
        match self.inner.attributes.iter_mut().find(|known| known.key == attribute.key) {
            Some(known) => *known = attribute,
            None => self.inner.attributes.push(attribute),
        }
    }

    pub(crate) fn extend(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        self.inner.attributes.extend(attributes);
    }

    /// Adds a link with an attribute, if it has one; a link beyond the bound is counted instead.
    pub(crate) fn link(&mut self, to: &SpanContext, attribute: impl FnOnce() -> Option<KeyValue>) {
        if self.inner.links.len() >= MAX_LINKS {
            self.inner.dropped_links_count += 1;
            return;
        }
        self.inner.links.push(otlp::span::Link {
            trace_id: to.trace_id().to_bytes().to_vec(),
            span_id: to.span_id().to_bytes().to_vec(),
            trace_state: to.trace_state().header(),
            flags: flags(to, to.is_remote()),
            attributes: attribute().into_iter().collect(),
            ..otlp::span::Link::default()
        });
    }

    /// Adds an event; one beyond the bound is counted instead.
    pub(crate) fn event(&mut self, name: impl Into<String>, at: SystemTime, attributes: Vec<KeyValue>) {
        if self.inner.events.len() >= MAX_EVENTS {
            self.inner.dropped_events_count += 1;
            return;
        }
        self.inner.events.push(otlp::span::Event {
            time_unix_nano: unix_nanos(at),
            name: name.into(),
            attributes,
            ..otlp::span::Event::default()
        });
    }

    /// Marks the span as failed, with an `exception` event
    /// (<https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/>).
    ///
    /// A type that says nothing, such as a boxed error's, becomes the convention's `_OTHER`.
    pub(crate) fn fail(&mut self, error_type: &str, message: &str, at: SystemTime) {
        let error_type = if error_type.contains("dyn ") { "_OTHER" } else { error_type };
        self.set("error.type", error_type);
        let attributes =
            vec![attribute("exception.type", error_type), attribute("exception.message", message)];
        self.event("exception", at, attributes);
        self.set_error(message);
    }

    /// Marks the span as failed.
    pub(crate) fn set_error(&mut self, message: &str) {
        self.inner.status =
            Some(otlp::Status { message: cut(message.to_owned()), code: StatusCode::Error.into() });
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.inner.status.is_some()
    }

    /// Bytes on the wire as it stands.
    pub(crate) fn size(&self) -> usize {
        self.inner.encoded_len()
    }

    pub(crate) fn end(mut self, at: SystemTime) -> otlp::Span {
        self.inner.end_time_unix_nano = unix_nanos(at).max(self.inner.start_time_unix_nano);
        self.inner
    }
}

/// A value of an attribute.
#[derive(Clone, Debug)]
pub(crate) struct Value(any_value::Value);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(any_value::Value::StringValue(cut(text)))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self(any_value::Value::IntValue(number))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self(any_value::Value::DoubleValue(number))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self(any_value::Value::BoolValue(truth))
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        let values = texts.into_iter().map(|text| AnyValue { value: Some(Self::from(text).0) }).collect();
        Self(any_value::Value::ArrayValue(ArrayValue { values }))
    }
}

/// An attribute as OTLP has it.
pub(crate) fn attribute(key: &str, value: impl Into<Value>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value.into().0) }),
        ..KeyValue::default()
    }
}

/// Nanoseconds since 1970, zero for times before.
pub(crate) fn unix_nanos(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// W3C flags, and whether the parent is remote (bits 8 and 9 of OTLP's `flags`).
fn flags(context: &SpanContext, remote: bool) -> u32 {
    u32::from(context.trace_flags().to_u8()) | 0x100 | if remote { 0x200 } else { 0 }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagation::root;

    #[test]
    fn a_failed_span_says_why_and_a_long_text_is_cut_at_a_character() {
        let context = root(None);
        let mut span = Span::start(context, None, SpanKind::Server, "f", UNIX_EPOCH);
        span.fail("E", &"é".repeat(MAX_TEXT), UNIX_EPOCH);
        let ended = span.end(UNIX_EPOCH);
        let status = ended.status.unwrap();
        assert_eq!((status.code(), status.message.len()), (StatusCode::Error, MAX_TEXT));
        assert_eq!(ended.events[0].name, "exception");
        assert!(ended.parent_span_id.is_empty());
    }

    #[test]
    fn events_beyond_the_bound_are_counted() {
        let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
        (0..=MAX_EVENTS).for_each(|_| span.event("e", UNIX_EPOCH, Vec::new()));
        let ended = span.end(UNIX_EPOCH);
        assert_eq!((ended.events.len(), ended.dropped_events_count), (MAX_EVENTS, 1));
    }

    #[test]
    fn setting_a_key_again_replaces_its_value() {
        let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
        span.set("k", 1_i64);
        span.set("k", 2_i64);
        assert_eq!(span.end(UNIX_EPOCH).attributes, vec![attribute("k", 2_i64)]);
    }

    #[test]
    fn a_type_that_says_nothing_is_another() {
        let mut span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", UNIX_EPOCH);
        span.fail("&alloc::boxed::Box<dyn core::error::Error>", "why", UNIX_EPOCH);
        assert_eq!(span.end(UNIX_EPOCH).attributes, vec![attribute("error.type", "_OTHER")]);
    }

    #[test]
    fn an_end_before_the_start_is_the_start() {
        let start = UNIX_EPOCH + std::time::Duration::from_secs(9);
        let span = Span::start(SpanContext::empty_context(), None, SpanKind::Client, "c", start);
        let ended = span.end(UNIX_EPOCH);
        assert_eq!(ended.start_time_unix_nano, ended.end_time_unix_nano);
    }
}
