//! Amazon MQ: the properties of an ActiveMQ message, the headers of a RabbitMQ one
//! (<https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html>).

use std::sync::Arc;

use super::batch::{self, Channel};
use super::carrier::{self, Carrier};
use super::event::Event;
use super::json::{Part, shape};
use super::kafka;
use super::members::Members;
use super::strip::Edits;
use super::{Reading, Record};

/// The most messages that are read: as many as the largest batch has.
const MAX_MESSAGES: usize = 10_000;

pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let (channel, records) = match &*event.event_source.text()? {
        "aws:mq" => active(event),
        "aws:rmq" => rabbit(event),
        _ => None,
    }?;
    batch::reading("pubsub", &channel, records, Edits::new(event.text))
}

shape! {
    struct ActiveMessage {
        id: "messageID",
        broker_in_time: "brokerInTime",
        destination: "destination" as Destination,
        properties: "properties" as Carrier,
    }
}

shape! {
    struct Destination {
        physical_name: "physicalName",
    }
}

fn active(event: &Event<'_>) -> Option<(Arc<Channel>, Vec<Record>)> {
    let messages: Vec<ActiveMessage<'_>> = event.messages.list()?;
    let name = messages.first()?.destination.physical_name.header().map(Into::into);
    let channel = Channel::new("activemq", "activemq", name);
    let record = |message: &ActiveMessage<'_>| {
        let mut record = channel.record(message.id.header());
        record.sent = message.broker_in_time.millis();
        record.sender = carrier::values(&message.properties, Part::header);
        record
    };
    let records = messages.iter().map(record).collect();
    Some((channel, records))
}

shape! {
    struct RabbitMessage {
        basic_properties: "basicProperties" as BasicProperties,
    }
}

shape! {
    struct BasicProperties {
        headers: "headers" as Carrier,
        message_id: "messageId",
    }
}

shape! {
    /// Text in a RabbitMQ header.
    struct LongString {
        bytes: "bytes",
    }
}

fn rabbit(event: &Event<'_>) -> Option<(Arc<Channel>, Vec<Record>)> {
    let queues: Members<'_> = event.rmq_messages_by_queue.object()?;
    let mut records = Vec::new();
    let mut first = None;
    for (name, messages) in &queues.0 {
        let messages: Vec<RabbitMessage<'_>> = messages.list()?;
        if records.len() + messages.len() > MAX_MESSAGES {
            return None;
        }
        // `<queue>::<virtual host>`
        let queue = name.split("::").next().map(str::to_owned);
        let channel = Channel::new("rabbitmq", "rabbitmq", queue);
        records.extend(messages.iter().map(|message| {
            let properties = &message.basic_properties;
            let mut record = channel.record(properties.message_id.header());
            record.sender = carrier::values(&properties.headers, |value| {
                let bytes = || kafka::bytes(value.object::<LongString<'_>>()?.bytes);
                value.header().or_else(bytes)
            });
            record
        }));
        first = first.or(Some(channel));
    }
    Some((first?, records))
}
