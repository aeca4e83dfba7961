//! What an invocation writes down in the flight recorder while it runs.

use super::{Call, Invocation};
use crate::recorder::Journal;
use crate::span::{EndedSpan, Span};
use crate::tracer::Tracer;

/// Begins the journal of an invocation, whose span is described.
pub(super) fn begin(tracer: &Tracer, call: &Call, span: &Span) -> Option<Journal> {
    let recorder = tracer.recorder()?;
    recorder.open(&call.request_id, span)
}

impl Invocation {
    /// Its journal, if the recorder is on.
    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Whoever runs waits for something: the moment for what takes longest, unless it is the response that is being posted.
    pub(crate) fn is_waiting(&self) {
        let is_due = self.journal.as_ref().is_some_and(Journal::wants_event);
        // The handler may go on after it has said that it failed, and be killed.
        if is_due && self.state().answer.is_none() {
            self.write_down_event();
        }
    }

    /// Writes down the beginning of the event without its secrets, once. That takes longer than all else that is done
    /// before the handler is called, so it is left for later: most handlers wait for something, and some are quick.
    pub(crate) fn write_down_event(&self) {
        if let (Some(journal), Some(event)) = (&self.journal, &self.event) {
            journal.event(|| self.settings().capture.head(event));
        }
    }

    /// Writes down the invocation span as it stands, with the errors that it has swallowed so far.
    pub(crate) fn write_down(&self, span: &Span) {
        if let Some(journal) = &self.journal {
            journal.begun(&self.swallowed.so_far(span));
        }
    }

    /// The same, unless the span is being changed: who asks may be a panic in the midst of that.
    pub(crate) fn try_write_down(&self) {
        if let Ok(state) = self.state.try_lock()
            && let Some(span) = &state.open
        {
            self.write_down(span);
        }
    }

    /// Writes down a span of it that has begun and is described.
    pub(crate) fn write_down_begun(&self, span: &Span) {
        if let Some(journal) = &self.journal {
            journal.begun(span);
        }
    }

    /// Writes down a span of it that has ended, or its own.
    pub(super) fn write_down_ended(&self, span: &EndedSpan) {
        if let Some(journal) = &self.journal {
            journal.ended(span);
        }
    }

    /// Clears its journal: its spans were handed over.
    pub(crate) fn forget(&self) {
        if let Some(journal) = &self.journal {
            journal.clear();
        }
    }
}
