//! When to send: a pure decision.
//!
//! A frozen process cannot wake, so what is to leave must leave between the end of an invocation and
//! the request for the next event. That wait is billed and delays the sandbox's next invocation, so it
//! is bounded by a budget, and by the function's deadline, past which Lambda resets the sandbox. Of a
//! function that nobody says has ended the budget is taken from the end of its time, but no more than a
//! quarter of that: a budget as long as the time-out must not take all of it.
//!
//! What may wait for the next invocation the [`Policy`] says. Near the deadline nothing may.

mod pace;
mod policy;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use pace::Pace;
pub use policy::{Function, Policy, Unsent, is_ample};

use std::time::Duration;
use tokio::time::Instant;

/// Kept free before the deadline: what is under way is put back, and the request for the next event must still go out, of a
/// sandbox that may have a fourteenth of a processor (128 MB of the 1,769 MB for a whole one,
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>). Later, and the sandbox is reset.
const SAFETY: Duration = Duration::from_millis(100);
/// A buffer that is this full is flushed while the function still runs, rather than dropped from.
const PRESSURE: f64 = 0.5;

/// Until when a flush may take that a function waits for: it gives up after two seconds, or near its deadline.
const HELD: Duration = Duration::from_secs(1);

/// What the configuration says of flushes.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long one may hold up the next event.
    pub budget: Duration,
    /// What may wait.
    pub policy: Policy,
    /// Whether there is processor enough to send beside the handler.
    pub ample: bool,
}

/// What is known when deciding.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// From when on the invocation counts as ended, once that is known.
    pub ended: Option<Instant>,
    /// Whether the end will be told, by the platform or by the invocation span.
    pub end_is_told: bool,
    /// When INVOKE was read.
    pub invoked: Instant,
    /// When Lambda stops the function.
    pub deadline: Instant,
    /// How long a flush after the end may take, all in all.
    pub budget: Duration,
    /// What may wait.
    pub policy: Policy,
    /// What the policy goes by.
    pub unsent: Unsent,
    /// When the first flush after the end began.
    pub flushing_since: Option<Instant>,
    /// A flush of this invocation came to nothing: the backend is not asked again before the end,
    /// and not twice after it.
    pub gave_up: Option<GaveUp>,
}

/// When a flush came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaveUp {
    /// While the function ran, to relieve a full buffer.
    Early,
    /// After the end.
    AtEnd,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Decide again at this time, or when something arrives.
    Wait(Instant),
    /// While the function runs: send until this time.
    Beside(Instant),
    /// The invocation is over: send what is buffered, until this time.
    Flush(Instant),
    /// Ask for the next event while the function runs; what it still hands over waits.
    Ahead,
    /// Ask for the next event.
    Next,
}

/// Decides.
pub fn decide(state: &State, now: Instant) -> Decision {
    let State { policy, unsent, .. } = state;
    let quarter = state.deadline.saturating_duration_since(state.invoked) / 4;
    let margin = before(state.deadline, state.budget.min(quarter) + SAFETY);
    let ended = match state.ended {
        Some(ended) => now >= ended,
        None => !state.end_is_told,
    };
    if !ended && now < margin {
        let crowded = is_crowded(unsent.buffered, unsent.limit);
        if (crowded || policy.sends_beside(unsent)) && unsent.buffered > 0 && state.gave_up.is_none() {
            return Decision::Beside(margin.min(now + state.budget));
        }
        if policy.asks_ahead(unsent) {
            return Decision::Ahead;
        }
        return Decision::Wait(state.ended.map_or(margin, |ended| ended.min(margin)));
    }
    let until = (state.flushing_since.unwrap_or(now) + state.budget).min(before(state.deadline, SAFETY));
    let may_wait = ended && state.flushing_since.is_none() && !policy.sends_at_end(unsent);
    if unsent.buffered == 0 || may_wait || state.gave_up == Some(GaveUp::AtEnd) || now >= until {
        Decision::Next
    } else {
        Decision::Flush(until)
    }
}

/// Whether a buffer is so full that what is in it does not wait.
pub fn is_crowded(buffered: usize, limit: usize) -> bool {
    buffered as f64 >= limit as f64 * PRESSURE
}

/// Until when a flush may take that keeps the answer to a hand-over waiting.
pub fn held_until(budget: Duration, deadline: Instant, now: Instant) -> Instant {
    (now + budget.min(HELD)).min(before(deadline, SAFETY))
}

/// Until when a flush at SHUTDOWN may take: a part is kept for writing down what is left.
pub fn shutdown_until(deadline: Instant, now: Instant) -> Instant {
    let left = deadline.saturating_duration_since(now);
    now + left.saturating_sub((left / 4).clamp(SAFETY, Duration::from_millis(300)))
}

fn before(deadline: Instant, margin: Duration) -> Instant {
    deadline.checked_sub(margin).unwrap_or(deadline)
}
