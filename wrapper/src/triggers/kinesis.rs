//! Kinesis: the member `_throughline` of data that is a JSON object, in Base64.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::batch::Channel;
use super::carrier::{self, Body};
use super::event::RawRecord;
use super::json::{self, Part};
use super::strip::{self, Edits};
use super::{Record, Sender};
use crate::propagation::{MEMBER, join};
use crate::span::attribute;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    Channel::new("kinesis", "aws.kinesis", raw.resource(stream))
}

pub(super) fn record<'a>(raw: &RawRecord<'a>, channel: &Channel, edits: &mut Edits<'a>) -> Record {
    let kinesis: Kinesis<'a> = raw.kinesis.object().unwrap_or_default();
    let mut record = channel.record(kinesis.sequence_number.text());
    record.sent = kinesis.arrival.seconds();
    if let Some(shard) = raw.event_id.text().and_then(|id| Some(id.split_once(':')?.0.to_owned())) {
        if !record.id.is_empty() {
            record.join = Some(join::kinesis(&channel.name, &shard, &record.id));
        }
        record.attributes.push(attribute("messaging.destination.partition.id", shard));
    }
    if let Some(data) = kinesis.data.text().and_then(|data| json_with_member(&data)) {
        let body: Body<'_> = json::object(&data).unwrap_or_default();
        record.sender = carrier::member(body.throughline).map(Sender::Parent);
        if let (Some(rest), Some(old)) = (strip::without(&data, MEMBER), kinesis.data.raw()) {
            edits.replace(old, format!("\"{}\"", BASE64_STANDARD.encode(rest)));
        }
    }
    record
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Kinesis<'a> {
    #[serde(rename = "approximateArrivalTimestamp")]
    arrival: Part<'a>,
    data: Part<'a>,
    sequence_number: Part<'a>,
}

/// `stream/<name>`, with `/consumer/…` after it for an enhanced fan-out.
fn stream(resource: &str) -> Option<&str> {
    resource.strip_prefix("stream/")?.split('/').next()
}

/// What the Base64 holds, if it is text that may have our member.
fn json_with_member(data: &str) -> Option<String> {
    let text = String::from_utf8(BASE64_STANDARD.decode(data).ok()?).ok()?;
    carrier::mentions_ours(&text).then_some(text)
}

#[cfg(test)]
mod tests;
