//! An invocation that still runs when it is about to run out of time.

use std::time::{Duration, SystemTime};

use super::Invocation;
use crate::diagnostics::warn_of;
use crate::recorder::{Journal, open_spans};
use crate::span::{EndedSpan, PARTIAL, attribute};

impl Invocation {
    /// Tells of an invocation whose time ends at `deadline`, in case it is killed then. Where there is no extension that would
    /// tell what it left behind, what there is of it is sent. May take until then: it is for a thread of our own.
    pub(crate) fn is_at_margin(&self, deadline: SystemTime) {
        // The whole is handed over after the part.
        let _telling = self.partly.blocking_lock();
        let left = deadline.duration_since(self.now()).unwrap_or_default();
        let Some(spans) = self.so_far(left) else { return };
        let (id, ms) = (&self.request_id, left.as_millis());
        warn_of(self.ids(), &format!("request {id}: it still runs, {ms} ms before it runs out of time"));
        self.debug_lines.write(None, self.ids());
        if self.tracer.is_alone() {
            self.tracer.send_partly(&spans, left);
        }
    }

    /// Marks the invocation span, and writes it down with all that is known; what there is of it, or `None` if it has ended.
    fn so_far(&self, left: Duration) -> Option<Vec<EndedSpan>> {
        self.write_down_event();
        let now = self.now();
        let mut state = self.state();
        let span = state.open.as_mut()?;
        let remaining =
            attribute("throughline.remaining_ms", i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
        span.event("throughline.deadline", now, vec![remaining]);
        self.write_down(span);
        if !self.tracer.is_alone() {
            return Some(Vec::new());
        }
        let mut so_far = self.swallowed.so_far(span).into_owned();
        so_far.set(PARTIAL, true);
        let invocation = so_far.end(now);
        let mut spans = state.ended.clone();
        // Without the recorder nobody knows which are open.
        let written = self.journal.as_ref().map(Journal::so_far).unwrap_or_default();
        // To decode them takes longer, and whoever ends a span waits for the lock.
        drop(state);
        spans.extend(open_spans(&written, now));
        spans.push(invocation);
        Some(spans)
    }

    /// Waits until what is being told of it at its margin is told.
    pub(crate) async fn is_told_partly(&self) {
        drop(self.partly.lock().await);
    }
}

#[cfg(test)]
mod tests;
