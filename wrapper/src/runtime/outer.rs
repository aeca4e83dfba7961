//! The outer layer: the event on its way in, the spans on their way out.

use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use lambda_runtime::{Error, LambdaInvocation};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use super::handler::is_asked;
use crate::deadline::Watched;
use crate::diagnostics::{guarded, warn_once};
use crate::dry_run;
use crate::invocation::{Call, Invocation};
use crate::panics;
use crate::propagation::XrayHeader;
use crate::scope::{Scope, Scoped};
use crate::settings::process_env;
use crate::subscriber::MARKER;
use crate::tracer::{Running, Tracer};
use crate::triggers;

const UNOBSERVED: &str = "InvocationLayer without throughline::handler: what the handler answers, its errors among it, \
                          is not on the spans";

/// The layer for `lambda_runtime::Runtime::layer`: reads the context from the event, and hands the spans over
/// after the response was posted. The handler must be wrapped by [`handler`](super::handler): else its errors are not on
/// the spans. A second layer round the first changes nothing.
#[derive(Clone, Debug)]
pub struct InvocationLayer {
    tracer: Arc<Tracer>,
}

impl InvocationLayer {
    /// A layer configured by the `THROUGHLINE_*` variables of the environment.
    #[must_use]
    pub fn new() -> Self {
        Self::from_env(&process_env)
    }

    /// A layer configured by what `env` says of these variables instead of the process's environment. For tests that
    /// run several functions in one process, where setting variables would reach them all.
    ///
    /// ```
    /// use throughline::InvocationLayer;
    ///
    /// let layer = InvocationLayer::from_env(&|name| match name {
    ///     "THROUGHLINE_DYNAMODB_TABLES" => Some("orders".to_owned()),
    ///     _ => None,
    /// });
    /// ```
    #[must_use]
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Self {
        Self::with(Tracer::new(env, SystemTime::now))
    }

    pub(super) fn with(tracer: Arc<Tracer>) -> Self {
        if tracer.settings().enabled {
            panics::watch();
        }
        Self { tracer }
    }
}

impl Default for InvocationLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for InvocationLayer {
    type Service = InvocationService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        InvocationService { inner, tracer: self.tracer.clone(), observes: false }
    }
}

/// The service of [`InvocationLayer`].
#[derive(Clone, Debug)]
pub struct InvocationService<S> {
    inner: S,
    tracer: Arc<Tracer>,
    /// Whether there is a [`Handler`](super::Handler) inside, which tells of the handler.
    observes: bool,
}

impl<S> Service<LambdaInvocation> for InvocationService<S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
{
    type Response = ();
    type Error = Error;
    type Future = InvocationFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let (observes, ready) = is_asked(|| self.inner.poll_ready(cx));
        self.observes |= observes;
        ready
    }

    fn call(&mut self, mut event: LambdaInvocation) -> Self::Future {
        // A layer outside has begun it already, and has taken from the event what tells whose it is.
        if Scope::current().is_some_and(|scope| scope.invocation().request_id() == event.context.request_id) {
            let future = self.inner.call(event).instrument(tracing::Span::none());
            return InvocationFuture { state: State::Untraced { future } };
        }
        let opened = catch_unwind(AssertUnwindSafe(|| open(&self.tracer, &mut event)));
        let Some((invocation, scope)) = opened.unwrap_or_else(|_| {
            warn_once("tracing failed to begin an invocation: it goes on without");
            None
        }) else {
            let span = untraced_log_span(&event.context);
            let future = span.in_scope(|| self.inner.call(event)).instrument(span);
            return InvocationFuture { state: State::Untraced { future } };
        };
        let deadline = event.context.deadline();
        let watched = self.tracer.watch(&invocation, deadline);
        let span = scope.enter(|| log_span(&scope, &event.context));
        let future = span.in_scope(|| scope.enter(|| self.inner.call(event)));
        let future = Scoped::new(future, scope).instrument(span);
        InvocationFuture {
            state: State::Running {
                future,
                tracer: self.tracer.clone(),
                invocation,
                observes: self.observes,
                deadline,
                watched,
            },
        }
    }
}

/// Reads the event, takes from it what we injected, and begins the invocation.
fn open(tracer: &Arc<Tracer>, event: &mut LambdaInvocation) -> Option<(Arc<Invocation>, Scope)> {
    if !tracer.settings().enabled {
        return None;
    }
    tracer.prepare();
    let received = tracer.now();
    let context = &event.context;
    let custom = context.client_context.as_ref().map(|client| &client.custom);
    let caller = triggers::Caller { custom, request_id: Some(&context.request_id) };
    let event_bytes = event.body.len();
    let mut reading = triggers::read(&event.body, &caller, tracer.settings());
    if let Some(stripped) = reading.stripped.take() {
        event.body = stripped;
    }
    dry_run::turn_away(&mut reading, &mut event.body, tracer.settings());
    let call = Call {
        event: Some(tracer.settings().capture.take(&event.body)),
        request_id: context.request_id.clone(),
        function_name: context.env_config.function_name.clone(),
        function_arn: context.invoked_function_arn.clone(),
        tenant_id: context.tenant_id.clone(),
        xray: context.xray_trace_id.as_deref().and_then(XrayHeader::parse),
        cold_start: tracer.cold_start(received),
        event_bytes,
        received,
    };
    Some(Invocation::open(tracer.clone(), call, reading))
}

/// The `tracing` span that gives every log line its ids, whatever subscriber the program installed. It has the
/// name and fields of `lambda_runtime`'s own, which it replaces, and it is a root: `run_concurrent` wraps its
/// workers in a span that never ends.
fn log_span(scope: &Scope, context: &lambda_runtime::Context) -> tracing::Span {
    tracing::info_span!(
        target: MARKER,
        parent: None,
        "Lambda runtime invoke",
        requestId = context.request_id,
        xrayTraceId = context.xray_trace_id,
        trace_id = %scope.span().trace_id(),
        span_id = %scope.span().span_id(),
        correlation_id = scope.correlation_id().map(|id| scope.keys().id(&id).into_owned()),
    )
}

/// The same where nothing is traced.
fn untraced_log_span(context: &lambda_runtime::Context) -> tracing::Span {
    tracing::info_span!(
        target: MARKER,
        parent: None,
        "Lambda runtime invoke",
        requestId = context.request_id,
        xrayTraceId = context.xray_trace_id,
    )
}

type HandingOver = Pin<Box<dyn Future<Output = ()> + Send>>;

pin_project! {
    /// The future of [`InvocationService`]: the invocation, then the hand-over of its spans.
    pub struct InvocationFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        /// Tracing is off, or another layer's.
        Untraced { #[pin] future: Instrumented<F> },
        /// The handler runs, or its response is being posted.
        Running {
            #[pin] future: Instrumented<Scoped<F>>,
            tracer: Arc<Tracer>,
            invocation: Arc<Invocation>,
            observes: bool,
            deadline: SystemTime,
            watched: Option<Watched<Running>>,
        },
        /// The response was posted; `result` is what the runtime gets once the spans are away.
        HandingOver { future: HandingOver, result: Option<Result<(), Error>> },
    }
}

impl<F> Debug for InvocationFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvocationFuture").finish_non_exhaustive()
    }
}

impl<F: Future<Output = Result<(), Error>>> Future for InvocationFuture<F> {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Untraced { future } => return future.poll(cx),
                StateProj::Running { future, tracer, invocation, observes, deadline, .. } => {
                    let Poll::Ready(result) = future.poll(cx) else {
                        guarded("the flight recorder", || invocation.is_waiting());
                        return Poll::Pending;
                    };
                    if !*observes && invocation.presume_reached() {
                        warn_once(UNOBSERVED);
                    }
                    let (tracer, invocation, deadline) = (tracer.clone(), invocation.clone(), *deadline);
                    let hand_over = async move {
                        let spans = invocation.close();
                        invocation.is_told_partly().await;
                        tracer.hand_over(spans, deadline).await;
                        invocation.forget();
                    };
                    State::HandingOver { future: Box::pin(hand_over), result: Some(result) }
                }
                StateProj::HandingOver { future, result } => {
                    let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
                    if polled.is_err() {
                        warn_once("tracing failed to hand spans over: they are lost");
                    }
                    ready!(polled.unwrap_or(Poll::Ready(())));
                    return Poll::Ready(result.take().unwrap_or(Ok(())));
                }
            };
            state.set(next);
        }
    }
}
