//! Kinesis: the members of data that is a JSON object, in Base64, of which `_throughline` is ours; and those of the
//! `detail` of an event that a rule of a bus put there.
//!
//! A record that the Kinesis Producer Library made of several is taken apart (`aggregated`). It stays one record,
//! because that is the unit of Lambda's retries: if all its parts are of one trace, their first sender is its sender;
//! and it is linked to every sender of a part.

mod aggregated;

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::batch::Channel;
use super::event::RawRecord;
use super::json::shape;
use super::payload::Payload;
use super::strip::Edits;
use super::{Record, Sender, carrier};
use crate::propagation::{Baggage, join};
use crate::span::attribute;
#[cfg(not(feature = "internals"))]
use aggregated::Aggregated;
#[cfg(feature = "internals")]
pub(crate) use aggregated::Aggregated;
#[cfg(test)]
pub(super) use aggregated::tests::aggregate;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    Channel::new("kinesis", "aws.kinesis", raw.resource(stream))
}

pub(super) fn record<'a>(raw: &RawRecord<'a>, channel: &Channel, edits: &mut Edits<'a>) -> Record {
    let kinesis = &raw.kinesis;
    let mut record = channel.record(kinesis.sequence_number.text());
    record.sent = kinesis.arrival.seconds();
    if let Some(shard) = raw.event_id.text().and_then(|id| Some(id.split_once(':')?.0.to_owned())) {
        if !record.id.is_empty() {
            record.join = Some(join::kinesis(&channel.name, &shard, &record.id));
        }
        record.attributes.push(attribute("messaging.destination.partition.id", shard));
    }
    if let Some(data) = kinesis.data.text().and_then(|data| BASE64_STANDARD.decode(&*data).ok()) {
        let stripped = match Aggregated::parse(&data) {
            Some(parts) => taken_apart(&parts, &mut record).map(Into::into),
            None => Payload::read(&data).complete(&mut record),
        };
        if let (Some(rest), Some(old)) = (stripped, kinesis.data.raw()) {
            edits.replace(old, format!("\"{}\"", BASE64_STANDARD.encode(rest)));
        }
    }
    record
}

/// Tells a record what its parts tell, and gives its data without our member, if one of them had it.
fn taken_apart(parts: &Aggregated<'_>, record: &mut Record) -> Option<Vec<u8>> {
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    record.attributes.push(attribute("throughline.kinesis.user_records", count));
    let mut payloads: Vec<Payload> = parts.data().map(Payload::read).collect();
    let senders: Vec<_> = payloads.iter_mut().map(|payload| payload.sender.take()).collect();
    record.links = senders.iter().filter_map(|sender| sender.as_ref()?.span()).cloned().collect();
    record.sender =
        carrier::or_span(longest_way(&senders), || Sender::common(senders.iter().map(Option::as_ref)));
    let stripped: Vec<_> = payloads.into_iter().map(|payload| payload.stripped.map(Into::into)).collect();
    stripped.iter().any(Option::is_some).then(|| parts.with(&stripped))
}

/// How far that one came which came the farthest: no record resets the count, whoever its sender is.
fn longest_way(senders: &[Option<Sender>]) -> Option<Sender> {
    let hops = senders.iter().flatten().map(Sender::hops).max().filter(|hops| *hops > 0)?;
    let mut baggage = Baggage::default();
    baggage.set(Baggage::HOPS, &hops.to_string());
    Some(Sender::Ids(baggage))
}

shape! {
    /// A record of a stream.
    pub(super) struct Kinesis {
        arrival: "approximateArrivalTimestamp",
        data: "data",
        sequence_number: "sequenceNumber",
    }
}

/// `stream/<name>`, with `/consumer/…` after it for an enhanced fan-out.
fn stream(resource: &str) -> Option<&str> {
    resource.strip_prefix("stream/")?.split('/').next()
}

#[cfg(test)]
mod tests;
