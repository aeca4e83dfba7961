//! What all batches have in common: `Records`, all from one service.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::event::{Event, RawRecord};
use super::strip::Edits;
use super::{Partial, Reading, Record, dynamodb, kinesis, sns, sqs};
use crate::span::{SpanKind, attribute};

/// Reads an event that is a batch of a service that we know.
pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let records: Vec<RawRecord<'_>> = event.records.list()?;
    let service = records.first()?.event_source.text()?;
    if records.iter().any(|record| record.event_source.text().as_ref() != Some(&service)) {
        return None;
    }
    let first = records.first()?;
    let mut edits = Edits::new(event.text);
    let (trigger, channel, records): (_, Channel, Vec<Record>) = match &*service {
        "aws:sqs" => ("pubsub", sqs::channel(first), records.iter().map(sqs::record).collect()),
        "aws:sns" => ("pubsub", sns::channel(first), records.iter().map(sns::record).collect()),
        "aws:kinesis" => {
            let read = |record| kinesis::record(record, &mut edits);
            ("pubsub", kinesis::channel(first), records.iter().map(read).collect())
        }
        "aws:dynamodb" => {
            let read = |record| dynamodb::record(record, &mut edits);
            ("datasource", dynamodb::channel(first), records.iter().map(read).collect())
        }
        _ => return None,
    };
    let partial = match &*service {
        "aws:sqs" => Some(Partial::Each),
        "aws:kinesis" | "aws:dynamodb" => Some(Partial::FromFirst),
        _ => None,
    };
    let mut attributes = channel.attributes();
    attributes.push(attribute("messaging.operation.name", "process"));
    attributes.push(attribute("messaging.operation.type", "process"));
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    attributes.push(attribute("messaging.batch.message_count", count));
    Some(Reading {
        trigger,
        kind: SpanKind::Consumer,
        name: Some(format!("process {}", channel.name)),
        source: records.first()?.source.clone(),
        attributes,
        sender: None,
        join: None,
        records,
        partial,
        request_id: None,
        stripped: edits.apply(),
    })
}

/// What records come through: a queue, topic, stream or table.
#[derive(Debug)]
pub(super) struct Channel {
    /// How its kind is called in `throughline.source`.
    kind: &'static str,
    /// `messaging.system` of the semantic conventions.
    system: &'static str,
    pub(super) name: String,
}

impl Channel {
    pub(super) fn new(kind: &'static str, system: &'static str, name: Option<String>) -> Self {
        Self { kind, system, name: name.unwrap_or_else(|| "unknown".to_owned()) }
    }

    /// A record that nothing else is known of yet.
    pub(super) fn record(&self, id: Option<Cow<'_, str>>) -> Record {
        let id = id.unwrap_or_default().into_owned();
        let mut attributes = self.attributes();
        if !id.is_empty() {
            attributes.push(attribute("messaging.message.id", id.as_str()));
        }
        let source = format!("{} {}", self.kind, self.name);
        Record { id, source, sender: None, join: None, sent: None, attributes }
    }

    fn attributes(&self) -> Vec<KeyValue> {
        vec![
            attribute("messaging.system", self.system),
            attribute("messaging.destination.name", self.name.as_str()),
        ]
    }
}
