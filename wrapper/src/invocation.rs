//! One run of the function: its spans, from the event's arrival to their hand-over.

mod answers;
mod describe;
mod ends;
mod ids;
mod journal;
mod margin;
mod origin;
mod records;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

use crate::capture::Taken;
use crate::debug::Ring;
use crate::diagnostics::warn_of;
use crate::dry_run::{self, Mark, Refusal};
use crate::loop_guard;
use crate::propagation::{Baggage, Context, XrayHeader, child_of, root};
use crate::recorder::Journal;
use crate::scope::Scope;
use crate::settings::{Settings, Trust};
use crate::span::{EndedSpan, Failure, Span, attribute};
use crate::swallowed::Swallowed;
use crate::tracer::Tracer;
use crate::triggers::{Answers, Reading};
use describe::{describe, describe_call};
use ends::Ends;
pub(crate) use ids::Ids;
use origin::{Origin, links};
use records::Records;

/// The most bytes of ended spans that one invocation keeps; more are dropped and counted. With what else stands
/// in the request it stays under the 4 MiB that the extension takes at once.
const MAX_BYTES: usize = 3 * 1024 * 1024;

/// What the Runtime API says of an invocation, besides the event.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) request_id: String,
    pub(crate) function_name: String,
    pub(crate) function_arn: String,
    /// Whose data the sandbox is for, where tenants are kept apart.
    pub(crate) tenant_id: Option<String>,
    pub(crate) xray: Option<XrayHeader>,
    pub(crate) cold_start: bool,
    /// The beginning of the event; `None` where there was none.
    pub(crate) event: Option<Taken>,
    /// The size of the event as it came.
    pub(crate) event_bytes: usize,
    pub(crate) received: SystemTime,
}

/// The state of an invocation. Every span that ends in it is kept here until the hand-over.
#[derive(Debug)]
pub(crate) struct Invocation {
    tracer: Arc<Tracer>,
    xray: Option<XrayHeader>,
    request_id: String,
    correlation_id: Option<String>,
    event: Option<Taken>,
    received: SystemTime,
    context: SpanContext,
    parent: Option<SpanContext>,
    answers: Answers,
    refusal: Option<Refusal>,
    /// Some of its records are dry runs, and others are not.
    mixes_dry_runs: bool,
    records: Records,
    swallowed: Arc<Swallowed>,
    /// `None` where the flight recorder is off.
    journal: Option<Journal>,
    debug_lines: Ring,
    /// Held while the part of it is told that there is before its end.
    partly: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The invocation span while it runs.
    open: Option<Span>,
    ended: Vec<EndedSpan>,
    bytes: usize,
    dropped: i64,
    /// The handler was called: the event could be deserialized.
    reached: bool,
    ends: Ends,
    /// The beginning of its answer.
    answer: Option<Taken>,
}

impl Invocation {
    /// Opens an invocation: decides whose trace it belongs to and begins its span.
    pub(crate) fn open(tracer: Arc<Tracer>, call: Call, reading: Reading) -> (Arc<Self>, Scope) {
        let origin = Origin::of(&reading);
        let trace = match &call.xray {
            _ if reading.trace.is_some() => reading.trace,
            // X-Ray's id may have come with the request: an untrusted client would have chosen it.
            Some(_) if reading.trigger == "http" && tracer.settings().trust == Trust::None => None,
            // A trace that begins here takes X-Ray's id, so that both tools show the same transaction.
            Some(xray) => Some(xray.trace_id),
            None => None,
        };
        let parent = origin.parent;
        let context = parent.as_ref().map_or_else(|| root(trace), child_of);

        let name = reading.name.as_deref().unwrap_or(&call.function_name);
        let mut span = Span::start(context.clone(), parent.as_ref(), reading.kind, name, call.received);
        let mut baggage = origin.baggage;
        // A message that comes again is of the same transaction, so the message names it where it is alone.
        let alone = if let [record] = &*reading.records { Some(&*record.id) } else { None };
        baggage.identify(reading.request_id.as_deref().into_iter().chain(alone).chain([&*call.request_id]));
        baggage.arrive(&reading.source, origin.hops);
        tracer.settings().mark(&mut baggage);
        let mark = dry_run::mark(&reading);
        if mark == Some(Mark::DryRun) {
            baggage.set(Baggage::DRY_RUN, "true");
        }
        let guard = &tracer.settings().loop_guard;
        let correlation_id = baggage.get(Baggage::CORRELATION_ID).map(str::to_owned);
        let (request_id, correlation) = (&*call.request_id, correlation_id.as_deref());
        let ids = Ids { request_id, span: &context, correlation_id: correlation };
        if guard.catches(baggage.hops()) {
            warn_of(ids, &format!("request {request_id}: {}", guard.says(baggage.hops())));
        }
        // A batch is refused if nothing in it may go on; else its records are, one by one.
        let refusal = guard.refusal(origin.fewest_hops.saturating_add(1)).map(loop_guard::refused);
        let refusal = refusal.or_else(|| dry_run::refusal(ids, &reading, tracer.settings()));
        // Where there is no function, there is nothing to reach either.
        let reached = !tracer.in_lambda();
        describe(&mut span, &call, &reading, &baggage, tracer.settings());
        if tracer.in_lambda() {
            describe_call(&mut span, &call, &reading);
        }
        for (link, id) in links(&reading) {
            span.link(link, || id.map(|id| attribute("messaging.message.id", id)));
        }

        let invocation = Arc::new(Self {
            journal: journal::begin(&tracer, &call, &span),
            tracer,
            xray: call.xray,
            request_id: call.request_id,
            correlation_id,
            event: call.event,
            received: call.received,
            context: context.clone(),
            parent,
            answers: reading.answers,
            refusal,
            mixes_dry_runs: mark == Some(Mark::Mixed),
            records: Records::new(reading.records),
            swallowed: Arc::default(),
            debug_lines: Ring::default(),
            partly: tokio::sync::Mutex::default(),
            state: Mutex::new(State { bytes: span.size(), open: Some(span), reached, ..State::default() }),
        });
        let scope = Scope::of_invocation(invocation.clone(), context, baggage);
        invocation.tell_refused(&reading.dry_runs, &scope);
        (invocation, scope)
    }

    /// The scope of a call where nothing runs but what it has `joined`: without a span of its own, so that every span
    /// of it is late.
    pub(crate) fn unnamed(tracer: Arc<Tracer>, joined: Option<Context>) -> Scope {
        let none = |trace| {
            SpanContext::new(trace, SpanId::INVALID, TraceFlags::SAMPLED, false, TraceState::default())
        };
        let Context { span: context, mut baggage } = joined
            .unwrap_or_else(|| Context { span: none(root(None).trace_id()), baggage: Baggage::default() });
        let trace = context.trace_id();
        baggage.identify([&*trace.to_string()]);
        tracer.settings().mark(&mut baggage);
        let invocation = Self {
            received: tracer.now(),
            tracer,
            xray: None,
            request_id: trace.to_string(),
            correlation_id: baggage.get(Baggage::CORRELATION_ID).map(str::to_owned),
            event: None,
            context: context.clone(),
            parent: None,
            answers: Answers::Opaque,
            refusal: None,
            mixes_dry_runs: false,
            records: Records::new(Vec::new()),
            swallowed: Arc::default(),
            journal: None,
            debug_lines: Ring::default(),
            partly: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        };
        Scope::of_invocation(Arc::new(invocation), context, baggage)
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.tracer.settings()
    }

    /// Whether it was called by the stream of that table.
    #[cfg(feature = "dynamodb")]
    pub(crate) fn reads_stream_of(&self, table: &str) -> bool {
        self.records.come_from("stream", table)
    }

    /// The errors in it that nobody has told of yet.
    pub(crate) fn swallowed(&self) -> &Arc<Swallowed> {
        &self.swallowed
    }

    pub(crate) fn in_lambda(&self) -> bool {
        self.tracer.in_lambda()
    }

    /// The DEBUG lines that wait for it to fail.
    pub(crate) fn debug_lines(&self) -> &Ring {
        &self.debug_lines
    }

    /// Why the handler is not to be called; `None` if it is.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Whether some of its records are dry runs, and others are not.
    pub(crate) fn mixes_dry_runs(&self) -> bool {
        self.mixes_dry_runs
    }

    /// The X-Ray header that the invocation was called with.
    pub(crate) fn xray(&self) -> Option<&XrayHeader> {
        self.xray.as_ref()
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.tracer.now()
    }

    /// Changes the invocation span while it is open.
    pub(crate) fn with_span(&self, change: impl FnOnce(&mut Span)) {
        if let Some(span) = &mut self.state().open {
            change(span);
        }
    }

    /// Marks that the handler is being called, which is the function `code` of the program.
    pub(crate) fn reach(&self, code: &str) {
        let mut state = self.state();
        state.reached = true;
        if let Some(span) = &mut state.open {
            span.set("code.function.name", code);
        }
    }

    /// Records what the handler answered: the JSON that is being posted.
    pub(crate) fn answer(&self, response: &str) {
        self.with_span(|span| {
            let position = |id: &str| self.records.position(id);
            answers::describe(span, self.answers, response, self.records.len(), position);
        });
        let answer = self.settings().capture.take(response.as_bytes());
        self.state().answer = Some(answer);
    }

    /// Records that the handler failed.
    pub(crate) fn fail(&self, failure: Failure) {
        let (failure, now) = (failure.masked(&self.settings().keys), self.now());
        self.with_span(|span| {
            span.fail_with(failure, now);
            answers::describe_failure(span, self.answers, self.records.len());
            self.write_down(span);
        });
        self.debug_lines.write(None, self.ids());
    }

    /// Records the status of an HTTP response.
    pub(crate) fn answer_status(&self, status: u16) {
        self.with_span(|span| answers::describe_status(span, status));
    }

    /// Keeps an ended span for the hand-over.
    pub(crate) fn keep(&self, span: EndedSpan) {
        let size = span.size();
        let mut state = self.state();
        if state.open.is_none() {
            // The invocation was handed over: a task outlived it. Its spans leave with the next one.
            drop(state);
            self.tracer.keep_late([span]);
            return;
        }
        // The flight recorder keeps the newest, and a span that has ended must not stay open there.
        self.write_down_ended(&span);
        if state.bytes + size > MAX_BYTES {
            state.dropped += 1;
        } else {
            state.bytes += size;
            state.ended.push(span);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
