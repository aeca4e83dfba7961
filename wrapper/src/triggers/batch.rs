//! What all batches have in common: `Records`, all from one service.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::event::{Event, RawRecord};
use super::strip::Edits;
use super::{Answers, Reading, Record, dynamodb, kinesis, s3, sns, sqs};
use crate::span::{SpanKind, attribute};

/// Reads an event that is a batch of a service that we know.
pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let raw_records: Vec<RawRecord<'_>> = event.records.list()?;
    let service = raw_records.first()?.event_source.text()?;
    if raw_records.iter().any(|record| record.event_source.text().as_ref() != Some(&service)) {
        return None;
    }
    let (trigger, channel_of, read): (_, fn(&RawRecord<'_>) -> Arc<Channel>, Read<'_>) = match &*service {
        "aws:sqs" => ("pubsub", sqs::channel, sqs::record),
        "aws:sns" => ("pubsub", sns::channel, |raw, _, edits| sns::record(raw, edits)),
        "aws:kinesis" => ("pubsub", kinesis::channel, kinesis::record),
        "aws:dynamodb" => ("datasource", dynamodb::channel, dynamodb::record),
        "aws:s3" => ("datasource", s3::channel, |raw, channel, _| s3::record(raw, channel)),
        _ => return None,
    };
    let answers = match &*service {
        "aws:sqs" => Answers::FailedMessages,
        "aws:kinesis" | "aws:dynamodb" => Answers::FirstFailedRecord,
        _ => Answers::Opaque,
    };
    let mut last = raw_records.first()?;
    let mut channel = channel_of(last);
    let first = channel.clone();
    let mut edits = Edits::new(event.text);
    let mut records = Vec::with_capacity(raw_records.len());
    for raw in &raw_records {
        // One channel for all: Lambda makes a batch of one source.
        if !raw.same_source(last) {
            (last, channel) = (raw, channel_of(raw));
        }
        records.push(read(raw, &channel, &mut edits));
    }
    Some(Reading { answers, ..reading(trigger, &first, records, edits)? })
}

/// The reading of a batch that came through `channel`; `None` of nothing.
pub(super) fn reading(
    trigger: &'static str,
    channel: &Channel,
    records: Vec<Record>,
    edits: Edits<'_>,
) -> Option<Reading> {
    let mut attributes = channel.attributes.to_vec();
    attributes.push(attribute("messaging.operation.name", "process"));
    attributes.push(attribute("messaging.operation.type", "process"));
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    attributes.push(attribute("messaging.batch.message_count", count));
    Some(Reading {
        trigger,
        kind: SpanKind::Consumer,
        name: Some(format!("process {}", channel.name)),
        source: records.first()?.source.to_string(),
        attributes,
        sender: None,
        trace: None,
        join: None,
        records,
        answers: Answers::Opaque,
        request_id: None,
        stripped: edits.apply(),
    })
}

/// Reads one record, out of its channel.
type Read<'a> = fn(&RawRecord<'a>, &Channel, &mut Edits<'a>) -> Record;

/// What records come through: a queue, topic, stream or table. Its records share its texts: there may be 10,000.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    source: Arc<str>,
    attributes: Arc<[KeyValue]>,
}

impl Channel {
    /// `kind` is how its kind is called in `throughline.source`, `system` the `messaging.system` of the semantic
    /// conventions.
    pub(super) fn new(kind: &'static str, system: &'static str, name: Option<String>) -> Arc<Self> {
        let name = name.unwrap_or_else(|| "unknown".to_owned());
        let attributes =
            [attribute("messaging.system", system), attribute("messaging.destination.name", name.as_str())];
        Arc::new(Self { source: format!("{kind} {name}").into(), attributes: attributes.into(), name })
    }

    /// As `throughline.source` has it.
    pub(super) fn source(&self) -> String {
        self.source.to_string()
    }

    /// A record that nothing else is known of yet.
    pub(super) fn record(&self, id: Option<Cow<'_, str>>) -> Record {
        Record {
            id: id.unwrap_or_default().into_owned(),
            source: self.source.clone(),
            sender: None,
            links: Vec::new(),
            join: None,
            sent: None,
            shared: self.attributes.clone(),
            attributes: Vec::new(),
        }
    }
}
