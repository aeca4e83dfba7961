//! Where a context stands inside the account: values side by side, each in the wrapping of its service.
//!
//! [`values`] reads those that a service keeps by name (message attributes), [`custom`] those of a client context,
//! [`document`] those that are members of a JSON object. All try every dialect, ours first. What only names the
//! transaction ([`Sender::Ids`]) doesn't end the search for the span that caused it: [`or_span`]. Beside a span it
//! comes along, and the span's own baggage wins.

mod members;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Sender;
use super::json::{self, MAX_HEADER, Part};
use crate::propagation::{Baggage, Context, MEMBER, Named, XrayHeader};
pub(super) use members::Carrier;

/// The longest object that is read as a carrier, in bytes: three headers, and as much again for escapes.
const MAX_MEMBER: usize = 6 * MAX_HEADER;
/// What Datadog's context is called, among message attributes (as text) and in a document (as an object).
const DATADOG: &str = "_datadog";
/// What the context of DAZN's lambda-powertools is called in a document.
const DAZN: &str = "__context__";

/// The sender that an object of named values tells, with `value` to unwrap each of them: `traceparent`, else
/// `_datadog`, else `x-datadog-*`, else `X-Amzn-Trace-Id` (which OpenTelemetry's propagator for X-Ray puts there, the
/// only one that AWS's layer for Python has by default); and `x-correlation-*`.
pub(super) fn values<'a>(
    carrier: &Carrier<'a>,
    value: impl Fn(Part<'a>) -> Option<Cow<'a, str>>,
) -> Option<Sender> {
    let named = carrier.named(&value);
    let datadog = || datadog(&value(carrier.get(DATADOG))?);
    let span = span(&named, datadog);
    let beside = named.beside(span.as_ref());
    sender(span, beside)
}

/// The same of a list of objects, with a value each.
pub(super) fn listed<'a>(list: Part<'a>, value: impl Fn(Part<'a>) -> Option<Cow<'a, str>>) -> Option<Sender> {
    let mut all = Carrier::default();
    for one in list.list()? {
        all.append(one);
    }
    values(&all, value)
}

/// The sender that the custom values of a client context tell, as [`values`] does, and `__context__` in them.
pub(super) fn custom(values: &HashMap<String, String>) -> Option<Sender> {
    let mut named = Named::default();
    for (name, value) in values.iter().filter(|(name, _)| Named::knows(name)) {
        named.add(name, value.into());
    }
    let datadog = || datadog(values.get(DATADOG)?);
    let ids = values.get(DAZN).and_then(|context| ids(context)).unwrap_or_default();
    let span = span(&named, datadog);
    let beside = named.beside(span.as_ref()).and(&ids);
    sender(span, beside)
}

/// The span in the first dialect that has one; `datadog` reads `_datadog`.
fn span(named: &Named<'_>, datadog: impl FnOnce() -> Option<Context>) -> Option<Context> {
    named.w3c().or_else(datadog).or_else(|| named.datadog()).or_else(|| named.xray())
}

/// The sender that a JSON object tells among its own members: `_throughline`, else `traceparent` (which is also
/// where an event in the CloudEvents format has it,
/// <https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md>), else `_datadog`;
/// and `__context__`.
///
/// Only our member is written by our senders in any case, whatever was there before. The others may be a client's, in a
/// document that a function passed on as it came: they don't say what only code inside may.
pub(super) fn document(object: &str) -> Option<Sender> {
    members(&json::object(object)?)
}

/// [`document`] of an object that was read already.
pub(super) fn members(carrier: &Carrier<'_>) -> Option<Sender> {
    let ours = || member(carrier.get(MEMBER));
    let theirs = || {
        let context = carrier.context(Part::header);
        let context = context.or_else(|| datadog(&inner_object(carrier.get(DATADOG))?))?;
        Some(Context { baggage: context.baggage.without_ours(), ..context })
    };
    let span = ours().or_else(theirs);
    let ids = inner_object(carrier.get(DAZN)).and_then(|context| ids(&context)).unwrap_or_default();
    sender(span, ids)
}

/// Whether a JSON text may have our member.
pub(super) fn mentions_ours(text: &str) -> bool {
    // Made once: that costs more than to search a short text.
    static OURS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(MEMBER));
    OURS.find(text.as_bytes()).is_some()
}

/// The context in the value of a `_throughline` member.
pub(super) fn member(value: Part<'_>) -> Option<Context> {
    value.raw().filter(|raw| raw.len() <= MAX_MEMBER)?;
    value.object::<Carrier<'_>>()?.context(Part::header)
}

/// The context in Datadog's object, which has W3C's names beside its own.
fn datadog(object: &str) -> Option<Context> {
    let named = named(object)?;
    named.w3c().or_else(|| named.datadog())
}

/// What DAZN's object tells.
fn ids(object: &str) -> Option<Baggage> {
    Some(named(object)?.ids())
}

fn named(object: &str) -> Option<Named<'_>> {
    let object = Some(object).filter(|object| object.len() <= MAX_MEMBER)?;
    Some(json::object::<Carrier<'_>>(object)?.named(Part::scalar))
}

/// An object, or the text of one.
fn inner_object(value: Part<'_>) -> Option<Cow<'_, str>> {
    let raw = value.raw().filter(|raw| raw.len() <= 2 * MAX_MEMBER)?;
    if raw.starts_with('{') { Some(Cow::Borrowed(raw)) } else { value.text() }
}

/// A span with what else is known of the transaction, or that alone.
pub(super) fn sender(span: Option<Context>, ids: Baggage) -> Option<Sender> {
    match span {
        Some(span) => Some(Sender::Parent(Context { baggage: span.baggage.and(&ids), ..span })),
        None => (!ids.is_empty()).then_some(Sender::Ids(ids)),
    }
}

/// The context in an X-Ray header, if it has a parent.
pub(super) fn xray(header: &str) -> Option<Context> {
    Some(Context { span: XrayHeader::parse(header)?.span()?, baggage: Baggage::default() })
}

/// `found`, or what `next` finds if that is nothing, or is no span: then its ids come along.
pub(super) fn or_span(found: Option<Sender>, next: impl FnOnce() -> Option<Sender>) -> Option<Sender> {
    let Some(Sender::Ids(ids)) = found else { return found.or_else(next) };
    Some(match next() {
        Some(Sender::Parent(context)) => {
            Sender::Parent(Context { baggage: ids.and(&context.baggage), ..context })
        }
        Some(Sender::Link(context)) => {
            Sender::Link(Context { baggage: ids.and(&context.baggage), ..context })
        }
        Some(Sender::Ids(more)) => Sender::Ids(ids.and(&more)),
        None => Sender::Ids(ids),
    })
}

#[cfg(test)]
mod tests;
