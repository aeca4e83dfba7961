//! Writes recorder files as the format says, byte by byte, so that readers are tested against the format and not against
//! the wrapper.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::frames::{self, MAGIC, PREFIX, RING, SLOT, SLOTS, kind};

/// The bytes of a recorder, in the making.
#[derive(Debug, Clone)]
pub struct File {
    nonce: u64,
    journal: Vec<u8>,
    ring: Vec<u8>,
}

impl File {
    /// The header, and the frame that says which invocation is under way.
    pub fn new(nonce: u64, request_id: &str) -> Self {
        let mut file = Self::without_request(nonce);
        file.frame(kind::REQUEST_ID, request_id.as_bytes());
        file
    }

    /// The header alone.
    pub fn without_request(nonce: u64) -> Self {
        Self { nonce, journal: [*MAGIC, nonce.to_le_bytes()].concat(), ring: Vec::new() }
    }

    /// Appends any frame to the journal.
    pub fn frame(&mut self, kind: u8, payload: &[u8]) {
        let frame = framed(self.nonce, kind, payload);
        self.journal.extend(frame);
    }

    /// Appends the resource.
    pub fn resource(&mut self, resource: &Resource) {
        self.frame(kind::RESOURCE, &resource.encode_to_vec());
    }

    /// Appends a span as it stands.
    pub fn span(&mut self, span: &Span) {
        self.frame(kind::SPAN, &span.encode_to_vec());
    }

    /// Appends the beginning of the event.
    pub fn event(&mut self, event: &str) {
        self.frame(kind::EVENT, event.as_bytes());
    }

    /// Says that later spans are missing.
    pub fn full(&mut self) {
        self.frame(kind::FULL, &[]);
    }

    /// Writes log line `number` into its slot, over what is there.
    pub fn line(&mut self, number: u64, line: &str) {
        let payload = [&number.to_le_bytes(), line.as_bytes()].concat();
        let frame = framed(self.nonce, kind::LINE, &payload);
        self.ring.resize(SLOTS * SLOT, 0);
        let at = (number % SLOTS as u64) as usize * SLOT;
        let length = frame.len().min(SLOT);
        self.ring[at..at + length].copy_from_slice(&frame[..length]);
    }

    /// The file.
    pub fn into_bytes(mut self) -> Vec<u8> {
        if !self.ring.is_empty() {
            self.journal.resize(RING, 0);
            self.journal.append(&mut self.ring);
        }
        self.journal
    }
}

fn framed(nonce: u64, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(PREFIX + payload.len());
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(frames::checksum(nonce, kind, payload).to_le_bytes());
    frame.push(kind);
    frame.extend(payload);
    frame
}

/// An open span of trace 1, whose start is its id in milliseconds.
pub fn span(id: u8, name: &str) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![id; 8],
        name: name.into(),
        start_time_unix_nano: u64::from(id) * 1_000_000,
        ..Span::default()
    }
}

/// An open invocation span of this request, with id 1.
pub fn invocation(request_id: &str, name: &str) -> Span {
    Span { attributes: vec![text("faas.invocation_id", request_id)], ..span(1, name) }
}

/// A text attribute.
pub fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}
