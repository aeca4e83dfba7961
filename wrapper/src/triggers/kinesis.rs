//! Kinesis: the members of data that is a JSON object, in Base64, of which `_throughline` is ours; and those of the
//! `detail` of an event that a rule of a bus put there.
//!
//! A record that the Kinesis Producer Library made of several is taken apart (`aggregated`). It stays one record,
//! because that is the unit of Lambda's retries: if all its parts are of one trace, their first sender is its sender;
//! and it is linked to every sender of a part.

mod aggregated;

use std::borrow::Cow;
use std::sync::Arc;

use memchr::memchr;

use super::batch::Channel;
use super::event::RawRecord;
use super::json::shape;
use super::payload::{Payload, decoded, encoded};
use super::strip::Edits;
use super::{Join, Record, Sender, carrier};
use crate::propagation::{Baggage, join};
use crate::span::attribute;
#[cfg(not(feature = "internals"))]
use aggregated::Aggregated;
#[cfg(feature = "internals")]
pub(crate) use aggregated::Aggregated;
#[cfg(test)]
pub(super) use aggregated::tests::aggregate;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    let channel = Channel::new("kinesis", "aws.kinesis", raw.resource(stream));
    let Some(shard) = shard(raw) else { return channel };
    let mut of_shard = channel.with(attribute("messaging.destination.partition.id", shard));
    of_shard.partition = Some(shard.to_owned());
    Arc::new(of_shard)
}

pub(super) fn record<'a>(raw: &RawRecord<'a>, channel: &Channel, edits: &mut Edits<'a>) -> Record {
    let kinesis = &raw.kinesis;
    let mut record = channel.record(kinesis.sequence_number.text());
    record.sent = kinesis.arrival.seconds();
    if let Some(shard) = channel.partition.as_deref().filter(|_| !record.id.is_empty()) {
        record.join = Some(Join::Id(join::kinesis(&channel.name, shard, &record.id)));
    }
    if let Some(data) = decoded(kinesis.data) {
        let stripped = match Aggregated::parse(&data) {
            Some(parts) => taken_apart(&parts, &mut record),
            None => Payload::read(&data).complete(&mut record),
        };
        if let (Some(rest), Some(old)) = (stripped, kinesis.data.raw()) {
            edits.replace(old, encoded(&rest));
        }
    }
    record
}

/// The shard that a record's id begins with: `shardId-000000000006:495903…`, which has nothing to escape.
pub(super) fn shard<'a>(raw: &RawRecord<'a>) -> Option<&'a str> {
    let Cow::Borrowed(id) = raw.event_id.text()? else { return None };
    id.get(..memchr(b':', id.as_bytes())?)
}

/// Tells a record what its parts tell, and gives its data without our member, if one of them had it.
fn taken_apart(parts: &Aggregated<'_>, record: &mut Record) -> Option<Vec<u8>> {
    let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
    record.attributes.push(("throughline.kinesis.user_records", count.into()));
    let mut payloads: Vec<Payload> = parts.data().map(Payload::read).collect();
    let senders: Vec<_> = payloads.iter_mut().map(|payload| payload.sender.take()).collect();
    record.links = senders.iter().filter_map(|sender| sender.as_ref()?.span()).cloned().collect();
    record.sender =
        carrier::or_span(longest_way(&senders), || Sender::common(senders.iter().map(Option::as_ref)));
    let stripped: Vec<_> = payloads.into_iter().map(|payload| payload.stripped).collect();
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
