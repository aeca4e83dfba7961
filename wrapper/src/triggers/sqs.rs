//! SQS: message attributes, then the envelopes in the body (of a topic, an event bus, a bucket), then AWS's own trace
//! header.

use std::sync::Arc;

use super::batch::Channel;
use super::carrier::{self, Carrier};
use super::event::RawRecord;
use super::json::shape;
use super::strip::Edits;
use super::{Join, Record, Sender, envelope};
use crate::propagation::join;
use crate::span::Value;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    Channel::new("sqs", "aws_sqs", raw.resource(queue))
}

pub(super) fn record<'a>(raw: &RawRecord<'a>, channel: &Channel, edits: &mut Edits<'a>) -> Record {
    let mut record = channel.record(raw.message_id.text());
    let system = &raw.attributes;
    record.join = Some(&record.id).filter(|id| !id.is_empty()).map(|id| Join::Id(join::sqs(id)));
    record.sent = system.sent.millis();
    let own = message_attributes(&raw.message_attributes);
    envelope::read(raw.body).complete(own, raw.body, &mut record, edits);
    let header = || carrier::xray(&system.trace_header.header()?).map(Sender::Parent);
    record.sender = carrier::or_span(record.sender.take(), header);
    record.attributes.extend(system.attributes(raw));
    record
}

/// The queue's name is all that its ARN ends in.
fn queue(resource: &str) -> Option<&str> {
    Some(resource)
}

shape! {
    /// What the queue knows of a message.
    pub(super) struct SystemAttributes {
        receive_count: "ApproximateReceiveCount",
        sent: "SentTimestamp",
        trace_header: "AWSTraceHeader",
        dead_letter_source: "DeadLetterQueueSourceArn",
        group: "MessageGroupId",
    }
}

impl SystemAttributes<'_> {
    /// How often it came, in which group of a FIFO queue, and from which queue as a dead letter. What was moved back
    /// out of the dead-letter queue still names the queue that it is in again.
    fn attributes(&self, raw: &RawRecord<'_>) -> impl Iterator<Item = (&'static str, Value<'static>)> {
        let count = self.receive_count.integer().map(|count| ("throughline.receive_count", count.into()));
        let group = self.group.header().map(|id| ("throughline.message_group", id.into_owned().into()));
        let dead_letter = self.dead_letter_source.header().and_then(|arn| {
            let redriven = raw.event_source_arn.text().as_ref() == Some(&arn);
            let queue = arn.rsplit(':').next().filter(|name| !name.is_empty())?;
            Some(match redriven {
                true => ("throughline.redriven", true.into()),
                false => ("throughline.dead_letter.source", queue.to_owned().into()),
            })
        });
        count.into_iter().chain(group).chain(dead_letter)
    }
}

shape! {
    struct MessageAttribute {
        string_value: "stringValue",
        binary_value: "binaryValue",
    }
}

/// The context in the attributes of the message itself; with raw delivery they are the topic's.
fn message_attributes(attributes: &Carrier<'_>) -> Option<Sender> {
    carrier::values(attributes, |value| {
        let value: MessageAttribute<'_> = value.object()?;
        value.string_value.header().or_else(|| value.binary_value.binary_header())
    })
}

#[cfg(test)]
mod tests;
