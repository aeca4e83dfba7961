//! Errors of which nobody tells: in an invocation, or a record, that then returns `Ok`.
//!
//! Calls of AWS and HTTP clients that failed, spans and log lines of the program that say an error, and what it hands to
//! [`observe`](crate::observe). Where the invocation fails itself, or says so in its answer, that is told and this is not.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry::trace::SpanId;

use crate::diagnostics::guarded;
use crate::scope::Scope;
use crate::span::{Failure, Span, attribute};

/// Notes an error that the code goes on to drop, and gives it back: `let _ = throughline::observe(cache.put(order).await);`
///
/// If the invocation, or the record, then returns `Ok`, its span says so: how many there were in
/// `throughline.swallowed_errors`, and the first three as `exception` events. If it fails, nothing is said beside that. The
/// message is what `{error:#}` writes, which is all causes of an `anyhow::Error`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// throughline::transaction("remind", async {
///     let minutes = throughline::observe("ten".parse::<u32>()).unwrap_or(10);
///     println!("in {minutes} minutes");
/// })
/// .await;
/// # }
/// ```
pub fn observe<T, E: Display>(result: Result<T, E>) -> Result<T, E> {
    if let (Err(error), Some(scope)) = (&result, Scope::current()) {
        // How an error writes itself is the program's code, which may panic.
        let _ = guarded("an observed error", || {
            scope.note_error(Failure::new(type_name::<E>(), &format!("{error:#}")))
        });
    }
    result
}

/// How many are told, beside their number.
const TOLD: usize = 3;
/// How many are told from errors that were passed on; more are counted for themselves.
const MAX_KNOWN: usize = 64;

/// What went wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Swallowed(Mutex<Errors>);

#[derive(Debug, Default)]
struct Errors {
    count: i64,
    first: Vec<(SystemTime, Failure)>,
    /// Where each was last seen: the span above the one that failed.
    above: Vec<SpanId>,
}

impl Swallowed {
    /// Notes an error of `span`, which is below `above`; whether it will be told. One that came up from a span below is
    /// the same error, passed on.
    pub(crate) fn note(&self, span: SpanId, above: SpanId, failure: Failure, at: SystemTime) -> bool {
        let mut errors = self.errors();
        let mut is_passed_on = false;
        for known in errors.above.iter_mut().filter(|known| **known == span && span != SpanId::INVALID) {
            *known = above;
            is_passed_on = true;
        }
        if is_passed_on {
            return false;
        }
        errors.count += 1;
        if errors.above.len() < MAX_KNOWN {
            errors.above.push(above);
        }
        let is_told = errors.first.len() < TOLD;
        if is_told {
            errors.first.push((at, failure));
        }
        is_told
    }

    /// Puts them on `span`, which did not fail, and adds them to those of `outer`.
    pub(crate) fn tell(&self, span: &mut Span, outer: Option<&Self>) {
        let errors = std::mem::take(&mut *self.errors());
        errors.tell(span);
        if let Some(outer) = outer {
            let mut outer = outer.errors();
            outer.count += errors.count;
            let room = TOLD.saturating_sub(outer.first.len());
            outer.first.extend(errors.first.into_iter().take(room));
        }
    }

    /// The span with those that there are, for it may not see its end; as it is, if it has failed itself.
    pub(crate) fn so_far<'s>(&self, span: &'s Span) -> Cow<'s, Span> {
        let errors = self.errors();
        if errors.count == 0 || span.failure().is_some() {
            return Cow::Borrowed(span);
        }
        let mut so_far = span.clone();
        errors.tell(&mut so_far);
        Cow::Owned(so_far)
    }

    fn errors(&self) -> MutexGuard<'_, Errors> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Errors {
    fn tell(&self, span: &mut Span) {
        if self.count == 0 {
            return;
        }
        span.set("throughline.swallowed_errors", self.count);
        for (at, failure) in &self.first {
            let swallowed = attribute("throughline.swallowed", true);
            span.event("exception", *at, failure.attributes().chain([swallowed]).collect());
        }
    }
}

#[cfg(test)]
mod tests;
