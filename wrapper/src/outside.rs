//! Outside Lambda: a service, a poller, a command that sends to queues which functions read.
//!
//! There is no invocation there. A piece of work that the program names is one instead ([`transaction`]), and so is a
//! batch that it gives to [`batch`](crate::batch). A call that is made outside of both begins a transaction of its own.
//! Inside Lambda none of this holds: a task that lost its place there is not a new transaction, and stays untraced.

#[cfg(test)]
pub(crate) mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
#[cfg(not(test))]
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use crate::dry_run;
use crate::invocation::{Call, Invocation};
use crate::panics;
use crate::propagation::{Context, root};
use crate::scope::{Scope, Scoped};
use crate::span::SpanKind;
use crate::subscriber::log_span;
use crate::tracer::Tracer;
use crate::triggers::{self, Caller, Reading, Sender};

/// Runs `future` as a transaction: with a root span called `name`, under which stand the spans of its calls, and a
/// context that travels with them. For programs outside Lambda; where a transaction or an invocation runs already, it
/// just runs `future`.
///
/// Give it a piece of work that has an end, such as a request, a job or one turn of a poller, under a name that has no
/// ids in it. A panic of `future` is on the span, and goes on.
///
/// With the cargo feature `otel` it joins the trace of the OpenTelemetry span that is current, if there is one.
///
/// Spans are sent in the background to the endpoint of `OTEL_EXPORTER_OTLP_ENDPOINT` (or
/// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `THROUGHLINE_EXPORT_ENDPOINT`), a sidecar on loopback too, over OTLP/HTTP; up to
/// 4 MiB of them wait. The endpoint `stdout` has them written there, as lines of OTLP JSON. Without an endpoint they are
/// dropped, which one line on stderr says, and the context travels all the same. Before the program ends, call [`flush`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let order = throughline::transaction("POST /orders", async {
///     throughline::context::set_user("u-1042");
///     // Calls of AWS SDK and HTTP clients take the transaction along.
///     throughline::context::correlation_id()
/// })
/// .await;
/// assert!(order.is_some());
/// throughline::flush().await;
/// # }
/// ```
pub fn transaction<F: Future>(name: impl Into<String>, future: F) -> impl Future<Output = F::Output> {
    let name = name.into();
    async move {
        match here().map(|tracer| Unit::named(tracer, name)) {
            Some(unit) => unit.run(future).await,
            None => future.await,
        }
    }
}

/// Sends the spans that have ended and waits until they are taken, five seconds at most: before a program outside
/// Lambda ends. Whether all were taken: `false` too if spans were dropped because there is no endpoint.
///
/// Inside Lambda there is nothing to send: spans leave after each response.
pub async fn flush() -> bool {
    match tracer() {
        Some(tracer) => tracer.flush().await,
        None => true,
    }
}

/// The scope of a call that is made where nothing runs: a transaction of its own, without a span but the call's.
pub(crate) fn scope() -> Option<Scope> {
    Some(Invocation::unnamed(here()?, joined()))
}

/// A batch that a program has put together itself: whose trace it is and who sent its records is read from the event,
/// as it is in Lambda. What we injected is taken out of the event.
pub(crate) fn batch<E: Serialize + DeserializeOwned>(event: &mut E) -> Option<Unit> {
    let tracer = here()?;
    let json = Bytes::from(serde_json::to_vec(event).ok()?);
    let mut reading = triggers::read(&json, &Caller::default(), tracer.settings());
    let mut seen = reading.stripped.take().unwrap_or_else(|| json.clone());
    dry_run::turn_away(&mut reading, &mut seen, tracer.settings());
    if let Some(changed) = (seen != json).then(|| serde_json::from_slice(&seen).ok()).flatten() {
        *event = changed;
    }
    Some(Unit::open(tracer, reading))
}

/// The program's own trace, if it has one.
fn joined() -> Option<Context> {
    #[cfg(feature = "otel")]
    return crate::otel::current();
    #[cfg(not(feature = "otel"))]
    None
}

/// The tracer, where something may begin: outside Lambda, and not in the midst of something.
fn here() -> Option<Arc<Tracer>> {
    tracer().filter(|_| Scope::current().is_none())
}

/// The process's tracer outside Lambda, made when it is first asked for.
#[cfg(not(test))]
fn tracer() -> Option<Arc<Tracer>> {
    use crate::settings::{in_lambda, process_env};
    static PROCESS: OnceLock<Option<Arc<Tracer>>> = OnceLock::new();
    let made = PROCESS
        .get_or_init(|| (!in_lambda()).then(|| Tracer::outside(&process_env, std::time::SystemTime::now)));
    made.clone().filter(|tracer| tracer.settings().enabled)
}

/// Tests say where they are: in Lambda, unless they say otherwise.
#[cfg(test)]
fn tracer() -> Option<Arc<Tracer>> {
    tests::TRACER.try_with(Clone::clone).ok().filter(|tracer: &Arc<Tracer>| tracer.settings().enabled)
}

/// A piece of work. Its span ends when it is dropped, so that none is lost where a future is cancelled.
#[derive(Debug)]
pub(crate) struct Unit {
    tracer: Arc<Tracer>,
    invocation: Arc<Invocation>,
    scope: Scope,
}

impl Unit {
    fn named(tracer: Arc<Tracer>, name: String) -> Self {
        let nothing = triggers::read(&Bytes::new(), &Caller::default(), tracer.settings());
        let reading = Reading {
            trigger: "other",
            kind: SpanKind::Internal,
            source: name.clone(),
            name: Some(name),
            attributes: Vec::new(),
            sender: joined().map(Sender::Parent),
            ..nothing
        };
        Self::open(tracer, reading)
    }

    fn open(tracer: Arc<Tracer>, reading: Reading) -> Self {
        let call = Call {
            event: None,
            // Names the transaction, if nobody did before.
            request_id: root(None).trace_id().to_string(),
            function_name: "batch".to_owned(),
            function_arn: String::new(),
            tenant_id: None,
            xray: None,
            cold_start: false,
            event_bytes: 0,
            received: tracer.now(),
        };
        let (invocation, scope) = Invocation::open(tracer.clone(), call, reading);
        Self { tracer, invocation, scope }
    }

    /// Runs `future` inside; its end is the end of the unit.
    pub(crate) async fn run<F: Future>(self, future: F) -> F::Output {
        panics::watch();
        let span = log_span!(&self.scope, "transaction");
        let work = AssertUnwindSafe(future).catch_unwind();
        match Scoped::new(work, self.scope.clone()).instrument(span).await {
            Ok(output) => output,
            Err(panic) => {
                self.invocation.fail(panics::failure(&*panic));
                drop(self);
                std::panic::resume_unwind(panic)
            }
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.tracer.keep_late(self.invocation.close());
    }
}
