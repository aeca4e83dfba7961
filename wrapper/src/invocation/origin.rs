//! Whose trace an invocation belongs to.

use opentelemetry::trace::SpanContext;

use crate::propagation::Baggage;
use crate::triggers::{Reading, Record, Sender};

/// The trace that an invocation joins.
pub(super) struct Origin {
    pub(super) parent: Option<SpanContext>,
    /// What the whole invocation takes over from its senders.
    pub(super) baggage: Baggage,
    /// How many functions lie before this one, on the longest way: no batch resets the count.
    pub(super) hops: u16,
}

impl Origin {
    /// One sender's trace: its child. Several traces, or records without one: a trace of its own.
    pub(super) fn of(reading: &Reading) -> Self {
        let sender = reading.sender.clone().or_else(|| common(&reading.records));
        let (parent, baggage) = match sender {
            Some(Sender::Parent(context)) => (Some(context.span), context.baggage),
            Some(Sender::Ids(ids)) => (None, ids),
            Some(Sender::Link(_)) | None => (None, Baggage::default()),
        };
        let records = reading.records.iter().filter_map(|record| record.sender.as_ref());
        let hops = reading.sender.iter().chain(records).map(hops).max().unwrap_or_default();
        Self { parent, baggage, hops }
    }
}

fn hops(sender: &Sender) -> u16 {
    match sender {
        Sender::Parent(context) => context.baggage.hops(),
        Sender::Ids(ids) => ids.hops(),
        Sender::Link(_) => 0,
    }
}

/// The other spans that an invocation has to do with, and the message that each came with: the senders of a batch in
/// any case.
///
/// A link stands for a message, as the semantic conventions ask, so that two messages of one sender are two links.
/// A span keeps 128 of them and counts the others; the spans of those records still name their sender.
pub(super) fn links(reading: &Reading) -> impl Iterator<Item = (&SpanContext, Option<&str>)> {
    let senders = reading.records.iter().map(|record| (record.sender.as_ref(), Some(record.id.as_str())));
    std::iter::once((reading.sender.as_ref(), None)).chain(senders).filter_map(|(sender, id)| match sender? {
        Sender::Parent(context) if id.is_some() => Some((&context.span, id)),
        Sender::Link(context) => Some((&context.span, id)),
        Sender::Parent(_) | Sender::Ids(_) => None,
    })
}

/// The sender that all records have in common: the first, if they are of one trace, with the baggage that they agree on.
fn common(records: &[Record]) -> Option<Sender> {
    let (first, others) = records.split_first()?;
    let mut common = first.sender.clone()?;
    for other in others {
        match (&mut common, other.sender.as_ref()?) {
            (Sender::Parent(common), Sender::Parent(other))
                if common.span.trace_id() == other.span.trace_id() =>
            {
                common.baggage.keep_shared(&other.baggage);
            }
            (Sender::Ids(common), Sender::Ids(other)) => common.keep_shared(other),
            _ => return None,
        }
    }
    Some(common)
}
