//! A direct invoke, and whatever else we don't know the shape of: our member or `traceparent` at the top level.
//!
//! Whoever may invoke the function is inside the account, so this context is trusted, whatever
//! `THROUGHLINE_TRUST_INBOUND` says. An API Gateway REST API whose integration is *not* a proxy breaks that: it
//! hands on what its mapping template makes, and if that is the client's body (`$input.body`, `$input.json('$')`,
//! or no template at all) nothing tells it from a direct invoke, or, with `Records`, from a batch: the client
//! chooses trace and baggage. Use the proxy integration, or a template that puts the body under a member of its own
//! (`{"body": $input.json('$')}`), where no context is looked for. The same holds for an IoT rule that hands on all
//! that a device sent, and for AppSync's request mappings.

use super::carrier;
use super::event::Event;
use super::headers::Headers;
use super::step_functions::Execution;
use super::strip::Edits;
use super::{Answers, Caller, Reading, services};
use crate::propagation::join;
use crate::settings::Trust;
use crate::span::SpanKind;

pub(super) fn read(event: &Event<'_>, caller: &Caller<'_>, trust: Trust) -> Reading {
    let mut edits = Edits::new(event.text);
    edits.cut_ours(event.text, &event.carrier);
    let sender =
        carrier::or_span(caller.custom.and_then(carrier::custom), || carrier::members(&event.carrier));
    // An HTTP service that we don't know: as public as those that we do.
    let sender = carrier::or_span(sender, || Headers::of(event).sender(trust));
    let execution = Execution::of(event.text);
    Reading {
        trigger: "other",
        kind: SpanKind::Server,
        name: None,
        source: execution
            .as_ref()
            .map(Execution::source)
            .or_else(|| services::name(event))
            .unwrap_or_else(|| "invoke".to_owned()),
        attributes: execution.as_ref().map(Execution::attributes).unwrap_or_default(),
        sender,
        trace: execution.as_ref().map(Execution::trace),
        join: execution.as_ref().map(Execution::join).or_else(|| caller.request_id.map(join::lambda)),
        records: Vec::new(),
        answers: Answers::Opaque,
        request_id: None,
        dry_runs: Vec::new(),
        stripped: edits.apply().map(Into::into),
    }
}

#[cfg(test)]
mod tests;
