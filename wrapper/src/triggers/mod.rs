//! What an event says about its trigger: who sent it, in which trace, and how to call that.
//!
//! [`read`] looks at the top-level members once and hands them to the file of the trigger they belong to; only what is
//! nothing but `Records`, as Lambda sends a batch, is read by `batch` where it stands. A file a trigger, one shape each:
//! `read` takes the members and gives a [`Reading`], or `None` if the event is not of that shape. Nothing here fails: what
//! is not understood is a direct invoke or an unknown shape (`invoke`).
//!
//! Whose context it is comes from [`carrier`] inside the account and from [`headers`] at the public edge: another
//! dialect is another function there, tried after ours.

mod answer;
mod batch;
mod carrier;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cut_tests;
mod dynamodb;
mod envelope;
mod escape;
mod event;
mod eventbridge;
mod firehose;
mod headers;
mod http;
mod invoke;
mod json;
mod kafka;
mod kinesis;
mod logs;
mod members;
mod mq;
mod payload;
mod s3;
pub(crate) mod scan;
mod services;
mod sns;
mod sqs;
mod step_functions;
mod strip;
#[cfg(test)]
mod tests;
mod time;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use opentelemetry::trace::{SpanContext, TraceId};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use smallvec::SmallVec;

use crate::propagation::{Baggage, Context, MEMBER};
use crate::settings::Settings;
use crate::span::{SpanKind, Value};
pub(crate) use answer::Answer;
use event::Event;
#[cfg(feature = "internals")]
pub(crate) use kinesis::Aggregated;
use strip::Edits;
pub(crate) use strip::without_records;

/// Reads an event, whatever its bytes are.
pub(crate) fn read(event: &Bytes, caller: &Caller<'_>, settings: &Settings) -> Reading {
    // JSON is UTF-8: what is not, no handler can read either.
    let text = std::str::from_utf8(event).unwrap_or_default();
    if let Some(reading) = batch::alone(text) {
        return handed_on(reading, None, caller);
    }
    let event = Event::parse(text);
    match of_service(&event, settings) {
        Some(reading) => handed_on(reading, Some(&event), caller),
        None => invoke::read(&event, caller, settings.trust),
    }
}

/// Reads the event of a service.
fn of_service(event: &Event<'_>, settings: &Settings) -> Option<Reading> {
    batch::read(event)
        .or_else(|| http::read(event, settings.trust))
        .or_else(|| eventbridge::read(event))
        .or_else(|| kafka::read(event))
        .or_else(|| firehose::read(event))
        .or_else(|| mq::read(event))
        .or_else(|| logs::read(event))
}

/// The event of a service may have been handed on by a function that invokes this one: then that is the sender, and what it
/// put beside the service's own members is taken out. No service lets others put a member there.
fn handed_on(mut reading: Reading, event: Option<&Event<'_>>, caller: &Caller<'_>) -> Reading {
    let ours = || carrier::member(event?.carrier.get(MEMBER)).map(Sender::Parent);
    let invoker = carrier::or_span(caller.custom.and_then(carrier::custom), ours);
    reading.sender = carrier::or_span(invoker, || reading.sender.take());
    if let Some(event) =
        event.filter(|event| event.carrier.ours().is_none_or(|mut ours| ours.next().is_some()))
    {
        let text = reading
            .stripped
            .as_deref()
            .map_or(event.text, |text| std::str::from_utf8(text).unwrap_or_default());
        let mut edits = Edits::new(text);
        edits.cut(text, MEMBER);
        reading.stripped = edits.apply().map(Into::into).or(reading.stripped);
    }
    reading
}

/// What the Runtime API says of the caller, beside the event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caller<'a> {
    /// `custom` of the client context, which only a synchronous direct invoke has.
    pub(crate) custom: Option<&'a HashMap<String, String>>,
    /// The id of this invocation, which is also what `Invoke` answers.
    pub(crate) request_id: Option<&'a str>,
}

/// All that the wrapper wants to know of an event.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// `faas.trigger` of the semantic conventions: `http`, `pubsub`, `datasource`, `timer` or `other`.
    pub(crate) trigger: &'static str,
    pub(crate) kind: SpanKind,
    /// Name of the invocation span; `None`: the function's name.
    pub(crate) name: Option<String>,
    /// The trigger for people, e.g. `http POST /orders` or `sqs payments < sns orders`.
    pub(crate) source: String,
    /// Attributes of the invocation span.
    pub(crate) attributes: Vec<KeyValue>,
    /// The context that the event as a whole carries (HTTP, direct invokes, EventBridge).
    pub(crate) sender: Option<Sender>,
    /// The id of the trace that begins here if nobody sent one, where the event says that.
    pub(crate) trace: Option<TraceId>,
    /// What it joins by, where its sender could not say who it is: `service:id`, as the sender's
    /// `throughline.join.out` has it too.
    pub(crate) join: Option<String>,
    /// The records of a batch, in order; empty where the trigger has none.
    pub(crate) records: Vec<Record>,
    /// Those that were taken out: dry runs, of which the function wants none.
    pub(crate) dry_runs: Vec<Record>,
    pub(crate) answers: Answers,
    /// What the API that was called named the request, which becomes the correlation id; never what its client did.
    pub(crate) request_id: Option<String>,
    /// The event without the members that we injected; `None` if it had none.
    pub(crate) stripped: Option<Bytes>,
}

/// What the trigger makes of a handler's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Nothing that tells success from failure.
    #[default]
    Opaque,
    /// An HTTP response with its `statusCode`.
    Response,
    /// The same; whatever has no `statusCode` is the body of a 200.
    ResponseOrBody,
    /// A partial batch response: just the messages that it names come again
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
    FailedMessages,
    /// A partial batch response: the first record that it names comes again, and all after it
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>).
    FirstFailedRecord,
}

/// One message of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// What the batch API finds it by: SQS and SNS message id, Kinesis and DynamoDB sequence number.
    pub(crate) id: String,
    /// As in [`Reading::source`]; one text for all that came the same way.
    pub(crate) source: Arc<str>,
    pub(crate) sender: Option<Sender>,
    /// Other spans that it has to do with: of a record that was made of several, the sender of each.
    pub(crate) links: Vec<SpanContext>,
    /// What it joins by; see [`Reading::join`].
    pub(crate) join: Option<Join>,
    /// When it was sent.
    pub(crate) sent: Option<SystemTime>,
    /// Attributes of the record span that all records of its channel have.
    pub(crate) shared: Arc<[KeyValue]>,
    /// Its own, beside its id.
    pub(crate) attributes: SmallVec<[(&'static str, Value<'static>); 1]>,
}

impl Record {
    /// All attributes of the record span.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let shared = self.shared.iter().map(|attribute| (attribute.key.as_str(), attribute.into()));
        let id = Some(&*self.id).filter(|id| !id.is_empty()).map(|id| ("messaging.message.id", id.into()));
        let own = self.attributes.iter().map(|(key, value)| (*key, value.into()));
        shared.chain(id).chain(own)
    }

    /// What it joins by, as text.
    pub(crate) fn join(&self) -> Option<String> {
        match self.join.as_ref()? {
            Join::Id(id) => Some(id.clone()),
            Join::Item { table, keys } => dynamodb::join(keys, table),
        }
    }
}

/// What a record joins by.
#[derive(Clone, Debug)]
pub(crate) enum Join {
    Id(String),
    /// An item, by its keys as they stand in the event. What they join by is computed when the record's span is made,
    /// and few records of a large batch have one.
    Item {
        table: Arc<str>,
        keys: Box<str>,
    },
}

/// Who sent an event or a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sender {
    /// Its span is the parent, and its baggage is taken.
    Parent(Context),
    /// Its span had to do with it (the previous writer of an item, an untrusted caller): a link.
    Link(Context),
    /// It said what the transaction is called and for whom it runs, and not in which span.
    Ids(Baggage),
}

impl Sender {
    /// The span that it names.
    pub(crate) fn span(&self) -> Option<&SpanContext> {
        match self {
            Self::Parent(context) | Self::Link(context) => Some(&context.span),
            Self::Ids(_) => None,
        }
    }

    /// How many functions lie before the receiver, as far as it says.
    pub(crate) fn hops(&self) -> u16 {
        match self {
            Self::Parent(context) => context.baggage.hops(),
            Self::Ids(ids) => ids.hops(),
            Self::Link(_) => 0,
        }
    }

    /// The sender that several have in common: the first, if all are of one trace, with the baggage that they agree
    /// on; nobody, if one of them is unknown.
    pub(crate) fn common<'a>(mut senders: impl Iterator<Item = Option<&'a Self>>) -> Option<Self> {
        let mut common = senders.next()??.clone();
        for other in senders {
            match (&mut common, other?) {
                (Self::Parent(common), Self::Parent(other))
                    if common.span.trace_id() == other.span.trace_id() =>
                {
                    keep_shared(&mut common.baggage, &other.baggage);
                }
                (Self::Ids(common), Self::Ids(other)) => keep_shared(common, other),
                _ => return None,
            }
        }
        Some(common)
    }
}

/// [`Baggage::keep_shared`], which compares every member with every other: mostly all have the same, or nothing is left.
fn keep_shared(common: &mut Baggage, other: &Baggage) {
    if !common.is_empty() && common != other {
        common.keep_shared(other);
    }
}
