//! EventBridge: the context as `TraceHeader` of each event, and as member `_throughline` of its detail.
//!
//! An event bus hands `TraceHeader` on to few of its targets, the detail to all of them.

use aws_sdk_eventbridge::operation::put_events::{PutEventsError, PutEventsInput, PutEventsOutput};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::call::{Call, Hop};
use super::json::with_member;
use super::limits::room;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::propagation::join;
use crate::span::SpanKind;

const SYSTEM: &str = "aws.eventbridge";

/// What all events of a request must be less than, in bytes: 256 KB until January 2026, since then 1 MB
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const LIMITS: [usize; 2] = [256 * 1024 - 1, 1024 * 1024 - 1];

/// What stays free below a limit: a bus hands an event on in an envelope, to queues, topics and functions that have
/// the same limits. One that they took without us they take with us.
const ENVELOPE: usize = 1024;

/// What an event's time counts for.
const TIME: usize = 14;

/// The longest `TraceHeader`
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>).
const MAX_HEADER: usize = 500;

#[derive(Debug)]
pub(super) struct EventBridge;

impl Service for EventBridge {
    fn name(&self) -> &'static str {
        "EventBridge"
    }

    fn kind(&self, operation: &str) -> SpanKind {
        if operation == "PutEvents" { SpanKind::Producer } else { SpanKind::Client }
    }

    /// The bus that all events go to.
    fn destination<'a>(&self, input: &'a Input) -> Option<&'a str> {
        let mut buses = input.downcast_ref::<PutEventsInput>()?.entries().iter().map(bus);
        let first = buses.next()?;
        buses.all(|other| other == first).then_some(first)
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        let Some(input) = input.downcast_mut::<PutEventsInput>() else { return };
        let entries = input.entries.as_deref_mut().unwrap_or_default();
        call.sends(SYSTEM, Some(entries.len()));
        let mut total: usize = entries.iter().map(size).sum();
        for (index, entry) in entries.iter_mut().enumerate() {
            call.create_for(Some(bus(entry)), index.to_string(), SYSTEM);
            let before = size(entry);
            let room = room(total, &LIMITS).saturating_sub(ENVELOPE);
            let outcome = write(entry, &call.hop(), room);
            call.injected(outcome);
            total += size(entry) - before;
        }
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        let Some(output) = output.downcast_ref::<PutEventsOutput>() else { return };
        // The answer has the events in the order of the request.
        for (index, result) in output.entries().iter().enumerate() {
            let entry = index.to_string();
            if let Some(id) = result.event_id() {
                call.sent(Some(&entry), id, join::eventbridge(id));
            } else if let Some(code) = result.error_code() {
                call.refused(&entry, code, result.error_message().unwrap_or_default());
            }
        }
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(error, PutEventsError)
    }
}

/// The name of an event's bus, given as such or at the end of its ARN.
fn bus(entry: &PutEventsRequestEntry) -> &str {
    let name = entry.event_bus_name().unwrap_or("default");
    name.rsplit('/').next().unwrap_or(name)
}

/// What an event counts for
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>).
fn size(entry: &PutEventsRequestEntry) -> usize {
    let text = |text: Option<&str>| text.map_or(0, str::len);
    let resources: usize = entry.resources().iter().map(String::len).sum();
    entry.time().map_or(0, |_| TIME)
        + text(entry.source())
        + text(entry.detail_type())
        + text(entry.detail())
        + resources
}

/// Writes a context into an event.
fn write(entry: &mut PutEventsRequestEntry, hop: &Hop, room: usize) -> Outcome {
    let detail = entry.detail.as_deref().unwrap_or_default().as_bytes();
    let written = with_member(detail, &hop.carrier, detail.len() + room)
        .and_then(|detail| String::from_utf8(detail).map_err(|_| Skipped::NotJsonObject));
    let mut outcome = match written {
        Ok(detail) => {
            entry.detail = Some(detail);
            Outcome::done(Injected::Body)
        }
        // What the caller put there names another sender than a header of ours would.
        Err(Skipped::CallerSet) => return Outcome::skipped(Skipped::CallerSet),
        Err(why) => Outcome::skipped(why),
    };
    // Doesn't count toward the size.
    if entry.trace_header.is_none() && hop.xray.len() <= MAX_HEADER {
        entry.trace_header = Some(hop.xray.clone());
        if outcome.injected == Injected::None {
            outcome.injected = Injected::Header;
        }
    }
    outcome
}

#[cfg(all(test, feature = "sqs"))]
mod tests;
