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
use super::event::{Event, RawRecord};
use super::headers::Headers;
use super::strip::Edits;
use super::{Answers, Caller, Reading};
use crate::propagation::{MEMBER, join};
use crate::settings::Trust;
use crate::span::SpanKind;

pub(super) fn read(event: &Event<'_>, caller: &Caller<'_>, trust: Trust) -> Reading {
    let mut edits = Edits::new(event.text);
    if carrier::mentions_ours(event.text) {
        edits.cut(event.text, MEMBER);
    }
    let sender = carrier::or_span(caller.custom.and_then(carrier::custom), || carrier::document(event.text));
    // An HTTP service that we don't know: as public as those that we do.
    let sender = carrier::or_span(sender, || Headers::of(event).sender(trust));
    Reading {
        trigger: "other",
        kind: SpanKind::Server,
        name: None,
        source: service(event).unwrap_or_else(|| "invoke".to_owned()),
        attributes: Vec::new(),
        sender,
        join: caller.request_id.map(join::lambda),
        records: Vec::new(),
        answers: Answers::Opaque,
        request_id: None,
        stripped: edits.apply(),
    }
}

/// The service that sent records of an unknown shape, such as `s3`.
fn service(event: &Event<'_>) -> Option<String> {
    let records: Vec<RawRecord<'_>> = event.records.list()?;
    let name = records.first()?.event_source.text()?.strip_prefix("aws:")?.to_owned();
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(name)
}

#[cfg(test)]
mod tests;
