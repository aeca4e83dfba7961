//! What an invocation writes down in the flight recorder while it runs.

use super::{Call, Invocation};
use crate::recorder::Journal;
use crate::span::{EndedSpan, Span};
use crate::tracer::Tracer;

/// Begins the journal of an invocation, whose span is described.
pub(super) fn begin(tracer: &Tracer, call: &Call, span: &Span) -> Option<Journal> {
    let recorder = tracer.recorder()?;
    let event = call.event.as_ref().and_then(|event| tracer.settings().capture.head(event));
    recorder.open(&call.request_id, event.as_deref(), span)
}

impl Invocation {
    /// Its journal, if the recorder is on.
    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Writes down the invocation span as it stands, with the errors that it has swallowed so far.
    pub(crate) fn write_down(&self, span: &Span) {
        if let Some(journal) = &self.journal {
            journal.invocation(&self.swallowed.so_far(span));
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

    /// Writes down a span of it that has ended.
    pub(super) fn write_down_ended(&self, span: &EndedSpan) {
        if let Some(journal) = &self.journal {
            journal.ended(span);
        }
    }

    /// Writes down the invocation span, which has ended.
    pub(super) fn write_down_end(&self, span: &EndedSpan) {
        if let Some(journal) = &self.journal {
            journal.invocation_ended(span);
        }
    }

    /// Clears its journal: its spans were handed over.
    pub(crate) fn forget(&self) {
        if let Some(journal) = &self.journal {
            journal.clear();
        }
    }
}
