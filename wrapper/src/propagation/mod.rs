//! The wire format: how a trace context and its baggage are written into, and read from, carriers.
//!
//! Codecs here are pure and total: any bytes go in, and a context or nothing comes out.

mod baggage;
mod carrier;
mod datadog;
mod dazn;
mod hex;
pub(crate) mod join;
mod named;
mod traceparent;
mod xray;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

pub(crate) use baggage::Baggage;
pub(crate) use carrier::{Carrier, MEMBER};
pub(crate) use named::{Meaning, Named};
pub(crate) use xray::XrayHeader;

/// What crosses a hop: the span that caused it and the baggage that travels with the transaction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Context {
    pub(crate) span: SpanContext,
    pub(crate) baggage: Baggage,
}

impl Context {
    /// The context that the headers or attributes of a message carry, if they carry one.
    ///
    /// `None` unless `traceparent` is valid: `tracestate` and `baggage` mean nothing without it.
    pub(crate) fn from_headers(
        traceparent: &str,
        tracestate: Option<&str>,
        baggage: Option<&str>,
    ) -> Option<Self> {
        let span = traceparent::parse(traceparent, tracestate)?;
        let baggage = baggage.map(Baggage::parse).unwrap_or_default();
        Some(Self { span, baggage })
    }

    /// The three values as they are written into a carrier.
    pub(crate) fn to_carrier(&self) -> Carrier {
        Carrier {
            traceparent: traceparent::format(&self.span),
            tracestate: Some(self.span.trace_state().header()).filter(|state| !state.is_empty()),
            baggage: self.baggage.header(),
        }
    }
}

/// A fresh, random, sampled span under `parent`, in its trace and with its state.
///
/// Whether the trace's id is random is the parent's to say (<https://www.w3.org/TR/trace-context-2/#random-trace-id-flag>);
/// that the span is recorded is ours, whatever the parent's sampler decided.
pub(crate) fn child_of(parent: &SpanContext) -> SpanContext {
    let span = root(Some(parent.trace_id()));
    let flags = parent.trace_flags() | TraceFlags::SAMPLED;
    SpanContext::new(span.trace_id(), span.span_id(), flags, false, parent.trace_state().clone())
}

/// A fresh, random, sampled span that has no parent, in `trace` or in a new one.
///
/// Ids come from the kernel at every call: a generator seeded before a snapshot would give every restored
/// sandbox the same ids.
pub(crate) fn root(trace: Option<TraceId>) -> SpanContext {
    let mut bytes = [0_u8; 24];
    if getrandom::fill(&mut bytes).is_err() {
        return SpanContext::empty_context();
    }
    let (for_trace, for_span) = bytes.split_at(16);
    let trace = trace.unwrap_or_else(|| TraceId::from_bytes(for_trace.try_into().unwrap_or_default()));
    let span = SpanId::from_bytes(for_span.try_into().unwrap_or_default());
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}
