//! The life of the extension after its start: events, invocations, SHUTDOWN.

mod shutdown;

use crate::export::{Drained, Effort, Exporter};
use crate::facts::unix_nanos;
use crate::flush::{Decision, GaveUp, Pace, Settings, State, Unsent, decide, held_until};
use crate::lambda::{Error, Event, Lambda, instant};
use crate::recorder::Recorders;
use crate::sandbox::Sandbox;
use crate::shared::Shared;
use crate::terminated::Terminated;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until, timeout_at};

/// The time left after SIGTERM, which comes from local hosts.
const TERMINATION: Duration = Duration::from_secs(2);

/// A started extension.
#[derive(Debug)]
pub struct Extension {
    lambda: Lambda,
    shared: Arc<Shared>,
    exporter: Exporter,
    settings: Settings,
    mode: Mode,
    port_file: Option<(Sandbox, u16)>,
    recorders: Recorders,
    terminated: Terminated,
    pace: Pace,
    ahead: Option<Ahead>,
    /// Where nothing freezes: when to try again what is left.
    again: Option<Instant>,
}

/// An invocation ahead of whose end the next event was asked for.
#[derive(Debug)]
struct Ahead {
    request_id: String,
    deadline: Instant,
}

/// Where an invocation stands.
struct Turn<'a> {
    request_id: &'a str,
    invoked: Instant,
    deadline: Instant,
    /// What earlier ones have left is still unsent.
    tail: bool,
    flushing_since: Option<Instant>,
    gave_up: Option<GaveUp>,
}

/// How the end of an invocation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The platform tells it, as long as it does.
    EndsAreTold,
    /// Only the function tells it, if it is wrapped, which its first span shows. So the first invocation
    /// is not waited for; its spans leave with the second's, or at SHUTDOWN.
    EndsAreGuessed,
    /// It does not matter: nothing freezes here, and what arrives is sent at once.
    Unfrozen,
}

/// Whether to go on after an invocation.
#[derive(Debug, PartialEq, Eq)]
enum After {
    Next,
    Terminated,
}

// === impl Extension ===

impl Extension {
    /// Puts the parts together.
    pub fn new(
        lambda: Lambda,
        shared: Arc<Shared>,
        exporter: Exporter,
        settings: Settings,
        mode: Mode,
        port_file: Option<(Sandbox, u16)>,
        recorders: Recorders,
    ) -> Self {
        let (terminated, pace) = (Terminated::new(), Pace::new());
        // At once: an extension that died may have left something.
        let (ahead, again) = (None, Some(Instant::now()));
        Self {
            lambda,
            shared,
            exporter,
            settings,
            mode,
            port_file,
            recorders,
            terminated,
            pace,
            ahead,
            again,
        }
    }

    /// Handles events until SHUTDOWN, and returns when nothing is left in the buffer.
    ///
    /// # Errors
    ///
    /// If Lambda's API is gone. What was buffered is on stdout then.
    pub async fn run(mut self) -> Result<(), Error> {
        loop {
            let after = match self.next().await {
                Ok(Some(Event::Invoke { request_id, deadline_ms })) => {
                    self.recorders.invoked(&request_id, deadline_ms);
                    self.invocation(&request_id, deadline_ms).await
                }
                Ok(Some(Event::Shutdown { deadline_ms, shutdown_reason })) => {
                    let deadline = instant(deadline_ms, SystemTime::now(), Instant::now());
                    self.shutdown(&shutdown_reason, deadline).await;
                    return Ok(());
                }
                Ok(None) => After::Terminated,
                Err(error) => {
                    // Nobody has set a deadline.
                    self.write_down(Instant::now() + TERMINATION);
                    return Err(error);
                }
            };
            if after == After::Terminated {
                self.shutdown("", Instant::now() + TERMINATION).await;
                return Ok(());
            }
        }
    }

    /// Waits for the next event; `None` is SIGTERM. Where nothing freezes, what arrives is sent meanwhile, and
    /// what a backend did not take is sent when it may be asked again. Where the event was asked for ahead, so is what a function waits for that handed over a failure.
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        let unfrozen = self.mode == Mode::Unfrozen;
        let mut gave_up = false;
        let mut next = pin!(self.lambda.next());
        loop {
            tokio::select! {
                // What was handed over belongs to the event that is here.
                biased;
                event = &mut next => return event.map(Some),
                () = self.terminated.wait() => return Ok(None),
                () = changed_or(&self.shared, self.again), if unfrozen => {
                    self.recorders.tell_bad_ends(&self.shared);
                    self.shared.tell_metrics(unix_nanos(SystemTime::now()), false);
                    self.exporter.drain(&self.shared, Instant::now() + self.settings.budget, Effort::Usual).await;
                    self.again = self.exporter.next_try(&self.shared);
                }
                () = self.shared.changed(), if self.ahead.is_some() => {
                    let (Some(ahead), now) = (&self.ahead, Instant::now()) else { continue };
                    let until = held_until(self.settings.budget, ahead.deadline, now);
                    // After the deadline the next event is on its way.
                    if !self.shared.is_pressing() || until <= now {
                        continue;
                    }
                    if !gave_up {
                        let Drained { all, some } = self.exporter.drain(&self.shared, until, Effort::Usual).await;
                        gave_up = !all && !some;
                    }
                    self.shared.flushed();
                }
            }
        }
    }

    /// Sees an invocation through to its end, to the margin before its deadline, or as far as the policy wants to.
    async fn invocation(&mut self, request_id: &str, deadline_ms: u64) -> After {
        let invoked = Instant::now();
        let deadline = instant(deadline_ms, SystemTime::now(), invoked);
        self.shared.tell_metrics(unix_nanos(SystemTime::now()), false);
        let tail = {
            let mut inner = self.shared.lock();
            inner.current = Some(request_id.into());
            if let Some(before) = self.ahead.take() {
                inner.close(&before.request_id);
            }
            inner.ends.open(request_id);
            inner.facts.invoked(request_id, unix_nanos(SystemTime::now()));
            inner.hold_failures = false;
            // A quick function may have handed over already.
            inner.entries().any(|entry| entry.request_id.as_deref() != Some(request_id))
        };
        if self.mode == Mode::Unfrozen {
            return After::Next;
        }
        self.pace.invoked(deadline_ms, tail);
        let mut turn = Turn { request_id, invoked, deadline, tail, flushing_since: None, gave_up: None };
        loop {
            self.recorders.tell_bad_ends(&self.shared);
            let now = Instant::now();
            match decide(&self.state(&turn, now), now) {
                Decision::Wait(until) => tokio::select! {
                    () = self.shared.changed() => {}
                    () = sleep_until(until) => {}
                    () = self.terminated.wait() => return After::Terminated,
                },
                Decision::Beside(until) => {
                    let Drained { all, some } = self.flush(&turn, until).await;
                    turn.tail &= !all;
                    // A backend that takes something is asked again: the function hands over faster than that reads.
                    turn.gave_up = (!all && !some).then_some(GaveUp::Early);
                }
                Decision::Flush(until) => {
                    turn.flushing_since.get_or_insert(now);
                    let drained = self.flush(&turn, until).await;
                    turn.gave_up = (!drained.all).then_some(GaveUp::AtEnd);
                }
                Decision::Ahead => {
                    self.ahead = Some(Ahead { request_id: request_id.to_owned(), deadline });
                    self.shared.lock().hold_failures = true;
                    return After::Next;
                }
                Decision::Next => break,
            }
        }
        self.shared.flushed();
        self.shared.lock().close(request_id);
        After::Next
    }

    async fn flush(&mut self, turn: &Turn<'_>, until: Instant) -> Drained {
        let drained = self.exporter.drain(&self.shared, until, Effort::Usual).await;
        self.shared.flushed();
        self.pace.flushed(turn.invoked.elapsed(), drained.all);
        drained
    }

    fn state(&self, turn: &Turn<'_>, now: Instant) -> State {
        let Settings { budget, policy, ample } = self.settings;
        let ran = now.saturating_duration_since(turn.invoked);
        let inner = self.shared.lock();
        State {
            ended: inner.ends.ended(turn.request_id, budget, now),
            end_is_told: inner.ends.are_told(self.mode == Mode::EndsAreTold),
            invoked: turn.invoked,
            deadline: turn.deadline,
            budget,
            policy,
            unsent: Unsent {
                urgent: inner.urgent,
                tail: turn.tail,
                age: self.pace.age(ran),
                since_flush: self.pace.since_flush(ran),
                frequent: self.pace.is_frequent(),
                ample,
                function: inner.ends.function(),
                buffered: inner.queued(),
                limit: inner.limit(),
            },
            flushing_since: turn.flushing_since,
            gave_up: turn.gave_up,
        }
    }
}

/// Waits until something changed, or for this moment.
async fn changed_or(shared: &Shared, at: Option<Instant>) {
    match at {
        Some(at) => _ = timeout_at(at, shared.changed()).await,
        None => shared.changed().await,
    }
}
