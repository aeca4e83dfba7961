//! What all batches have in common: `Records`, all from one service.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use smallvec::SmallVec;

use super::event::{Event, RawRecord};
use super::json::{self, Part};
use super::scan::{self, MAX_ITEMS, Scanner};
use super::strip::Edits;
use super::{Answers, Reading, Record, dynamodb, kinesis, s3, sns, sqs};
use crate::span::{SpanKind, attribute};

/// Reads an event that is a batch of a service that we know, and nothing else, as Lambda sends it: in one pass.
pub(super) fn alone(event: &str) -> Option<Reading> {
    let mut reading = None;
    scan::whole(event, |scanner| {
        scanner.object(|name, scanner| {
            reading = if name == "Records" { records(event, scanner) } else { None };
            reading.is_some().then_some(())
        })
    })?;
    reading
}

/// The same of an event that has more members, as only somebody else makes it.
pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    scan::whole(event.records.raw()?, |scanner| records(event.text, scanner))
}

/// Reads the list that begins here, a part of `event`: all of one service.
fn records<'a>(event: &'a str, scanner: &mut Scanner<'a>) -> Option<Reading> {
    let mut edits = Edits::new(event);
    let mut batch: Option<Batch<'a>> = None;
    scanner.list(|scanner| {
        let mut raw = RawRecord::default();
        let before = scanner.rest();
        json::fill(&mut raw, scanner)?;
        let batch = match &mut batch {
            Some(batch) => batch,
            // As many as there are if all are as long as the first, so that they are not moved as they become more.
            none => none.insert(Batch::of(&raw, before / (before - scanner.rest()).max(1))?),
        };
        batch.add(&raw, &mut edits)
    })?;
    let Batch { service, first, records, .. } = batch?;
    Some(Reading { answers: service.answers(), ..reading(service.trigger(), &first, records, edits)? })
}

/// What was read so far.
struct Batch<'a> {
    service: Service,
    /// `eventSource` of all.
    source: Part<'a>,
    /// `eventSourceARN` and the partition of the last record.
    place: (Part<'a>, Option<&'a str>),
    channel: Arc<Channel>,
    /// The channel of the first record.
    first: Arc<Channel>,
    records: Vec<Record>,
}

impl<'a> Batch<'a> {
    fn of(raw: &RawRecord<'a>, expected: usize) -> Option<Self> {
        let service = Service::of(&raw.event_source.text()?)?;
        let channel = service.channel(raw);
        let (source, place) = (raw.event_source, service.place(raw));
        let records = Vec::with_capacity(expected.min(MAX_ITEMS));
        Some(Self { service, source, place, first: channel.clone(), channel, records })
    }

    /// `None` if it is of another service.
    fn add(&mut self, raw: &RawRecord<'a>, edits: &mut Edits<'a>) -> Option<()> {
        if raw.event_source != self.source && raw.event_source.text() != self.source.text() {
            return None;
        }
        // One channel for all: Lambda makes a batch of one source, and of one shard.
        let place = self.service.place(raw);
        if place != self.place {
            (self.place, self.channel) = (place, self.service.channel(raw));
        }
        self.records.push(self.service.record(raw, &self.channel, edits));
        Some(())
    }
}

/// A service that makes batches.
#[derive(Clone, Copy)]
enum Service {
    Sqs,
    Sns,
    Kinesis,
    DynamoDb,
    S3,
}

impl Service {
    fn of(event_source: &str) -> Option<Self> {
        match event_source {
            "aws:sqs" => Some(Self::Sqs),
            "aws:sns" => Some(Self::Sns),
            "aws:kinesis" => Some(Self::Kinesis),
            "aws:dynamodb" => Some(Self::DynamoDb),
            "aws:s3" => Some(Self::S3),
            _ => None,
        }
    }

    fn trigger(self) -> &'static str {
        match self {
            Self::Sqs | Self::Sns | Self::Kinesis => "pubsub",
            Self::DynamoDb | Self::S3 => "datasource",
        }
    }

    fn answers(self) -> Answers {
        match self {
            Self::Sqs => Answers::FailedMessages,
            Self::Kinesis | Self::DynamoDb => Answers::FirstFailedRecord,
            Self::Sns | Self::S3 => Answers::Opaque,
        }
    }

    /// What records have in common that come through one channel.
    fn place<'a>(self, raw: &RawRecord<'a>) -> (Part<'a>, Option<&'a str>) {
        let partition = if matches!(self, Self::Kinesis) { kinesis::shard(raw) } else { None };
        (raw.event_source_arn, partition)
    }

    fn channel(self, raw: &RawRecord<'_>) -> Arc<Channel> {
        match self {
            Self::Sqs => sqs::channel(raw),
            Self::Sns => sns::channel(raw),
            Self::Kinesis => kinesis::channel(raw),
            Self::DynamoDb => dynamodb::channel(raw),
            Self::S3 => s3::channel(raw),
        }
    }

    fn record<'a>(self, raw: &RawRecord<'a>, channel: &Channel, edits: &mut Edits<'a>) -> Record {
        match self {
            Self::Sqs => sqs::record(raw, channel, edits),
            Self::Sns => sns::record(raw, edits),
            Self::Kinesis => kinesis::record(raw, channel, edits),
            Self::DynamoDb => dynamodb::record(raw, channel, edits),
            Self::S3 => s3::record(raw, channel),
        }
    }
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
        dry_runs: Vec::new(),
        stripped: edits.apply().map(Into::into),
    })
}

/// What records come through: a queue, topic, stream or table. Its records share its texts: there may be 10,000.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: Arc<str>,
    /// Of a stream: which shard of it.
    pub(super) partition: Option<String>,
    source: Arc<str>,
    attributes: Arc<[KeyValue]>,
}

impl Channel {
    /// `kind` is how its kind is called in `throughline.source`, `system` the `messaging.system` of the semantic
    /// conventions.
    pub(super) fn new(kind: &'static str, system: &'static str, name: Option<String>) -> Arc<Self> {
        let name: Arc<str> = name.as_deref().unwrap_or("unknown").into();
        let attributes =
            [attribute("messaging.system", system), attribute("messaging.destination.name", &*name)];
        let source = format!("{kind} {name}").into();
        Arc::new(Self { source, attributes: attributes.into(), partition: None, name })
    }

    /// The same with one attribute more.
    pub(super) fn with(&self, attribute: KeyValue) -> Self {
        let attributes = self.attributes.iter().cloned().chain([attribute]).collect();
        Self {
            attributes,
            source: self.source.clone(),
            partition: self.partition.clone(),
            name: self.name.clone(),
        }
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
            attributes: SmallVec::new(),
        }
    }
}
