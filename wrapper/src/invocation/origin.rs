//! Whose trace an invocation belongs to.

use opentelemetry::trace::SpanContext;

use crate::propagation::Baggage;
use crate::triggers::{Reading, Record, Sender};

/// The trace that an invocation joins, and the spans it has to do with.
pub(super) struct Origin {
    pub(super) parent: Option<SpanContext>,
    /// What the whole invocation takes over from its senders.
    pub(super) baggage: Baggage,
    /// Other spans that it has to do with, and the message each came with.
    pub(super) links: Vec<(SpanContext, Option<String>)>,
}

impl Origin {
    /// One sender's trace: its child. Several traces, or records without one: a trace of its own. The
    /// messages of a batch are linked in any case.
    pub(super) fn of(reading: &Reading) -> Self {
        let senders = reading.records.iter().map(|record| (record.sender.as_ref(), Some(record.id.clone())));
        let links = std::iter::once((reading.sender.as_ref(), None))
            .chain(senders)
            .filter_map(|(sender, id)| match sender? {
                Sender::Parent(context) if id.is_some() => Some((context.span.clone(), id)),
                Sender::Link(context) => Some((context.span.clone(), id)),
                Sender::Parent(_) | Sender::Ids(_) => None,
            })
            .collect();
        let sender = reading.sender.clone().or_else(|| common(&reading.records));
        let (parent, baggage) = match sender {
            Some(Sender::Parent(context)) => (Some(context.span), context.baggage),
            Some(Sender::Ids(ids)) => (None, ids),
            Some(Sender::Link(_)) | None => (None, Baggage::default()),
        };
        Self { parent, baggage, links }
    }
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
                common.baggage = common.baggage.shared_with(&other.baggage);
            }
            (Sender::Ids(common), Sender::Ids(other)) => *common = common.shared_with(other),
            _ => return None,
        }
    }
    Some(common)
}
