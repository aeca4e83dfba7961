//! Whose trace an invocation belongs to.

use opentelemetry::trace::SpanContext;

use super::Invocation;
use crate::propagation::Baggage;
use crate::settings::RecordSender;
use crate::triggers::{Reading, Sender};

/// The trace that an invocation joins.
pub(super) struct Origin {
    pub(super) parent: Option<SpanContext>,
    /// What the whole invocation takes over from its senders.
    pub(super) baggage: Baggage,
    /// How many functions lie before this one, on the longest way: no batch resets the count.
    pub(super) hops: u16,
    /// The same on the shortest.
    pub(super) fewest_hops: u16,
}

impl Origin {
    /// One sender's trace: its child. Several traces, or records without one: a trace of its own.
    pub(super) fn of(reading: &Reading) -> Self {
        let sender = reading
            .sender
            .clone()
            .or_else(|| Sender::common(reading.records.iter().map(|record| record.sender.as_ref())));
        let (parent, baggage) = match sender {
            Some(Sender::Parent(context)) => (Some(context.span), context.baggage),
            Some(Sender::Ids(ids)) => (None, ids),
            Some(Sender::Link(_)) | None => (None, Baggage::default()),
        };
        let whole = reading.sender.as_ref().map(Sender::hops);
        let records = reading.records.iter().map(|record| record.sender.as_ref().map_or(0, Sender::hops));
        let (fewest_hops, hops) = whole
            .into_iter()
            .chain(records)
            .fold(None, |bounds, hops| match bounds {
                None => Some((hops, hops)),
                Some((fewest, most)) => Some((hops.min(fewest), hops.max(most))),
            })
            .unwrap_or_default();
        Self { parent, baggage, hops, fewest_hops }
    }
}

/// Whose child the span of a record is.
pub(super) struct RecordOrigin {
    pub(super) parent: SpanContext,
    pub(super) baggage: Baggage,
    /// The sender, where it is not the parent.
    pub(super) link: Option<SpanContext>,
}

impl RecordOrigin {
    /// The sender's child. Where nobody sent a context, where the invocation itself is the sender's child, and by
    /// configuration the invocation's. What came with the record goes on in any case.
    pub(super) fn of(sender: Option<&Sender>, invocation: &Invocation) -> Self {
        let (span, baggage) = match sender {
            Some(Sender::Parent(sender)) => (Some(&sender.span), sender.baggage.clone()),
            Some(Sender::Link(sender)) => (Some(&sender.span), Baggage::default()),
            Some(Sender::Ids(ids)) => (None, ids.clone()),
            None => (None, Baggage::default()),
        };
        let span = span.filter(|span| invocation.parent.as_ref() != Some(*span)).cloned();
        let child = matches!(sender, Some(Sender::Parent(_)))
            && invocation.settings().record_sender == RecordSender::Parent;
        let (parent, link) = if child { (span, None) } else { (None, span) };
        Self { parent: parent.unwrap_or_else(|| invocation.context.clone()), baggage, link }
    }
}

/// The other spans that an invocation has to do with, and the message that each came with: the senders of a batch in
/// any case.
///
/// A link stands for a message, as the semantic conventions ask, so that two messages of one sender are two links.
/// A span keeps 128 of them and counts the others; the spans of those records still name their sender.
pub(super) fn links(reading: &Reading) -> impl Iterator<Item = (&SpanContext, Option<&str>)> {
    let whole = reading.sender.iter().filter_map(|sender| match sender {
        Sender::Link(context) => Some((&context.span, None)),
        Sender::Parent(_) | Sender::Ids(_) => None,
    });
    let records = reading.records.iter().flat_map(|record| {
        // A record that was made of several names its sender among them.
        let own = record.sender.as_ref().filter(|_| record.links.is_empty()).and_then(Sender::span);
        own.into_iter().chain(&record.links).map(|span| (span, Some(record.id.as_str())))
    });
    whole.chain(records)
}
