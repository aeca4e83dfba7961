//! Who is let in: a function that takes no part in dry runs is given none.

use bytes::Bytes;

use super::{Mark, REFUSED};
use crate::diagnostics::warn_of;
use crate::invocation::Ids;
use crate::propagation::Baggage;
use crate::settings::Settings;
use crate::triggers::{Answers, Reading, Record, Sender, without_records};

/// Why a handler is not called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
    /// What is refused counts as done: nothing failed.
    pub(crate) is_done: bool,
}

/// What the records of an event make of the invocation.
pub(crate) fn mark(reading: &Reading) -> Option<Mark> {
    if reading.sender.as_ref().is_some_and(is_marked) {
        return Some(Mark::DryRun);
    }
    match reading.records.iter().filter(|record| is_dry_run(record)).count() {
        0 => None,
        all if all == reading.records.len() => Some(Mark::DryRun),
        _ => Some(Mark::Mixed),
    }
}

fn is_dry_run(record: &Record) -> bool {
    record.sender.as_ref().is_some_and(is_marked)
}

fn is_marked(sender: &Sender) -> bool {
    match sender {
        Sender::Parent(context) => context.baggage.marked(Baggage::DRY_RUN),
        Sender::Ids(ids) => ids.marked(Baggage::DRY_RUN),
        // Its baggage is not taken.
        Sender::Link(_) => false,
    }
}

/// Takes the dry runs out of a batch that Lambda polls, if the function takes no part in them.
pub(crate) fn turn_away(reading: &mut Reading, event: &mut Bytes, settings: &Settings) {
    if !is_polled(reading) || settings.dry_run.accepts() || !reading.records.iter().any(is_dry_run) {
        return;
    }
    let marked: Vec<bool> = reading.records.iter().map(is_dry_run).collect();
    let text = std::str::from_utf8(event).unwrap_or_default();
    // Where they can't be taken out, the invocation is refused as a whole.
    let Some(rest) = without_records(text, &marked) else { return };
    *event = rest.into();
    (reading.dry_runs, reading.records) =
        std::mem::take(&mut reading.records).into_iter().partition(is_dry_run);
}

/// Whether Lambda asks for its records itself, and asks again for what failed.
fn is_polled(reading: &Reading) -> bool {
    let kind = reading.source.split(' ').next().unwrap_or_default();
    reading.sender.is_none()
        && (reading.answers == Answers::FailedMessages
            || reading.answers == Answers::FirstFailedRecord
            || ["kafka", "activemq", "rabbitmq"].contains(&kind))
}

/// Why the handler of an invocation is not called; said in the log. `None` if it is.
pub(crate) fn refusal(ids: Ids<'_>, reading: &Reading, settings: &Settings) -> Option<Refusal> {
    if settings.dry_run.accepts() {
        return None;
    }
    let request_id = ids.request_id;
    let (taken_out, left) = (reading.dry_runs.len(), reading.records.len());
    if taken_out > 0 {
        let all = taken_out + left;
        let message = format!(
            "{taken_out} of {all} records are dry runs, in which this function takes no part: they are left out"
        );
        warn_of(ids, &format!("request {request_id}: {message} (throughline::dry_run)"));
        return (left == 0).then_some(Refusal { error_type: REFUSED, message, is_done: true });
    }
    mark(reading)?;
    let message = "it is a dry run, in which this function takes no part: it is refused".to_owned();
    warn_of(ids, &format!("request {request_id}: {message} (throughline::dry_run)"));
    Some(Refusal { error_type: REFUSED, message, is_done: false })
}
