//! The span model: OTLP's own `Span`, written as the bytes that it is sent as while it runs, so that an attribute is
//! copied once and an ended span needs no conversion.

mod failure;
mod resource;
#[cfg(test)]
mod tests;
mod value;
mod wire;

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::{self as otlp, status::StatusCode};
use prost::Message as _;
use prost::encoding::{fixed32, fixed64, int32, message, uint32};

pub(crate) use failure::Failure;
pub(crate) use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
pub(crate) use resource::resource;
pub(crate) use value::{Value, attribute};
pub(crate) use wire::{begin, put, size};

/// The most links of one span: OpenTelemetry's own default
/// (<https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits>).
const MAX_LINKS: u32 = 128;
/// The most events of one span, likewise.
const MAX_EVENTS: u32 = 128;
/// Room for what most spans have in bytes, so that none moves while it runs. From 1 KiB on the allocator of glibc puts
/// its free memory in order each time.
const ROOM: usize = 960;
/// The same for the number of attributes.
const ATTRIBUTES: usize = 16;

/// Marks a span that had not ended when it was told.
pub(crate) const PARTIAL: &str = "throughline.partial";

/// Numbers of the fields of OTLP's `Span`
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>): `u8` where
/// [`put`] writes them, `u32` where prost does.
mod field {
    pub(super) const TRACE_ID: u8 = 1;
    pub(super) const SPAN_ID: u8 = 2;
    pub(super) const TRACE_STATE: u8 = 3;
    pub(super) const PARENT_SPAN_ID: u8 = 4;
    pub(super) const NAME: u8 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START: u32 = 7;
    pub(super) const END: u32 = 8;
    pub(super) const ATTRIBUTES: u8 = 9;
    pub(super) const EVENTS: u32 = 11;
    pub(super) const DROPPED_EVENTS: u32 = 12;
    pub(super) const LINKS: u32 = 13;
    pub(super) const DROPPED_LINKS: u32 = 14;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// A span that has begun. It becomes an OTLP span when it is ended.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    context: SpanContext,
    start: u64,
    /// What never changes, then attributes, events and links as they come.
    bytes: Vec<u8>,
    attributes: Vec<Place>,
    /// How many came, also those beyond the bound.
    events: u32,
    links: u32,
    parent: SpanId,
    failure: Option<Failure>,
}

/// Where an attribute stands in the bytes, and its key in it.
#[derive(Clone, Debug)]
struct Place {
    start: usize,
    key: Range<usize>,
    end: usize,
}

/// A span that has ended: an OTLP `Span` in Protobuf.
#[derive(Clone, Debug)]
pub(crate) struct EndedSpan(Vec<u8>);

impl Span {
    /// Begins a span with the ids of `context` under `parent`, at `start`.
    pub(crate) fn start(
        context: SpanContext,
        parent: Option<&SpanContext>,
        kind: SpanKind,
        name: &str,
        start: SystemTime,
    ) -> Self {
        let mut bytes = Vec::with_capacity(ROOM);
        put(field::TRACE_ID, &context.trace_id().to_bytes(), &mut bytes);
        put(field::SPAN_ID, &context.span_id().to_bytes(), &mut bytes);
        put(field::TRACE_STATE, context.trace_state().header().as_bytes(), &mut bytes);
        let parent_id = parent.map_or(SpanId::INVALID, SpanContext::span_id);
        if parent_id != SpanId::INVALID {
            put(field::PARENT_SPAN_ID, &parent_id.to_bytes(), &mut bytes);
        }
        put(field::NAME, name.as_bytes(), &mut bytes);
        int32::encode(field::KIND, &kind.into(), &mut bytes);
        let start = unix_nanos(start);
        fixed64::encode(field::START, &start, &mut bytes);
        let flags = flags(&context, parent.is_some_and(SpanContext::is_remote));
        fixed32::encode(field::FLAGS, &flags, &mut bytes);
        let attributes = Vec::with_capacity(ATTRIBUTES);
        Self { context, start, bytes, attributes, events: 0, links: 0, parent: parent_id, failure: None }
    }

    pub(crate) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// The span above it, which may be of another function; invalid, if there is none.
    pub(crate) fn parent(&self) -> SpanId {
        self.parent
    }

    /// Sets an attribute; a key that is there already gets the new value.
    pub(crate) fn set<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) {
        if let Some(known) = self.attributes.iter().position(|known| known.has_key(key, &self.bytes)) {
            self.remove(known);
        }
        let start = self.bytes.len();
        let key = value::put(field::ATTRIBUTES, key, &value.into(), &mut self.bytes);
        self.attributes.push(Place { start, key, end: self.bytes.len() });
    }

    /// Sets an attribute that is made already.
    #[cfg(test)]
    pub(crate) fn put(&mut self, attribute: &KeyValue) {
        self.set(&attribute.key, attribute);
    }

    fn remove(&mut self, attribute: usize) {
        let Place { start, end, .. } = self.attributes.remove(attribute);
        self.bytes.drain(start..end);
        for later in self.attributes.iter_mut().skip(attribute) {
            later.move_back(end - start);
        }
    }

    /// Adds a link with an attribute, if it has one; a link beyond the bound is counted instead.
    pub(crate) fn link(&mut self, to: &SpanContext, attribute: impl FnOnce() -> Option<KeyValue>) {
        self.links += 1;
        if self.links > MAX_LINKS {
            return;
        }
        let link = otlp::span::Link {
            trace_id: to.trace_id().to_bytes().to_vec(),
            span_id: to.span_id().to_bytes().to_vec(),
            trace_state: to.trace_state().header(),
            flags: flags(to, to.is_remote()),
            attributes: attribute().into_iter().collect(),
            ..otlp::span::Link::default()
        };
        message::encode(field::LINKS, &link, &mut self.bytes);
    }

    /// Adds an event; one beyond the bound is counted instead.
    pub(crate) fn event(&mut self, name: impl Into<String>, at: SystemTime, attributes: Vec<KeyValue>) {
        self.events += 1;
        if self.events > MAX_EVENTS {
            return;
        }
        let event = otlp::span::Event {
            time_unix_nano: unix_nanos(at),
            name: name.into(),
            attributes,
            ..otlp::span::Event::default()
        };
        message::encode(field::EVENTS, &event, &mut self.bytes);
    }

    /// Marks the span as failed, with an `exception` event.
    pub(crate) fn fail(&mut self, error_type: &str, message: &str, at: SystemTime) {
        self.fail_with(Failure::new(error_type, message), at);
    }

    /// The same with all that is known.
    pub(crate) fn fail_with(&mut self, failure: Failure, at: SystemTime) {
        self.set("error.type", failure.error_type.as_str());
        self.event("exception", at, failure.attributes().collect());
        self.failure = Some(failure.cut());
    }

    /// Marks the span as failed, without an event.
    pub(crate) fn fail_quietly(&mut self, error_type: &str, message: &str) {
        self.failure = Some(Failure::new(error_type, message).cut());
    }

    /// Why it failed, if it has.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Bytes on the wire as it stands.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn end(mut self, at: SystemTime) -> EndedSpan {
        let mut bytes = std::mem::take(&mut self.bytes);
        fixed64::encode(field::END, &unix_nanos(at).max(self.start), &mut bytes);
        self.put_rest(&mut bytes);
        EndedSpan(bytes)
    }

    /// Appends the span as it stands: an OTLP `Span` without an end.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.bytes);
        self.put_rest(bytes);
    }

    /// Appends what may change until the end.
    fn put_rest(&self, bytes: &mut Vec<u8>) {
        for (number, count, limit) in
            [(field::DROPPED_EVENTS, self.events, MAX_EVENTS), (field::DROPPED_LINKS, self.links, MAX_LINKS)]
        {
            if count > limit {
                uint32::encode(number, &(count - limit), bytes);
            }
        }
        if let Some(Failure { message, .. }) = &self.failure {
            let status = otlp::Status { message: message.clone(), code: StatusCode::Error.into() };
            message::encode(field::STATUS, &status, bytes);
        }
    }
}

impl Place {
    fn has_key(&self, key: &str, bytes: &[u8]) -> bool {
        // Most differ in length already.
        self.key.len() == key.len() && bytes.get(self.key.clone()) == Some(key.as_bytes())
    }

    fn move_back(&mut self, by: usize) {
        self.start -= by;
        self.key = self.key.start - by..self.key.end - by;
        self.end -= by;
    }
}

impl EndedSpan {
    /// Its id, which stands behind that of its trace.
    pub(crate) fn id(&self) -> SpanId {
        const TRACE: usize = 2 + size_of::<TraceId>();
        let id = self.0.get(TRACE + 2..).and_then(|rest| rest.first_chunk());
        id.map_or(SpanId::INVALID, |id| SpanId::from_bytes(*id))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes on the wire.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// A span that was written down while it ran, as if it had ended at `at`.
    pub(crate) fn of_open(mut span: otlp::Span, at: SystemTime) -> Self {
        span.end_time_unix_nano = unix_nanos(at).max(span.start_time_unix_nano);
        span.attributes.push(attribute(PARTIAL, true));
        Self(span.encode_to_vec())
    }

    /// The span as OTLP's type.
    pub(crate) fn decode(&self) -> otlp::Span {
        otlp::Span::decode(self.bytes()).unwrap_or_default()
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
