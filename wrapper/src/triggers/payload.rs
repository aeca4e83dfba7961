//! Data that is a JSON object, as streams carry it: a program's own, or an event of a bus whose rule has the stream for
//! its target.

use base64_simd::STANDARD;

use super::carrier::{self, Carrier};
use super::eventbridge::BusEvent;
use super::json::{self, Part};
use super::strip::Edits;
use super::{Join, Record, Sender};
use crate::propagation::MEMBER;

/// The data in a member of an event.
pub(super) fn decoded(data: Part<'_>) -> Option<Vec<u8>> {
    STANDARD.decode_to_vec(data.text()?.as_bytes()).ok()
}

/// Data as a member of an event, with its quotes.
pub(super) fn encoded(data: &[u8]) -> String {
    let mut text = String::with_capacity(STANDARD.encoded_length(data.len()) + 2);
    text.push('"');
    STANDARD.encode_append(data, &mut text);
    text.push('"');
    text
}

/// What data tells that is a JSON object; nothing of any other.
#[derive(Debug, Default)]
pub(super) struct Payload {
    /// Who put it there, else who sent the event that it is.
    pub(super) sender: Option<Sender>,
    /// Where it came from before, as `throughline.source` has it.
    via: String,
    /// What the event that it is joins by: that one its producer knows.
    join: Option<String>,
    /// The data without our members; `None` if it had none.
    pub(super) stripped: Option<Vec<u8>>,
}

impl Payload {
    pub(super) fn read(data: &[u8]) -> Self {
        let Some(text) = std::str::from_utf8(data).ok().filter(|_| data.trim_ascii_start().starts_with(b"{"))
        else {
            return Self::default();
        };
        let carrier: Carrier<'_> = json::object(text).unwrap_or_default();
        let event = BusEvent::envelope(text);
        let mut edits = Edits::new(text);
        edits.cut_ours(text, &carrier);
        if let Some(detail) = event.as_ref().and_then(|event| event.detail.raw()) {
            edits.cut(detail, MEMBER);
        }
        Self {
            sender: carrier::or_span(carrier::members(&carrier), || event.as_ref()?.sender()),
            via: event.as_ref().map(|event| format!(" < {}", event.source())).unwrap_or_default(),
            join: event.and_then(|event| event.join()),
            stripped: edits.apply().map(String::into_bytes),
        }
    }

    /// Adds to the record that it is the data of what it tells, and gives what the handler is to see in its place.
    pub(super) fn complete(self, record: &mut Record) -> Option<Vec<u8>> {
        record.sender = self.sender;
        if !self.via.is_empty() {
            record.source = format!("{}{}", record.source, self.via).into();
        }
        record.join = self.join.map(Join::Id).or(record.join.take());
        self.stripped
    }
}
