//! How an invocation ends, and the ends that its handler knows nothing of: its event could not be read, its response was
//! refused, nobody waited for the end of its stream.

use std::time::SystemTime;

use super::{Invocation, State, answers};
use crate::diagnostics::warn_of;
use crate::span::{EndedSpan, Failure, Span};

/// What has been seen of such an end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Why the event could not be deserialized, as far as the runtime says it.
    unreadable: Option<String>,
    /// A stream is being answered, and its end has not come.
    streaming: bool,
}

impl Invocation {
    /// Takes it for granted that the handler was called, where nobody tells; whether that was unknown.
    pub(crate) fn presume_reached(&self) -> bool {
        !std::mem::replace(&mut self.state().reached, true)
    }

    /// The runtime could not make of the event what the handler takes.
    pub(crate) fn is_unreadable(&self, why: String) {
        self.state().ends.unreadable = Some(why);
    }

    /// Lambda has not taken the response, but answered with this status.
    pub(crate) fn is_refused(&self, status: u16) {
        // Whoever closes the connection in the midst of a stream has to say something too.
        if self.state().ends.streaming && status != TOO_LARGE {
            return;
        }
        let failure = match status {
            TOO_LARGE => {
                Failure::new("Function.ResponseSizeTooLarge", "the response is larger than Lambda takes")
            }
            _ => Failure::new(
                "Throughline.ResponseRefused",
                &format!("Lambda refused the response with status {status}"),
            ),
        };
        self.fail(failure);
    }

    /// The handler answers with a stream.
    pub(crate) fn stream_begins(&self) {
        self.state().ends.streaming = true;
    }

    /// The stream has ended, with an error or without.
    pub(crate) fn stream_ends(&self) {
        self.state().ends.streaming = false;
    }

    /// Ends the invocation and gives all its spans. Later ones leave with the next invocation.
    pub(crate) fn close(&self) -> Vec<EndedSpan> {
        let now = self.now();
        // Not under the lock: tasks that outlive the invocation wait for it, and what is written here may take its time.
        let mut state = std::mem::take(&mut *self.state());
        let mut spans = std::mem::take(&mut state.ended);
        let Some(mut span) = state.open.take() else { return spans };
        self.tell_end(&mut span, &state, now);
        match span.failure() {
            None => self.swallowed.tell(&mut span, None),
            Some(_) => self.debug_lines.write(None, self.ids()),
        }
        for (key, taken) in [("throughline.event", &self.event), ("throughline.response", &state.answer)] {
            if let Some(taken) = taken {
                self.settings().capture.tell(&mut span, key, taken);
            }
        }
        if state.dropped > 0 {
            span.set("throughline.dropped_spans", state.dropped);
            let (count, id) = (state.dropped, &self.request_id);
            let what = format!("{count} spans of request {id} were dropped: it made more than 3 MiB of them");
            warn_of(self.ids(), &what);
        }
        let span = span.end(now);
        self.write_down_ended(&span);
        spans.push(span);
        spans
    }

    /// Puts what was seen on the invocation span, when it is over.
    fn tell_end(&self, span: &mut Span, state: &State, now: SystemTime) {
        if !state.reached {
            let why = state.ends.unreadable.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!("the handler was not reached: the event could not be deserialized{why}");
            span.fail("Throughline.HandlerNotReached", &self.settings().keys.text(&message), now);
            answers::describe_failure(span, self.answers, self.records.len());
        }
        // The response is over and its stream is not: the other side has stopped reading, which is no error of ours.
        if state.ends.streaming && span.failure().is_none() {
            span.set("throughline.client_gone", true);
        }
    }
}

/// 413, Content Too Large: Lambda takes 6 MiB, and 200 MiB of a stream
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const TOO_LARGE: u16 = 413;
