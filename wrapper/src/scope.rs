//! Where the running code stands: in which invocation, in which record of its batch, under which span.
//!
//! A scope is a task-local, set round every poll of the handler, never a global: invocations that run at once
//! don't see each other. `tokio::spawn` loses task-locals: [`carry`](crate::context::carry) takes the scope along,
//! and a task that runs inside an entered `tracing` span of the invocation finds it through that span.

mod open;

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{SpanContext, SpanId};

use crate::dry_run::Mark;
use crate::invocation::Invocation;
use crate::mask::Keys;
#[cfg(feature = "otel")]
use crate::otel;
use crate::outside;
use crate::propagation::{Baggage, Context, child_of};
use crate::span::{Failure, Span, SpanKind};
use crate::subscriber;
use crate::swallowed::Swallowed;
pub(crate) use open::OpenSpan;

tokio::task_local! {
    static CURRENT: Scope;
}

/// An invocation, or one record of it.
#[derive(Clone, Debug)]
pub(crate) struct Scope(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    invocation: Arc<Invocation>,
    span: SpanContext,
    baggage: Mutex<Baggage>,
    /// The span of the record while it is processed; `None` where the scope is the invocation's.
    record: Option<Mutex<Option<OpenSpan>>>,
    swallowed: Arc<Swallowed>,
}

impl Scope {
    pub(crate) fn of_invocation(invocation: Arc<Invocation>, span: SpanContext, baggage: Baggage) -> Self {
        let swallowed = invocation.swallowed().clone();
        Self(Arc::new(Inner { invocation, span, baggage: Mutex::new(baggage), record: None, swallowed }))
    }

    pub(crate) fn of_record(invocation: Arc<Invocation>, span: Span, baggage: Baggage) -> Self {
        let context = span.context().clone();
        let record = OpenSpan { invocation: invocation.clone(), span: Some(span), inside: None };
        record.write_down();
        let record = Some(Mutex::new(Some(record)));
        let swallowed = Arc::default();
        Self(Arc::new(Inner { invocation, span: context, baggage: Mutex::new(baggage), record, swallowed }))
    }

    /// The scope of the running code, if it runs for an invocation.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok().or_else(subscriber::entered_scope)
    }

    /// The scope of a call that is made here: outside Lambda one of its own, if nothing runs.
    pub(crate) fn of_call() -> Option<Self> {
        Self::current().or_else(outside::scope)
    }

    /// Runs `work` inside this scope.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), || {
            #[cfg(feature = "otel")]
            let _current = otel::enter(self);
            work()
        })
    }

    pub(crate) fn invocation(&self) -> &Arc<Invocation> {
        &self.0.invocation
    }

    /// The span of the invocation or record itself.
    pub(crate) fn span(&self) -> &SpanContext {
        &self.0.span
    }

    pub(crate) fn baggage(&self) -> Baggage {
        self.0.baggage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets a member of the baggage, and the attribute that it is as well.
    pub(crate) fn set_baggage(&self, key: &str, value: &str) -> bool {
        let set = self.0.baggage.lock().unwrap_or_else(PoisonError::into_inner).set_to_travel(key, value);
        if set && Baggage::is_attribute(key) {
            self.with_span(|span| {
                span.set(key, self.keys().id(value));
                self.write_down(span);
            });
        }
        if set {
            self.debug_when(key, value);
        }
        if set && let Some((_, attribute)) = Baggage::MARKS.into_iter().find(|(mark, _)| *mark == key) {
            self.with_span(|span| {
                span.set(attribute, true);
                self.write_down(span);
            });
        }
        set
    }

    /// Whether the transaction bears that mark.
    pub(crate) fn is_marked(&self, mark: &str) -> bool {
        self.0.baggage.lock().unwrap_or_else(PoisonError::into_inner).marked(mark)
    }

    /// Whether what runs here is a dry run, or may be.
    pub(crate) fn dry_run(&self) -> Option<Mark> {
        let marked = self.is_marked(Baggage::DRY_RUN);
        let is_mixed = || self.0.record.is_none() && self.invocation().mixes_dry_runs();
        if marked { Some(Mark::DryRun) } else { is_mixed().then_some(Mark::Mixed) }
    }

    pub(crate) fn correlation_id(&self) -> Option<String> {
        let baggage = self.0.baggage.lock().unwrap_or_else(PoisonError::into_inner);
        baggage.get(Baggage::CORRELATION_ID).map(str::to_owned)
    }

    /// What travels to the next hop under `span`.
    pub(crate) fn context(&self, span: &SpanContext) -> Context {
        let baggage = self.baggage();
        #[cfg(feature = "otel")]
        let baggage = otel::with_current_baggage(baggage);
        Context { span: span.clone(), baggage }
    }

    /// Begins a span under the innermost one that runs here: the user's own, else the scope's.
    pub(crate) fn start_span(&self, kind: SpanKind, name: &str) -> OpenSpan {
        let parent = subscriber::entered_span(self);
        #[cfg(feature = "otel")]
        let parent = parent.or_else(|| otel::span_in(self));
        self.start_child(parent.as_ref().unwrap_or(self.span()), kind, name)
    }

    /// Begins a span under `parent`.
    pub(crate) fn start_child(&self, parent: &SpanContext, kind: SpanKind, name: &str) -> OpenSpan {
        let context = child_of(parent);
        let mut span = Span::start(context, Some(parent), kind, name, self.invocation().now());
        if let Some(id) = self.correlation_id() {
            span.set(Baggage::CORRELATION_ID, self.keys().id(&id));
        }
        if self.dry_run().is_some() {
            span.set("throughline.dry_run", true);
        }
        OpenSpan {
            invocation: self.invocation().clone(),
            span: Some(span),
            inside: Some(self.0.swallowed.clone()),
        }
    }

    /// Which names are secret here.
    pub(crate) fn keys(&self) -> &Keys {
        &self.invocation().settings().keys
    }

    /// Marks the span of the invocation or record as failed, if it is open; whether it is.
    pub(crate) fn fail(&self, failure: Failure) -> bool {
        let (failure, now) = (failure.masked(self.keys()), self.invocation().now());
        let mut is_open = false;
        self.with_span(|span| {
            span.fail_with(failure, now);
            is_open = true;
        });
        is_open
    }

    /// Notes an error that may be told by nobody, and that is no span's.
    pub(crate) fn note_error(&self, failure: Failure) {
        let failure = failure.masked(self.keys());
        let above = subscriber::entered_span(self);
        let above = above.as_ref().unwrap_or(self.span()).span_id();
        if self.0.swallowed.note(SpanId::INVALID, above, failure, self.invocation().now()) {
            // Who notes it may be a panic, and that the process's last.
            self.invocation().write_down_event();
            self.try_write_down();
        }
    }

    /// Writes its span down with the errors that it has swallowed, unless the span is being changed.
    fn try_write_down(&self) {
        let Some(record) = &self.0.record else { return self.invocation().try_write_down() };
        if let Ok(record) = record.try_lock()
            && let Some(span) = record.as_ref().and_then(|open| open.span.as_ref())
        {
            self.write_down(span);
        }
    }

    /// Changes the span of the invocation or record, while it is open.
    pub(crate) fn with_span(&self, change: impl FnOnce(&mut Span)) {
        match &self.0.record {
            None => self.invocation().with_span(change),
            Some(record) => {
                let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(span) = record.as_mut().and_then(|open| open.span.as_mut()) {
                    change(span);
                }
            }
        }
    }

    /// Writes the span of the invocation or record down in the flight recorder, as it stands.
    fn write_down(&self, span: &Span) {
        match &self.0.record {
            None => self.invocation().write_down(span),
            Some(_) => self.invocation().write_down_begun(&self.0.swallowed.so_far(span)),
        }
    }

    /// Ends the record: its span is complete, whoever still holds the scope.
    pub(crate) fn end_record(&self) {
        let Some(record) = &self.0.record else { return };
        let ended = record.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut ended) = ended else { return };
        if let Some(span) = ended.span.as_mut().filter(|span| span.failure().is_none()) {
            self.0.swallowed.tell(span, Some(self.invocation().swallowed()));
            self.drop_debug_lines();
        } else {
            self.write_debug_lines();
        }
    }

    /// Whether it is a record's.
    pub(crate) fn is_record(&self) -> bool {
        self.0.record.is_some()
    }

    /// Whether two scopes are one and the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

pin_project_lite::pin_project! {
    /// A future whose every poll runs inside a scope.
    #[derive(Debug)]
    pub(crate) struct Scoped<F> {
        #[pin]
        future: F,
        scope: Scope,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(future: F, scope: Scope) -> Self {
        Self { future, scope }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let this = self.project();
        let future = this.future;
        this.scope.enter(|| future.poll(cx))
    }
}
