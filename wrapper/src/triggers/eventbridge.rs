//! EventBridge: the members of `detail`, of which `_throughline` is ours. A schedule is an event without a sender.
//!
//! Events come to a function, or in what a queue, topic or stream carries that a rule has for its target.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::carrier;
use super::event::Event;
use super::json::{self, shape};
use super::s3::Object;
use super::strip::{self, Edits, Ranges};
use super::{Answers, Reading, Sender};
use crate::propagation::{MEMBER, join};
use crate::span::{SpanKind, attribute};

pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let bus_event =
        BusEvent { detail: event.detail, detail_type: event.detail_type, id: event.id, source: event.source };
    let (source, detail_type) = bus_event.names()?;
    let mut edits = Edits::new(event.text);
    for cut in bus_event.injected() {
        if let Some(member) = event.detail.raw().and_then(|detail| detail.get(cut)) {
            edits.replace(member, String::new());
        }
    }
    // Rules with a schedule, and EventBridge Scheduler.
    let schedule = matches!((&*source, &*detail_type), ("aws.events" | "aws.scheduler", "Scheduled Event"));
    let mut reading = Reading {
        trigger: "pubsub",
        kind: SpanKind::Consumer,
        name: None,
        source: bus_event.source(),
        attributes: Vec::new(),
        sender: bus_event.sender(),
        trace: None,
        join: None,
        records: Vec::new(),
        answers: Answers::Opaque,
        request_id: None,
        dry_runs: Vec::new(),
        stripped: edits.apply().map(Into::into),
    };
    if schedule {
        reading.trigger = "timer";
        reading.kind = SpanKind::Server;
        reading.source = format!("schedule {}", rule(event).as_deref().unwrap_or("unknown"));
        return Some(reading);
    }
    reading.join = bus_event.join();
    reading.attributes = bus_event.attributes();
    Some(reading)
}

shape! {
    /// An event as a rule delivers it
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>).
    pub(super) struct BusEvent {
        pub(super) detail: "detail",
        detail_type: "detail-type",
        id: "id",
        source: "source",
    }
}

impl<'a> BusEvent<'a> {
    /// The event that a message consists of; `None` for what only looks like one.
    pub(super) fn envelope(body: &'a str) -> Option<Self> {
        // Made once: that costs more than to search a short text.
        static MARK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("detail-type"));
        MARK.find(body.as_bytes())?;
        let event: Self = json::object(body)?;
        let is_one = event.names().is_some() && event.id.text().is_some();
        is_one.then_some(event)
    }

    /// Who it is from, and what kind of event it is, if it is one.
    fn names(&self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        self.detail.raw().filter(|detail| detail.starts_with('{'))?;
        Some((self.source.header()?, self.detail_type.header()?))
    }

    /// As `throughline.source` has it.
    pub(super) fn source(&self) -> String {
        self.names().map_or_else(String::new, |(source, kind)| format!("event {source} {kind}"))
    }

    pub(super) fn sender(&self) -> Option<Sender> {
        carrier::document(self.detail.raw()?)
    }

    /// S3 names the request that changed the object; others have the id that `PutEvents` answered.
    pub(super) fn join(&self) -> Option<String> {
        let object = self.object().and_then(|object| object.join);
        object.or_else(|| Some(join::eventbridge(&self.id.header()?)))
    }

    /// What in `detail` is ours.
    pub(super) fn injected(&self) -> Ranges {
        let detail = self.detail.raw().unwrap_or_default();
        if carrier::mentions_ours(detail) { strip::members(detail, MEMBER) } else { Ranges::new() }
    }

    /// The object of an S3 event, which comes this way where the bucket says so.
    fn object(&self) -> Option<Object> {
        (&*self.source.header()? == "aws.s3").then(|| Object::of_detail(self.detail))?
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            attribute("messaging.system", "aws.eventbridge"),
            attribute("messaging.operation.name", "process"),
            attribute("messaging.operation.type", "process"),
        ];
        if let Some(id) = self.id.text() {
            attributes.push(attribute("messaging.message.id", id.into_owned()));
        }
        let object = self.object().into_iter().flat_map(|object| object.attributes);
        attributes.extend(object.map(|(key, value)| attribute(key, value)));
        attributes
    }
}

/// Name of the rule or schedule: the end of its ARN, `rule/<bus>/<name>` or `schedule/<group>/<name>`.
fn rule(event: &Event<'_>) -> Option<String> {
    let arn = event.resources.first()?.text()?;
    arn.rsplit_once('/').map(|(_, name)| name.to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
