//! Writes recorder files as the format says, byte by byte, so that readers are tested against the format and not against
//! the wrapper.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::frames::{self, MAGIC, PAGE, PAGES, PREFIX, RING, SLOT, SLOTS, SPANS, kind};

/// The bytes of a recorder, in the making.
#[derive(Debug, Clone)]
pub struct File {
    nonce: u64,
    journal: Vec<u8>,
    /// The number of the page that is written to; 0 is the invocation's own part.
    page: u64,
    /// Where the next frame goes.
    at: usize,
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
        let journal = [*MAGIC, nonce.to_le_bytes()].concat();
        Self { nonce, at: journal.len(), journal, page: 0, ring: Vec::new() }
    }

    /// Appends any frame to the journal, also where it has no room.
    pub fn frame(&mut self, kind: u8, payload: &[u8]) {
        self.put(&framed(self.nonce.wrapping_add(self.page), kind, payload));
    }

    /// Goes to the next page, over the oldest one.
    pub fn turn(&mut self) {
        self.at = SPANS + (self.page % PAGES as u64) as usize * PAGE;
        self.page += 1;
        self.put(&framed(self.nonce, kind::PAGE, &self.page.to_le_bytes()));
    }

    fn put(&mut self, frame: &[u8]) {
        let end = self.at + frame.len();
        self.journal.resize(self.journal.len().max(end), 0);
        self.journal[self.at..end].copy_from_slice(frame);
        self.at = end;
    }

    /// Appends the resource.
    pub fn resource(&mut self, resource: &Resource) {
        self.frame(kind::RESOURCE, &resource.encode_to_vec());
    }

    /// Appends a span as it stands, on the next page if this one has no room.
    pub fn span(&mut self, span: &Span) {
        let span = span.encode_to_vec();
        let end = if self.page == 0 { SPANS } else { SPANS + ((self.page - 1) as usize % PAGES + 1) * PAGE };
        if self.at + PREFIX + span.len() > end {
            self.turn();
        }
        self.frame(kind::SPAN, &span);
    }

    /// Appends the beginning of the event.
    pub fn event(&mut self, event: &str) {
        self.frame(kind::EVENT, event.as_bytes());
    }

    /// Says that so many spans are missing.
    pub fn full(&mut self, missing: u64) {
        self.frame(kind::FULL, &missing.to_le_bytes());
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

fn framed(seed: u64, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(PREFIX + payload.len());
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(frames::checksum(seed, kind, payload).to_le_bytes());
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
