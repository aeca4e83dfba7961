//! Where a context stands inside the account: values side by side, each in the wrapping of its service.
//!
//! [`values`] reads those that a service keeps by name (message attributes), [`document`] those that are members of
//! a JSON object. Both try every dialect, ours first. What only names the transaction ([`Sender::Ids`]) doesn't end
//! the search for the span that caused it: [`or_span`].

use std::borrow::Cow;

use serde::Deserialize;

use super::Sender;
use super::json::{self, MAX_HEADER, Part};
use crate::propagation::{Baggage, Context, XrayHeader};

/// The longest `_throughline` that is read, in bytes: three headers, and as much again for escapes.
const MAX_MEMBER: usize = 6 * MAX_HEADER;

/// The members of an object that make a context, whatever a value looks like there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Carrier<'a> {
    pub(super) traceparent: Part<'a>,
    pub(super) tracestate: Part<'a>,
    pub(super) baggage: Part<'a>,
}

impl<'a> Carrier<'a> {
    /// The context, with `value` to unwrap each of the three.
    pub(super) fn context(&self, value: impl Fn(Part<'a>) -> Option<Cow<'a, str>>) -> Option<Context> {
        let traceparent = value(self.traceparent)?;
        let (tracestate, baggage) = (value(self.tracestate), value(self.baggage));
        Context::from_headers(&traceparent, tracestate.as_deref(), baggage.as_deref())
    }
}

/// An object that may have our member.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub(super) struct Body<'a> {
    #[serde(rename = "_throughline")]
    pub(super) throughline: Part<'a>,
}

/// The sender that an object of named values tells, with `value` to unwrap each of them.
pub(super) fn values<'a>(
    object: Part<'a>,
    value: impl Fn(Part<'a>) -> Option<Cow<'a, str>>,
) -> Option<Sender> {
    object.object::<Carrier<'_>>()?.context(value).map(Sender::Parent)
}

/// The sender that a JSON object tells among its own members: `_throughline`, else `traceparent`.
pub(super) fn document(object: &str) -> Option<Sender> {
    let ours = member(json::object::<Body<'_>>(object)?.throughline);
    ours.or_else(|| json::object::<Carrier<'_>>(object)?.context(Part::header)).map(Sender::Parent)
}

/// The context in the value of a `_throughline` member.
pub(super) fn member(value: Part<'_>) -> Option<Context> {
    value.raw().filter(|raw| raw.len() <= MAX_MEMBER)?;
    value.object::<Carrier<'_>>()?.context(Part::header)
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
mod tests {
    use super::*;

    fn context(baggage: &str) -> Context {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        Context::from_headers(traceparent, None, Some(baggage)).unwrap()
    }

    #[test]
    fn ids_go_with_the_span_that_is_found_after_them() {
        let ids = || Some(Sender::Ids(Baggage::parse("correlation.id=c,a=1")));
        let parent = |baggage| Some(Sender::Parent(context(baggage)));
        assert_eq!(or_span(ids(), || parent("a=2,b=3")), parent("correlation.id=c,a=1,b=3"));
        assert_eq!(or_span(ids(), || None), ids());
        assert_eq!(or_span(None, || parent("b=3")), parent("b=3"));
        assert_eq!(or_span(parent("a=1"), || panic!("a span is enough")), parent("a=1"));
    }
}
