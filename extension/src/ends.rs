//! Which invocations have ended, and how that is known.
//!
//! Three things happen without an order between them: the INVOKE event, the hand-over of the ended
//! invocation span, and the platform's `runtimeDone`. A quick function may be done before the
//! extension has read INVOKE, so ends are remembered by request id. Lambda's asynchronous retries come
//! with the same id, so what belongs to an attempt that is over must not end the next.

use crate::flush;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Requests remembered. Only the current invocation's matters, others are late or early by one.
const REMEMBERED: usize = 16;
/// How long after `runtimeDone` the span is waited for in the first invocation, when it is not known
/// whether the function sends one. Lambda tells `runtimeDone` after the hand-over, local hosts before.
const FIRST_GRACE: Duration = Duration::from_millis(100);

/// Ends by request id.
#[derive(Debug, Default)]
pub struct Ends {
    attempts: VecDeque<Attempt>,
    function: Function,
    platform: Platform,
}

/// The latest attempt at a request. Each has at most one span and one `runtimeDone`.
#[derive(Debug, Default)]
struct Attempt {
    request_id: String,
    span: bool,
    done: Option<(Instant, Outcome)>,
    /// The extension is done with it.
    closed: bool,
    /// The attempt before was closed ahead of its `runtimeDone`, which may still come: the platform
    /// delivers with a delay, and a freeze can lie between.
    earlier_done_due: bool,
}

/// How the platform says that the runtime ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The runtime lives and may still hand over.
    Alive,
    /// It was killed or exited: nothing will follow.
    Gone,
}

/// What the function has shown of itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Function {
    #[default]
    Unknown,
    /// It hands over invocation spans.
    Tells,
    /// Its last invocation ended without one.
    Silent,
}

/// What the platform has shown of itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Platform {
    /// It tells ends, as far as is known.
    #[default]
    Tells,
    /// The last invocation that had no span had no `runtimeDone` either.
    Silent,
}

// === impl Ends ===

impl Ends {
    /// INVOKE was read: what has come for an earlier attempt at this request counts no more.
    pub fn open(&mut self, request_id: &str) {
        if self.find(request_id).is_none_or(|attempt| attempt.closed) {
            self.begin(Attempt::at(request_id));
        }
    }

    /// The ended invocation span of this request arrived.
    pub fn span_arrived(&mut self, request_id: &str) {
        self.function = Function::Tells;
        // To a closed attempt its own may come late; a second one is the next attempt's.
        match self.attempt(request_id) {
            Some(attempt) if !(attempt.closed && attempt.span) => attempt.span = true,
            _ => self.begin(Attempt { span: true, ..Attempt::at(request_id) }),
        }
    }

    /// The platform told the end of this request's runtime phase.
    pub fn runtime_done(&mut self, request_id: &str, outcome: Outcome, now: Instant) {
        self.platform = Platform::Tells;
        let done = Some((now, outcome));
        match self.attempt(request_id) {
            // After a runtime that is gone there is no further attempt in this sandbox.
            Some(attempt) if attempt.earlier_done_due && outcome == Outcome::Alive => {
                attempt.earlier_done_due = false;
            }
            Some(attempt) if attempt.done.is_none() => attempt.done = done,
            Some(attempt) if !attempt.closed => {}
            _ => self.begin(Attempt { done, ..Attempt::at(request_id) }),
        }
    }

    /// From when on the invocation counts as ended; `patience` is what a span that is known to come
    /// after `runtimeDone` is worth.
    pub fn ended(&self, request_id: &str, patience: Duration, now: Instant) -> Option<Instant> {
        let attempt = self.find(request_id).filter(|attempt| !attempt.closed)?;
        if attempt.span {
            return Some(now);
        }
        let (at, outcome) = attempt.done?;
        Some(match (outcome, self.function) {
            (Outcome::Gone, _) | (_, Function::Silent) => at,
            (Outcome::Alive, Function::Tells) => at + patience,
            (Outcome::Alive, Function::Unknown) => at + patience.min(FIRST_GRACE),
        })
    }

    /// The extension is done with this invocation, with or without its end.
    pub fn close(&mut self, request_id: &str) {
        let Some(attempt) = self.attempt(request_id) else { return };
        attempt.closed = true;
        let (span, done) = (attempt.span, attempt.done.is_some());
        if !span && self.function == Function::Unknown {
            self.function = Function::Silent;
        }
        if !span && !done {
            self.platform = Platform::Silent;
        }
    }

    /// Whether an end is worth waiting for: the function tells its own, or the platform does, if it is
    /// `subscribed` to and has not failed to tell the last.
    pub fn are_told(&self, subscribed: bool) -> bool {
        self.function == Function::Tells || (subscribed && self.platform == Platform::Tells)
    }

    /// What the function has shown of itself.
    pub fn function(&self) -> flush::Function {
        match self.function {
            Function::Unknown => flush::Function::Unknown,
            Function::Tells => flush::Function::Wrapped,
            Function::Silent => flush::Function::Unwrapped,
        }
    }

    /// Whether a span of this request may still come: its function sends them, its runtime lives.
    pub fn span_is_due(&self, request_id: &str) -> bool {
        let gone_or_here = |attempt: &Attempt| {
            attempt.span || attempt.done.is_some_and(|(_, outcome)| outcome == Outcome::Gone)
        };
        self.function == Function::Tells && !self.find(request_id).is_some_and(gone_or_here)
    }

    /// Whether the ended span of the latest attempt at this request arrived.
    pub fn has_span(&self, request_id: &str) -> bool {
        self.find(request_id).is_some_and(|attempt| attempt.span)
    }

    /// Whether the platform has not told yet how this request ended, nor its span.
    pub fn end_is_due(&self, request_id: &str) -> bool {
        self.find(request_id).is_none_or(|attempt| !attempt.span && attempt.done.is_none())
    }

    fn find(&self, request_id: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.request_id == request_id)
    }

    fn attempt(&mut self, request_id: &str) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|attempt| attempt.request_id == request_id)
    }

    /// Remembers the next attempt at a request, which may be the first, in place of the one before.
    fn begin(&mut self, mut next: Attempt) {
        next.earlier_done_due = self.find(&next.request_id).is_some_and(|attempt| attempt.done.is_none());
        self.attempts.retain(|attempt| attempt.request_id != next.request_id);
        if self.attempts.len() == REMEMBERED {
            self.attempts.pop_front();
        }
        self.attempts.push_back(next);
    }
}

impl Attempt {
    fn at(request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), ..Self::default() }
    }
}

#[cfg(test)]
#[path = "ends_tests.rs"]
mod tests;
