//! SNS: message attributes, then the envelopes in the message; in the event of a function as in the envelope that a
//! queue gets.

use std::sync::Arc;

use super::batch::Channel;
use super::carrier::{self, Carrier};
use super::event::RawRecord;
use super::json::{self, shape};
use super::strip::Edits;
use super::{Join, Record, Sender, envelope, time};
use crate::propagation::join;

pub(super) fn channel(raw: &RawRecord<'_>) -> Arc<Channel> {
    raw.sns.channel()
}

pub(super) fn record<'a>(raw: &RawRecord<'a>, edits: &mut Edits<'a>) -> Record {
    let notification = &raw.sns;
    let mut record = notification.channel().record(notification.message_id.text());
    record.join = notification.join().map(Join::Id);
    record.sent = notification.timestamp.text().and_then(|text| time::parse(&text));
    let message = notification.message;
    envelope::read(message).complete(notification.sender(), message, &mut record, edits);
    record
}

shape! {
    /// A message as a topic delivers it.
    pub(super) struct Notification {
        kind: "Type",
        pub(super) message: "Message",
        message_attributes: "MessageAttributes" as Carrier,
        message_id: "MessageId",
        timestamp: "Timestamp",
        topic_arn: "TopicArn",
    }
}

shape! {
    struct MessageAttribute {
        kind: "Type",
        value: "Value",
    }
}

impl<'a> Notification<'a> {
    /// The envelope that a topic puts round a message; `None` for what only looks like one.
    pub(super) fn envelope(body: &'a str) -> Option<Self> {
        let envelope: Self = json::object(body)?;
        let is_one = envelope.kind.text().as_deref() == Some("Notification")
            && envelope.message_id.text().is_some()
            && envelope.message.text().is_some()
            && envelope.topic().is_some();
        is_one.then_some(envelope)
    }

    pub(super) fn join(&self) -> Option<String> {
        self.message_id.header().filter(|id| !id.is_empty()).map(|id| join::sns(&id))
    }

    fn channel(&self) -> Arc<Channel> {
        Channel::new("sns", "aws.sns", self.topic())
    }

    pub(super) fn sender(&self) -> Option<Sender> {
        carrier::values(&self.message_attributes, |value| {
            let value: MessageAttribute<'_> = value.object()?;
            match value.kind.text().as_deref() {
                Some("Binary") => value.value.binary_header(),
                _ => value.value.header(),
            }
        })
    }

    /// Name of the topic, if its ARN is one.
    pub(super) fn topic(&self) -> Option<String> {
        let arn = self.topic_arn.text()?;
        let mut parts = arn.splitn(6, ':');
        let is_sns = parts.next() == Some("arn") && parts.nth(1) == Some("sns");
        parts.nth(2).filter(|name| is_sns && !name.is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
