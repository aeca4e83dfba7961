//! DynamoDB Streams: the attribute `_throughline` of the item, if this very write put it there.
//!
//! An item keeps the attribute until the next instrumented write. After an uninstrumented one, or a removal, it
//! still names the *previous* writer, who did not cause this record: a link.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use smallvec::SmallVec;

use super::batch::Channel;
use super::event::RawRecord;
use super::json::{self, Shape, shape};
use super::members::Members;
use super::scan::Scanner;
use super::strip::Edits;
use super::{Join, Record, Sender};
use crate::propagation::join::{self, KeyValue};
use crate::propagation::{Context, MEMBER};
use crate::span::attribute;

/// How far the writer's clock and the stream's, which says whole seconds, may lie apart, in milliseconds.
const MAX_APART: u128 = 2_000;
/// The longest attribute that is read, in bytes.
const MAX_ATTRIBUTE: usize = 64 * 1024;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    let channel = Channel::new("stream", "aws.dynamodb", raw.resource(table));
    Arc::new(channel.with(attribute("aws.dynamodb.table_names", vec![channel.name.to_string()])))
}

pub(super) fn record<'a>(raw: &RawRecord<'a>, channel: &Channel, edits: &mut Edits<'a>) -> Record {
    let change = &raw.dynamodb;
    let mut record = channel.record(change.sequence_number.text());
    let created = change.created.seconds();
    (record.sender, record.sent) = match change.writer(created) {
        // The writer's clock says milliseconds, the stream's whole seconds.
        Some(Wrote::This(writer)) => (Some(Sender::Parent(writer.context)), writer.at),
        Some(Wrote::Before(previous)) => (Some(Sender::Link(previous.context)), created),
        None => (None, created),
    };
    let keys = change.keys.raw().filter(|keys| keys.len() <= MAX_ATTRIBUTE);
    record.join = keys.map(|keys| Join::Item { table: channel.name.clone(), keys: keys.into() });
    if let Some(name) = raw.event_name.text() {
        record.attributes.push(("aws.dynamodb.event_name", name.into_owned().into()));
    }
    edits.cut_values(MEMBER, change.new_image.values.iter().chain(&change.old_image.values).copied());
    record
}

/// `table/<name>/stream/<time>`.
fn table(resource: &str) -> Option<&str> {
    resource.strip_prefix("table/")?.split('/').next()
}

shape! {
    pub(super) struct Change {
        created: "ApproximateCreationDateTime",
        keys: "Keys",
        new_image: "NewImage" as Image,
        old_image: "OldImage" as Image,
        sequence_number: "SequenceNumber",
    }
}

impl Change<'_> {
    fn writer(&self, created: Option<SystemTime>) -> Option<Wrote> {
        let (new, old) = (self.new_image.ours.writer(), self.old_image.ours.writer());
        match (new, old) {
            (Some(new), old) if old.as_ref() != Some(&new) && new.wrote_at(created) => Some(Wrote::This(new)),
            (Some(previous), _) | (None, Some(previous)) => Some(Wrote::Before(previous)),
            (None, None) => None,
        }
    }
}

/// What the item is joined by. A key of one or two attributes is at most 3 KiB of values
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
pub(super) fn join(keys: &str, table: &str) -> Option<String> {
    let attributes: Members<'_> = json::object(keys)?;
    let mut key = join::Key::new();
    for (name, value) in &attributes.0 {
        let value: Value<'_> = value.object()?;
        let value = match (value.string.text(), value.number.text(), value.binary.text()) {
            (Some(text), None, None) => KeyValue::S(text),
            (None, Some(digits), None) => KeyValue::N(join::number(&digits)?),
            (None, None, Some(base64)) => KeyValue::B(base64),
            _ => return None,
        };
        key.push((&**name, value));
    }
    (!key.is_empty()).then(|| join::dynamodb(table, key))
}

/// What a writer has to do with a change.
enum Wrote {
    /// It made it.
    This(Writer),
    /// It made an earlier one.
    Before(Writer),
}

/// Who wrote an image, as the item itself says.
#[derive(Debug, PartialEq)]
struct Writer {
    context: Context,
    at: Option<SystemTime>,
}

/// An item as it was before the change, or as it is after it.
#[derive(Debug, Default)]
pub(super) struct Image<'a> {
    ours: Attribute<'a>,
    /// The value of each attribute of ours, as it stands.
    values: SmallVec<[&'a str; 1]>,
}

impl<'a> Shape<'a> for Image<'a> {
    fn take(&mut self, name: Cow<'a, str>, value: &mut Scanner<'a>) -> Option<()> {
        // Spelled with escapes it is another's.
        if !matches!(name, Cow::Borrowed(MEMBER)) {
            return value.value().map(drop);
        }
        let text = value.text_of(|value| json::inner(&mut self.ours, value))?;
        if text.len() > MAX_ATTRIBUTE {
            self.ours = Attribute::default();
        }
        self.values.push(text);
        Some(())
    }
}

shape! {
    /// Our attribute.
    struct Attribute {
        map: "M" as Written,
    }
}

shape! {
    /// What a writer says.
    struct Written {
        traceparent: "traceparent" as Text,
        tracestate: "tracestate" as Text,
        baggage: "baggage" as Text,
        at: "at" as Number,
    }
}

shape! {
    struct Text {
        value: "S",
    }
}

shape! {
    struct Number {
        value: "N",
    }
}

shape! {
    /// A value of DynamoDB's JSON, of the types that keys have.
    struct Value {
        binary: "B",
        number: "N",
        string: "S",
    }
}

impl Attribute<'_> {
    fn writer(&self) -> Option<Writer> {
        let Written { traceparent, tracestate, baggage, at } = &self.map;
        let (tracestate, baggage) = (tracestate.value.header(), baggage.value.header());
        let traceparent = traceparent.value.header()?;
        let context = Context::from_headers(&traceparent, tracestate.as_deref(), baggage.as_deref())?;
        Some(Writer { context, at: at.value.millis() })
    }
}

impl Writer {
    fn wrote_at(&self, created: Option<SystemTime>) -> bool {
        let millis = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        match (self.at, created) {
            (Some(at), Some(created)) => millis(at).abs_diff(millis(created)) <= MAX_APART,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
