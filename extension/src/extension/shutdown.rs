//! The end: what is still to come, what can be sent in time, and the account of all.

use super::{Extension, Mode};
use crate::bad_end::BadEnd;
use crate::export::Effort;
use crate::facts::unix_nanos;
use crate::flush::shutdown_until;
use crate::log::{self, Level};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until};

/// How long a span that is still due may delay SHUTDOWN: its function was frozen before the hand-over.
const LAST_SPAN: Duration = Duration::from_millis(300);
/// How long the platform's word on a crash, or a report, may delay SHUTDOWN: it is buffered for 25 ms.
const LAST_WORD: Duration = Duration::from_millis(100);
/// Kept free before the deadline of SHUTDOWN: the summary is written after all else.
const SUMMARY: Duration = Duration::from_millis(50);
/// The time to write down what is left that there always is, for clocks may be wrong.
const LEAST: Duration = Duration::from_millis(100);

// === impl Extension ===

impl Extension {
    /// Sends what it can, writes down the rest, and gives account.
    pub(super) async fn shutdown(&mut self, reason: &str, deadline: Instant) {
        let until = shutdown_until(deadline, Instant::now());
        self.last_news(reason, until).await;
        // AWS's emulator gives the reason `spindown` when time ran out, too. Where sandboxes freeze, what it says is so, and
        // deadlines are of long ago.
        let is_late = self.mode == Mode::Unfrozen && self.recorders.is_past_deadline(SystemTime::now());
        let bad_end = BadEnd::of_shutdown(if is_late { "timeout" } else { reason });
        self.recorders.tell_all(&self.shared, &bad_end);
        let now = unix_nanos(SystemTime::now());
        self.shared.tell_facts(Some((reason, now)));
        self.shared.tell_metrics(now, true);
        self.exporter.drain(&self.shared, until, Effort::LastChance).await;
        self.shared.flushed();
        self.write_down(deadline);
    }

    /// Writes down what is left, and gives account. The account is given in time, whatever is left.
    pub(super) fn write_down(&self, deadline: Instant) {
        if let Some((sandbox, port)) = &self.port_file {
            sandbox.remove_port(*port);
        }
        let least = Instant::now() + LEAST;
        self.exporter
            .spill(&self.shared, deadline.checked_sub(SUMMARY).map_or(least, |until| until.max(least)));
        self.shared.lock().spool.close();
        let mut inner = self.shared.lock();
        inner.tell_overflow();
        log::line(Level::Info, "summary", inner.accounts.summary());
    }

    /// Waits for what is still to come of the last invocation: its span and its report, unless its process is gone, or why
    /// that is.
    async fn last_news(&self, reason: &str, until: Instant) {
        let are_told = self.mode == Mode::EndsAreTold;
        let [span, word] = [LAST_SPAN, LAST_WORD].map(|patience| until.min(Instant::now() + patience));
        loop {
            let due = {
                let inner = self.shared.lock();
                inner.current.as_deref().and_then(|id| match reason {
                    "timeout" => None,
                    "failure" => (are_told && inner.ends.end_is_due(id)).then_some(word),
                    _ if inner.ends.span_is_due(id) => Some(span),
                    _ => (are_told && inner.facts.report_is_due(id)).then_some(word),
                })
            };
            let Some(until) = due.filter(|until| Instant::now() < *until) else { return };
            tokio::select! {
                () = self.shared.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }
}
