//! EventBridge: the member `_throughline` of `detail`. A schedule is an event without a sender.

use super::carrier::{self, Body};
use super::event::Event;
use super::strip::Edits;
use super::{Reading, Sender};
use crate::propagation::{MEMBER, join};
use crate::span::{SpanKind, attribute};

pub(super) fn read(event: &Event<'_>) -> Option<Reading> {
    let (source, detail_type) = (event.source.text()?, event.detail_type.text()?);
    let detail = event.detail.object::<Body<'_>>()?;
    let mut edits = Edits::new(event.text);
    if let Some(detail) = event.detail.raw().filter(|detail| detail.contains(MEMBER)) {
        edits.cut(detail, MEMBER);
    }
    // Rules with a schedule, and EventBridge Scheduler.
    let schedule = matches!((&*source, &*detail_type), ("aws.events" | "aws.scheduler", "Scheduled Event"));
    let mut reading = Reading {
        trigger: "pubsub",
        kind: SpanKind::Consumer,
        name: None,
        source: format!("event {source} {detail_type}"),
        attributes: Vec::new(),
        sender: carrier::member(detail.throughline).map(Sender::Parent),
        join: None,
        records: Vec::new(),
        partial: None,
        request_id: None,
        stripped: edits.apply(),
    };
    if schedule {
        reading.trigger = "timer";
        reading.kind = SpanKind::Server;
        reading.source = format!("schedule {}", rule(event).as_deref().unwrap_or("unknown"));
        return Some(reading);
    }
    reading.attributes = vec![
        attribute("messaging.system", "aws.eventbridge"),
        attribute("messaging.operation.name", "process"),
        attribute("messaging.operation.type", "process"),
    ];
    if let Some(id) = event.id.text() {
        reading.join = Some(join::eventbridge(&id));
        reading.attributes.push(attribute("messaging.message.id", id.into_owned()));
    }
    Some(reading)
}

/// Name of the rule or schedule: the end of its ARN, `rule/<bus>/<name>` or `schedule/<group>/<name>`.
fn rule(event: &Event<'_>) -> Option<String> {
    let arn = event.resources.list::<super::json::Part<'_>>()?.first()?.text()?;
    arn.rsplit_once('/').map(|(_, name)| name.to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
