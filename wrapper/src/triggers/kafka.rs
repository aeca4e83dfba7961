//! Kafka, Amazon's or one's own: the headers of each message, whose values are lists of bytes
//! (<https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html>).

use std::borrow::Cow;

use super::batch::{self, Channel};
use super::carrier;
use super::event::Event;
use super::json::{Part, shape};
use super::members::Members;
use super::strip::Edits;
use super::{Reading, Record};

/// The most messages that are read: as many as the largest batch has.
const MAX_MESSAGES: usize = 10_000;

pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    if !["aws:kafka", "SelfManagedKafka"].contains(&&*event.event_source.text()?) {
        return None;
    }
    let partitions: Members<'_> = event.items.object()?;
    let mut records = Vec::new();
    let mut first = None;
    for (name, messages) in &partitions.0 {
        let messages: Vec<Message<'_>> = messages.list()?;
        if records.len() + messages.len() > MAX_MESSAGES {
            return None;
        }
        // `<topic>-<partition>`; the messages say it too.
        let topic = name.rsplit_once('-').map(|(topic, _)| topic.to_owned());
        let channel = Channel::new("kafka", "kafka", topic);
        records.extend(messages.iter().map(|message| message.record(&channel)));
        first = first.or(Some(channel));
    }
    batch::reading("pubsub", &*first?, records, Edits::new(event.text))
}

shape! {
    struct Message {
        headers: "headers",
        offset: "offset",
        partition: "partition",
        timestamp: "timestamp",
    }
}

impl Message<'_> {
    fn record(&self, channel: &Channel) -> Record {
        let mut record = channel.record(None);
        if let (Some(partition), Some(offset)) = (self.partition.integer(), self.offset.integer()) {
            record.id = format!("{}-{partition}@{offset}", channel.name);
            record.attributes.push(("messaging.destination.partition.id", partition.to_string().into()));
            record.attributes.push(("messaging.kafka.offset", offset.into()));
        }
        record.sent = self.timestamp.millis();
        record.sender = carrier::listed(self.headers, bytes);
        record
    }
}

/// Text that stands as a list of its bytes; Java's are signed.
pub(super) fn bytes(value: Part<'_>) -> Option<Cow<'_, str>> {
    // A number of three digits, a sign and a comma.
    value.raw().filter(|raw| raw.len() <= 5 * super::json::MAX_HEADER)?;
    let byte = |part: &Part<'_>| match part.integer()? {
        signed @ -128..=-1 => u8::try_from(signed + 256).ok(),
        byte => u8::try_from(byte).ok(),
    };
    let bytes: Option<Vec<u8>> = value.list::<Part<'_>>()?.iter().map(byte).collect();
    String::from_utf8(bytes?).ok().map(Cow::Owned)
}
