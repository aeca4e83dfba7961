//! SQS: message attributes, then the envelope of a topic in the body, then AWS's own trace header.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::batch::Channel;
use super::carrier;
use super::event::RawRecord;
use super::json::{self, Part};
use super::sns::Notification;
use super::{Record, Sender};
use crate::propagation::join;
use crate::span::attribute;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    Channel::new("sqs", "aws_sqs", raw.resource(queue))
}

pub(super) fn record(raw: &RawRecord<'_>, channel: &Channel) -> Record {
    let mut record = channel.record(raw.message_id.text());
    let system: SystemAttributes<'_> = raw.attributes.object().unwrap_or_default();
    let body = envelope_text(raw.body);
    let envelope = body.as_deref().and_then(Notification::envelope);
    let sender = carrier::or_span(message_attributes(raw.message_attributes), || envelope.as_ref()?.sender());
    record.sender =
        carrier::or_span(sender, || carrier::xray(&system.trace_header.header()?).map(Sender::Parent));
    record.sent = system.sent.millis();
    record.join = Some(&record.id).filter(|id| !id.is_empty()).map(|id| join::sqs(id));
    if let Some(topic) = envelope.as_ref().and_then(Notification::topic) {
        record.source = format!("{} < sns {topic}", record.source).into();
    }
    if let Some(count) = system.receive_count.integer() {
        record.attributes.push(attribute("throughline.receive_count", count));
    }
    record
}

/// The queue's name is all that its ARN ends in.
fn queue(resource: &str) -> Option<&str> {
    Some(resource)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct SystemAttributes<'a> {
    #[serde(rename = "ApproximateReceiveCount")]
    receive_count: Part<'a>,
    #[serde(rename = "SentTimestamp")]
    sent: Part<'a>,
    #[serde(rename = "AWSTraceHeader")]
    trace_header: Part<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct MessageAttribute<'a> {
    string_value: Part<'a>,
    binary_value: Part<'a>,
}

/// The context in the attributes of the message itself; with raw delivery they are the topic's.
fn message_attributes(attributes: Part<'_>) -> Option<Sender> {
    carrier::values(attributes, |value| {
        let value: MessageAttribute<'_> = value.object()?;
        value.string_value.header().or_else(|| value.binary_value.binary_header())
    })
}

/// The body, if it may be an envelope: most are not, and stay unread.
fn envelope_text(body: Part<'_>) -> Option<Cow<'_, str>> {
    body.raw().filter(|raw| raw.contains("TopicArn"))?;
    body.text()
}

impl<'a> Notification<'a> {
    /// The envelope that a topic puts round a message; `None` for what only looks like one.
    fn envelope(body: &'a str) -> Option<Self> {
        let envelope: Self = json::object(body)?;
        let is_one = envelope.kind.text().as_deref() == Some("Notification")
            && envelope.message_id.text().is_some()
            && envelope.message.text().is_some()
            && envelope.topic().is_some();
        is_one.then_some(envelope)
    }
}

#[cfg(test)]
mod tests;
