//! OpenTelemetry's own context, for programs whose spans are not (only) those of `tracing`.
//!
//! OpenTelemetry keeps the current span of a thread in a context of its own. While the handler is polled, ours is in it
//! as a remote parent, with our baggage: so the program's spans are our children, in the same trace. The other way round
//! a span of the program's that is current, and of the same trace, is the parent of the calls that are made in it.
//! Only ids and baggage cross; each side exports its own spans. No type of OpenTelemetry is in our API.

use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::{FutureExt as _, SpanContext, SpanId, TraceContextExt as _};
use opentelemetry::{ContextGuard, KeyValue};

use crate::propagation::{Baggage, Context};
use crate::scope::Scope;

/// Makes the scope's span and baggage current, until the guard is dropped.
pub(crate) fn enter(scope: &Scope) -> Option<ContextGuard> {
    let span = scope.span();
    if span.span_id() == SpanId::INVALID {
        return None;
    }
    // Remote: it is not one of the program's own spans, and nothing can be said on it here.
    let remote = SpanContext::new(
        span.trace_id(),
        span.span_id(),
        span.trace_flags(),
        true,
        span.trace_state().clone(),
    );
    let baggage = scope.baggage();
    let members = baggage.iter().map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let context = opentelemetry::Context::current().with_remote_span_context(remote).with_baggage(members);
    Some(context.attach())
}

/// The program's own span that is current here, if it belongs to the scope's trace.
pub(crate) fn span_in(scope: &Scope) -> Option<SpanContext> {
    let span = current_span()?;
    (!span.is_remote() && span.trace_id() == scope.span().trace_id()).then_some(span)
}

/// The scope's baggage, and what the program has said with OpenTelemetry's. The marks that are ours are not its to set.
pub(crate) fn with_current_baggage(baggage: Baggage) -> Baggage {
    baggage.and(&current_baggage())
}

/// What is current where nothing of ours runs.
pub(crate) fn current() -> Option<Context> {
    Some(Context { span: current_span()?, baggage: current_baggage() })
}

/// Takes the context that is current here along into a task, as the scope is.
pub(crate) fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_current_context()
}

/// The same, for a closure.
pub(crate) fn carry_fn<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let context = opentelemetry::Context::current();
    move || {
        let _current = context.attach();
        work()
    }
}

fn current_span() -> Option<SpanContext> {
    opentelemetry::Context::map_current(|context| {
        let span = context.has_active_span().then(|| context.span().span_context().clone());
        span.filter(SpanContext::is_valid)
    })
}

fn current_baggage() -> Baggage {
    opentelemetry::Context::map_current(|context| {
        let mut baggage = Baggage::default();
        for (key, (value, _)) in context.baggage() {
            baggage.set(key.as_str(), value.as_str());
        }
        baggage.without_ours()
    })
}

#[cfg(test)]
mod tests;
