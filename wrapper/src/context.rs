//! What a handler may ask and say of the transaction that it is part of.
//!
//! All functions are safe to call anywhere: where no transaction runs they answer `None` or `false` and do nothing.
//!
//! What is said of the user, of the account and by [`set_baggage`] travels with every outgoing call from here on, and
//! so does each mark. Users and accounts are attributes of the spans as well, here and in every later function, so that
//! one can ask which customers a failure hit.
//!
//! A task that the handler spawns is outside, unless it is told: [`spawn`], or `tokio::spawn(carry(future))`. Then its
//! log lines, spans and AWS calls belong to the invocation, or to the record, that spawned it. So it is with a closure on
//! another thread: `tokio::task::spawn_blocking(carry_fn(closure))`.
//!
//! ```
//! # fn handler() {
//! throughline::context::set_user("u-1042");
//! throughline::context::set_account("acme", "enterprise");
//! throughline::context::set_baggage("tenant", "acme");
//! throughline::context::set_flag("new-checkout", "on");
//! let id = throughline::context::correlation_id();
//! # assert_eq!(id, None); // there is no invocation in this example
//! # }
//! # handler();
//! ```

#[cfg(test)]
mod tests;

use tracing::Instrument as _;

use crate::propagation::Baggage;
use crate::scope::{Scope, Scoped};
use crate::span::{Failure, attribute};
use crate::subscriber::log_span;

/// The longest name or variant of a flag and type of an error, in bytes.
const MAX_NAME: usize = 256;

/// The id that names the transaction from its first function to its last; made from the API's request id, or
/// the first function's.
#[must_use]
pub fn correlation_id() -> Option<String> {
    Scope::current()?.correlation_id()
}

/// The W3C trace id of the transaction, as 32 hex digits.
#[must_use]
pub fn trace_id() -> Option<String> {
    Some(Scope::current()?.span().trace_id().to_string())
}

/// Where the transaction came in: the first function's route or trigger, such as `http POST /orders`.
#[must_use]
pub fn entry() -> Option<String> {
    baggage(Baggage::ENTRY)
}

/// A member of the baggage that came with the event or was set here.
#[must_use]
pub fn baggage(key: &str) -> Option<String> {
    Scope::current()?.baggage().get(key).map(str::to_owned)
}

/// Sets a member of the baggage: from here on it travels with every outgoing call of this invocation, or of
/// this record inside a [`batch`](crate::batch), and of all functions that these calls lead to.
///
/// `false`, and nothing is set, if there is no invocation, `key` is no token (letters, digits, `.-_` …), the member
/// does not fit beside those that are there (1 KiB travels in all), or there are 64 already. Neither can
/// `correlation.id` be set, which never changes after the first function, nor a key that begins with `throughline.`:
/// those have functions of their own here.
pub fn set_baggage(key: &str, value: &str) -> bool {
    Baggage::is_settable(key) && set(key, value)
}

/// Says on whose behalf the transaction runs: `user.id`. `false` if there is no invocation or the id does not fit: who
/// the user is has 182 bytes of the baggage, keys and account included, which is an id of 100 beside an account's.
///
/// It is on spans and log lines as it is, so that one finds what a user met: an address of mail stays one here, as in
/// [`set_account`], while everywhere else it is masked. What looks like a card's number, a token or a key is masked here too.
pub fn set_user(id: &str) -> bool {
    set(Baggage::USER_ID, id)
}

/// Says that the user is none: a robot of the tests or of the monitoring. Its failures are nobody's.
pub fn set_test_user() -> bool {
    set(Baggage::USER_TEST, "true")
}

/// Says which customer the user belongs to, and what that customer pays for: `account.id` and `account.plan`.
/// `false` if there is no invocation, or one of them does not fit beside the user (see [`set_user`]) and was not set.
pub fn set_account(id: &str, plan: &str) -> bool {
    let account = set(Baggage::ACCOUNT_ID, id);
    set(Baggage::ACCOUNT_PLAN, plan) && account
}

/// Records that the feature flag `name` was asked for and gave `variant`, such as `on` or `blue`: the event
/// `feature_flag.evaluation` on the span of the invocation or record
/// (<https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/>).
///
/// `false` if there is no invocation. Names and variants are cut at 256 bytes, and a span has 128 events at most.
pub fn set_flag(name: &str, variant: &str) -> bool {
    let Some(scope) = Scope::current() else { return false };
    let attributes = vec![
        attribute("feature_flag.key", cut(name)),
        attribute("feature_flag.result.variant", scope.keys().text(cut(variant))),
    ];
    let now = scope.invocation().now();
    scope.with_span(|span| span.event("feature_flag.evaluation", now, attributes));
    true
}

/// Says that what runs here has failed, though it returns no error: a transaction, a handler that answers politely, a
/// record whose failure is not worth another try. The span of the invocation, record or transaction is marked and has
/// an `exception` event, as if an `Err` had been returned; what is returned, and so whether Lambda tries again, stays as
/// it is.
///
/// `error_type` is a name that one can count by, such as `CardDeclined`: at most 256 bytes of it are kept, `_OTHER` if it
/// is empty. Of `message` 8 KiB are kept. Said again, the last one stands. `false` if nothing runs here, or it has ended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// throughline::transaction("charge cards", async {
///     if let Err(error) = "fifty".parse::<u32>() {
///         throughline::context::set_error("BadAmount", &error.to_string());
///     }
/// })
/// .await;
/// # }
/// ```
pub fn set_error(error_type: &str, message: &str) -> bool {
    let Some(scope) = Scope::current() else { return false };
    let error_type = if error_type.is_empty() { "_OTHER" } else { cut(error_type) };
    scope.fail(Failure::new(error_type, message))
}

/// Marks the transaction as one to be debugged, from here on: its DEBUG lines are written, in this function those before as
/// well, and in all that it leads to. Call it after the caller was authorized: the mark is never taken from the public edge.
pub fn set_debug() -> bool {
    set(Baggage::DEBUG, "true")
}

/// Whether the transaction is marked to be debugged.
#[must_use]
pub fn is_debug() -> bool {
    marked(Baggage::DEBUG)
}

/// Marks the transaction, from here on, as a dry run: one that follows the ways of a real one and should change
/// nothing. Call it after the caller was authorized: the mark is never taken from the public edge.
///
/// Clients that this crate instruments refuse from here on what would be real, and functions that take no part in dry
/// runs refuse the transaction: see [`dry_run`](crate::dry_run). Functions ask [`is_dry_run`] for what they do otherwise.
pub fn set_dry_run() -> bool {
    set(Baggage::DRY_RUN, "true")
}

/// Whether the transaction is a dry run. Outside of a record's closure in a batch: whether one of the records is.
#[must_use]
pub fn is_dry_run() -> bool {
    Scope::current().is_some_and(|scope| scope.dry_run().is_some())
}

/// Spawns `future` on the Tokio runtime, in the invocation or record that runs here: [`carry`] in one word.
///
/// # Panics
///
/// As [`tokio::spawn`], outside a Tokio runtime.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tokio::task::JoinError> {
/// use throughline::context::{correlation_id, spawn};
///
/// let here = correlation_id();
/// assert_eq!(here, spawn(async { correlation_id() }).await?);
/// # Ok(())
/// # }
/// ```
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(carry(future))
}

/// Carries the invocation, or the record, along into a task: `future` runs inside it wherever it is polled.
///
/// Its log lines have the ids of the transaction, whatever subscriber the program installed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use throughline::context::{carry, correlation_id};
///
/// let here = correlation_id();
/// let there = tokio::spawn(carry(async { correlation_id() })).await.unwrap();
/// assert_eq!(here, there);
/// # }
/// ```
pub fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let scope = Scope::current();
    #[cfg(feature = "otel")]
    let future = crate::otel::carry(future);
    async move {
        match scope {
            Some(scope) => {
                // Made where the task runs: inside the spans that the program put round it.
                let span = log_span!(&scope, "carried");
                Scoped::new(future, scope).instrument(span).await
            }
            None => future.await,
        }
    }
}

/// As [`carry`], for a closure: on a thread of Tokio's blocking pool, on one of its own, in a pool such as rayon's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use throughline::context::{carry_fn, correlation_id};
///
/// let here = correlation_id();
/// let there = tokio::task::spawn_blocking(carry_fn(|| correlation_id())).await.unwrap();
/// assert_eq!(here, there);
///
/// let there = std::thread::spawn(carry_fn(|| correlation_id())).join().unwrap();
/// assert_eq!(here, there);
/// # }
/// ```
pub fn carry_fn<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let scope = Scope::current();
    #[cfg(feature = "otel")]
    let work = crate::otel::carry_fn(work);
    move || match scope {
        Some(scope) => log_span!(&scope, "carried").in_scope(|| scope.enter(work)),
        None => work(),
    }
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME)]
}

fn set(key: &str, value: &str) -> bool {
    Scope::current().is_some_and(|scope| scope.set_baggage(key, value))
}

fn marked(key: &str) -> bool {
    Scope::current().is_some_and(|scope| scope.baggage().marked(key))
}
