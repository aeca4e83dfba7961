//! The life of the extension after its start: events, invocations, SHUTDOWN.

use crate::bad_end::BadEnd;
use crate::export::{Effort, Exporter};
use crate::flush::{Decision, GaveUp, State, decide, shutdown_until};
use crate::lambda::{Error, Event, Lambda};
use crate::log::{self, Level};
use crate::recorder::Recorders;
use crate::sandbox::Sandbox;
use crate::shared::Shared;
use crate::terminated::Terminated;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep_until};

/// How long a span that is still due may delay SHUTDOWN: its function was frozen before the hand-over.
const LAST_SPAN: Duration = Duration::from_millis(300);
/// How long the platform's word on a crash may delay SHUTDOWN: it is buffered for 25 ms.
const LAST_WORD: Duration = Duration::from_millis(100);
/// The time left after SIGTERM, which comes from local hosts.
const TERMINATION: Duration = Duration::from_secs(2);
/// Kept free before the deadline of SHUTDOWN: the summary is written after all else.
const SUMMARY: Duration = Duration::from_millis(50);
/// The time to write down what is left that there always is, for clocks may be wrong.
const LEAST: Duration = Duration::from_millis(100);
/// No deadline is farther: a function runs for 15 minutes at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// A started extension.
#[derive(Debug)]
pub struct Extension {
    lambda: Lambda,
    shared: Arc<Shared>,
    exporter: Exporter,
    budget: Duration,
    mode: Mode,
    port_file: Option<(Sandbox, u16)>,
    recorders: Recorders,
    terminated: Terminated,
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
        budget: Duration,
        mode: Mode,
        port_file: Option<(Sandbox, u16)>,
        recorders: Recorders,
    ) -> Self {
        let terminated = Terminated::new();
        Self { lambda, shared, exporter, budget, mode, port_file, recorders, terminated }
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
                    self.invocation(&request_id, instant(deadline_ms, SystemTime::now(), Instant::now()))
                        .await
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

    /// Waits for the next event; `None` is SIGTERM. Where nothing freezes, what arrives is sent meanwhile.
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        let unfrozen = self.mode == Mode::Unfrozen;
        let mut next = pin!(self.lambda.next());
        loop {
            tokio::select! {
                event = &mut next => return event.map(Some),
                () = self.terminated.wait() => return Ok(None),
                () = self.shared.changed(), if unfrozen => {
                    self.recorders.tell_bad_ends(&self.shared);
                    self.exporter.drain(&self.shared, Instant::now() + self.budget, Effort::Usual).await;
                }
            }
        }
    }

    /// Sees an invocation through to its end, or to the margin before its deadline.
    async fn invocation(&mut self, request_id: &str, deadline: Instant) -> After {
        let invoked = Instant::now();
        {
            let mut inner = self.shared.lock();
            inner.current = Some(request_id.into());
            inner.ends.open(request_id);
        }
        if self.mode == Mode::Unfrozen {
            return After::Next;
        }
        let (mut flushing_since, mut gave_up) = (None, None);
        loop {
            self.recorders.tell_bad_ends(&self.shared);
            let now = Instant::now();
            let state = self.state(request_id, (invoked, deadline), now, flushing_since, gave_up);
            match decide(&state, now) {
                Decision::Wait(until) => tokio::select! {
                    () = self.shared.changed() => {}
                    () = sleep_until(until) => {}
                    () = self.terminated.wait() => return After::Terminated,
                },
                Decision::Relieve(until) => {
                    let drained = self.exporter.drain(&self.shared, until, Effort::Usual).await;
                    gave_up = (!drained).then_some(GaveUp::Early);
                }
                Decision::Flush(until) => {
                    flushing_since.get_or_insert(now);
                    let drained = self.exporter.drain(&self.shared, until, Effort::Usual).await;
                    gave_up = (!drained).then_some(GaveUp::AtEnd);
                }
                Decision::Next => break,
            }
        }
        self.shared.lock().ends.close(request_id);
        After::Next
    }

    fn state(
        &self,
        request_id: &str,
        (invoked, deadline): (Instant, Instant),
        now: Instant,
        flushing_since: Option<Instant>,
        gave_up: Option<GaveUp>,
    ) -> State {
        let inner = self.shared.lock();
        State {
            ended: inner.ends.ended(request_id, self.budget, now),
            end_is_told: inner.ends.are_told(self.mode == Mode::EndsAreTold),
            invoked,
            deadline,
            budget: self.budget,
            buffered: inner.buffer.queued(),
            limit: inner.buffer.limit(),
            flushing_since,
            gave_up,
        }
    }

    /// Sends what it can, writes down the rest, and gives account.
    async fn shutdown(&mut self, reason: &str, deadline: Instant) {
        let until = shutdown_until(deadline, Instant::now());
        self.last_news(reason, until).await;
        self.recorders.tell_all(&self.shared, &BadEnd::of_shutdown(reason));
        self.exporter.drain(&self.shared, until, Effort::LastChance).await;
        self.write_down(deadline);
    }

    /// Writes down what is left, and gives account. The account is given in time, whatever is left.
    fn write_down(&self, deadline: Instant) {
        if let Some((sandbox, port)) = &self.port_file {
            sandbox.remove_port(*port);
        }
        let least = Instant::now() + LEAST;
        self.exporter
            .spill(&self.shared, deadline.checked_sub(SUMMARY).map_or(least, |until| until.max(least)));
        log::line(Level::Info, "summary", self.shared.lock().accounts.summary());
    }

    /// Waits for what is still to come of the last invocation: its span, unless its process is gone, or why that is.
    async fn last_news(&self, reason: &str, until: Instant) {
        let patience = if reason == "failure" { LAST_WORD } else { LAST_SPAN };
        let until = until.min(Instant::now() + patience);
        loop {
            let due = {
                let inner = self.shared.lock();
                inner.current.as_deref().is_some_and(|id| match reason {
                    "timeout" => false,
                    "failure" => self.mode == Mode::EndsAreTold && inner.ends.end_is_due(id),
                    _ => inner.ends.span_is_due(id),
                })
            };
            if !due || Instant::now() >= until {
                return;
            }
            tokio::select! {
                () = self.shared.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }
}

/// The moment of a deadline in milliseconds since 1970. To be asked when the event arrives: clocks jump
/// in a freeze, and what was computed before it is worth nothing after.
fn instant(deadline_ms: u64, wall: SystemTime, now: Instant) -> Instant {
    let since_1970 = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    now + Duration::from_millis(deadline_ms).saturating_sub(since_1970).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, instant};
    use std::time::{Duration, UNIX_EPOCH};
    use tokio::time::Instant;

    #[test]
    fn deadlines_are_seen_from_now() {
        let (now, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_millis(10_000));
        assert_eq!(instant(13_000, wall, now), now + Duration::from_secs(3));
        assert_eq!(instant(9_000, wall, now), now, "past");
        assert_eq!(instant(u64::MAX, wall, now), now + LONGEST, "nonsense");
    }
}
