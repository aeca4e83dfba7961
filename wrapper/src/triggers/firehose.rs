//! A transformation in Firehose: the members of data that is a JSON object, in Base64, of which `_throughline` is
//! ours; and those of the `detail` of an event that a rule of a bus put there
//! (<https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html>).

use super::batch::{self, Channel};
use super::event::Event;
use super::json::shape;
use super::payload::{Payload, decoded, encoded};
use super::strip::Edits;
use super::{Join, Reading};
use crate::propagation::join;

pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let arn = event.delivery_stream_arn.text()?;
    let items: Vec<Item<'_>> = event.items.list()?;
    let name = arn.rsplit_once("deliverystream/").map(|(_, name)| name.to_owned());
    let channel = Channel::new("firehose", "aws.firehose", name);
    // What comes from a stream joins by its place there.
    let source = event.source_kinesis_stream_arn.text();
    let stream = source.as_deref().and_then(|arn| Some(arn.rsplit_once("stream/")?.1));
    let mut edits = Edits::new(event.text);
    let mut records = Vec::with_capacity(items.len());
    for item in &items {
        let mut record = channel.record(item.record_id.header());
        record.sent = item.arrival.millis();
        record.join = stream.and_then(|stream| item.place(stream)).map(Join::Id);
        if let Some(data) = decoded(item.data) {
            let stripped = Payload::read(&data).complete(&mut record);
            if let (Some(rest), Some(old)) = (stripped, item.data.raw()) {
                edits.replace(old, encoded(&rest));
            }
        }
        records.push(record);
    }
    batch::reading("pubsub", &channel, records, edits)
}

shape! {
    struct Item {
        arrival: "approximateArrivalTimestamp",
        data: "data",
        metadata: "kinesisRecordMetadata",
        record_id: "recordId",
    }
}

shape! {
    struct Metadata {
        sequence_number: "sequenceNumber",
        shard_id: "shardId",
    }
}

impl Item<'_> {
    fn place(&self, stream: &str) -> Option<String> {
        let metadata: Metadata<'_> = self.metadata.object()?;
        Some(join::kinesis(stream, &metadata.shard_id.header()?, &metadata.sequence_number.header()?))
    }
}
