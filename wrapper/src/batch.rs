//! Batches, record by record: each in its own transaction, with the answer that Lambda expects.
//!
//! ```
//! use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
//! use lambda_runtime::{Error, LambdaEvent};
//!
//! async fn handler(event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
//!     Ok(throughline::batch::sqs(event.payload, charge).await)
//! }
//!
//! async fn charge(message: SqsMessage) -> Result<(), Error> {
//!     tracing::info!(bytes = message.body.map_or(0, |body| body.len()), "charged");
//!     Ok(())
//! }
//! ```
//!
//! The event source mapping needs `ReportBatchItemFailures` among its `FunctionResponseTypes`, else Lambda takes
//! a partial failure for a success. SNS knows no partial failures: [`sns`] gives a `Result`.
//!
//! # What a record failed of
//!
//! The error of a record is whatever becomes a `Box<dyn Error + Send + Sync>`: any error, a text, `anyhow::Error`. The log
//! line and the record's span say it with its causes, `charging: service error: AccessDenied`, the first 8 KiB of it.
//!
//! # Whose trace is a batch?
//!
//! The messages of a batch usually belong to different transactions. Inside the closure that these functions call for
//! a record, log lines, spans, baggage and outgoing calls are those of the record's own transaction.
//!
//! **A handler that loops over the event itself has no such place.** What it sends then belongs to the invocation:
//!
//! - Where one sender's trace is that of all records, the invocation has joined it, with the baggage that the records
//!   agree on. Then little is lost: the calls hang under the invocation instead of under their record.
//! - Where there are several traces, the invocation has one of its own, linked to each sender. What is sent outside of
//!   these functions goes out in that trace, **without the user, the correlation id and the other baggage of the record
//!   that caused it**: whoever follows the record's transaction doesn't get beyond this function, but by the links.
//!
//! Spans of single records, their failures and their time in the queue are then missing too; how many failed is still
//! read from the response.
//!
//! # Outside Lambda
//!
//! A poller that has put an event together itself, `sqs_event` from received messages for one, gives it to the same
//! functions: who sent each record is read from the event, and the batch is a span of its own in place of the
//! invocation's.

#[cfg(feature = "sqs")]
mod received;
mod sns;
mod sqs;
mod streams;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use lambda_runtime::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

#[cfg(feature = "sqs")]
pub use received::sqs_event;
pub use sns::sns;
pub use sqs::sqs;
pub use streams::{dynamodb, kinesis};

use crate::diagnostics::causes;
use crate::loop_guard::REFUSED;
use crate::outside;
use crate::panics;
use crate::scope::{Scope, Scoped};
use crate::span;
use crate::subscriber::log_span;

/// Runs `work` for the batch of `event`. In an invocation that knows its records already; outside Lambda the event tells.
async fn within<T, F>(mut event: T, work: impl FnOnce(T) -> F) -> F::Output
where
    T: Serialize + DeserializeOwned,
    F: Future,
{
    match outside::batch(&mut event) {
        Some(unit) => unit.run(async { work(event).await }).await,
        None => work(event).await,
    }
}

/// Runs `process` for one record in the record's own scope; whether it succeeded.
async fn run<F, E>(id: &str, process: impl FnOnce() -> F) -> bool
where
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    attempt(id, process).await.is_ok()
}

/// Why a record failed.
enum Failure {
    /// An error, and what its type is called.
    Error(&'static str, Error),
    Panic(span::Failure),
}

/// The same, with the reason.
///
/// A panic is a failed record: the others of the batch still have their turn.
async fn attempt<F, E>(id: &str, process: impl FnOnce() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let scope = Scope::current().map(|outer| outer.invocation().open_record(id, &outer));
    let refusal = scope.as_ref().and_then(|scope| {
        let guard = &scope.invocation().settings().loop_guard;
        guard.refusal(scope.baggage().hops())
    });
    // `async` delays the call of `process` itself until it is polled inside the scope.
    let work = async move {
        match refusal {
            Some(refusal) => Err(Failure::Error(REFUSED, refusal.into())),
            None => {
                let error = |error: E| Failure::Error(std::any::type_name::<E>(), error.into());
                process().await.map_err(error)
            }
        }
    };
    // Boxed, so that what a handler does per record doesn't add to the depth of its own future's type.
    let work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let log_span =
        scope.as_ref().map_or_else(tracing::Span::none, |scope| log_span!(scope, "record", record = id));
    let result = match &scope {
        Some(scope) => Scoped::new(work, scope.clone()).instrument(log_span.clone()).await,
        None => work.await,
    };
    let result = match result {
        Ok(done) => done,
        Err(panic) => Err(Failure::Panic(panics::failure(&*panic))),
    };
    let failed = match &result {
        Ok(()) => None,
        Err(Failure::Error(error_type, error)) => Some(span::Failure::new(error_type, &causes(&**error))),
        Err(Failure::Panic(failure)) => Some(failure.clone()),
    };
    if let Some(failure) = failed {
        let keys = scope.as_ref().map_or_else(Cow::default, |scope| Cow::Borrowed(scope.keys()));
        let failure = failure.masked(&keys);
        let say = || tracing::error!(record = id, error = %failure.message, "a record failed");
        if let Some(scope) = &scope {
            scope.write_debug_lines();
            scope.enter(|| log_span.in_scope(say));
            scope.fail(failure);
        } else {
            say();
        }
    }
    if let Some(scope) = scope {
        scope.end_record();
    }
    result
}
