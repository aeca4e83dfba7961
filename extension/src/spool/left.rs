//! Reading what an extension that died has left.

use super::frame::{self, FILE_HEAD, Frame, State, frames};
use super::segment::Segment;
use super::{Open, Ticket};
use crate::config::MOST_DESTINATIONS;
use crate::log::{self, Level};
use crate::otlp::{InvocationSpan, Signal, inspect, invocations};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

/// What an extension that died has left.
#[derive(Debug, Default)]
pub struct Left {
    /// What it owed, oldest first.
    pub requests: Vec<Owed>,
    /// The invocations of which it had taken the span, delivered or not.
    pub invocations: Vec<InvocationSpan>,
}

/// A request that an extension had accepted which died before each destination was done with it.
#[derive(Debug)]
pub struct Owed {
    /// What it carries.
    pub signal: Signal,
    /// The encoded request; checked like one that was just received.
    pub bytes: Bytes,
    /// Number of spans, metrics or log records.
    pub items: u64,
    /// The invocation that it came from, where that is known.
    pub request_id: Option<Arc<str>>,
    /// Whom it is owed to, at least one.
    pub to: Vec<Missing>,
}

/// A destination that misses a request.
#[derive(Debug)]
pub struct Missing {
    /// Its position.
    pub to: usize,
    /// Its claim.
    pub ticket: Ticket,
    /// Whether it may have the request nevertheless.
    pub maybe_sent: bool,
}

// === impl Open ===

impl Open {
    /// Adds what a segment says to what is `left`. What no backend would take was not written by us.
    pub(super) fn read(&self, segment: &Arc<Segment>, content: &[u8], left: &mut Left) {
        let head = frame::file_head(&self.destinations);
        let others = !content.starts_with(&head);
        let mut whole = if frame::is_ours(content) { FILE_HEAD } else { 0 };
        for frame in frames(content) {
            whole = frame.end();
            let Ok(found) = inspect(frame.signal, frame.body) else { continue };
            if frame.signal == Signal::Traces {
                left.invocations.extend(invocations(frame.body));
            }
            let to = self.missing(segment, &frame, others);
            if !to.is_empty() {
                left.requests.push(Owed {
                    signal: frame.signal,
                    bytes: Bytes::copy_from_slice(frame.body),
                    items: found.items,
                    request_id: Some(frame.request_id).filter(|id| !id.is_empty()).map(Into::into),
                    to,
                });
            }
        }
        if whole < content.len() {
            // What it was writing when it died was not accepted; but a disk may be damaged, too.
            log::line(
                Level::Warn,
                "a spool file is not whole: what is behind its last whole request is lost",
                json!({ "file": segment.name(), "whole_bytes": whole, "bytes": content.len() }),
            );
        }
        if others {
            segment.write_head(&head);
        }
    }

    /// Whom a request is still to go to. Of a file for `others` the positions say nothing: what any of them misses goes to
    /// each of ours.
    fn missing(&self, segment: &Arc<Segment>, frame: &Frame<'_>, others: bool) -> Vec<Missing> {
        let states = frame.states;
        let by_any = states.iter().any(|state| *state != State::Done);
        if others && by_any {
            for (to, at) in (frame.at..).take(MOST_DESTINATIONS).enumerate() {
                segment.mark(at, if to < self.destinations.len() { State::Waits } else { State::Done });
            }
        }
        let is_missing = |to: &usize| if others { by_any } else { states[*to] != State::Done };
        let missing = |to| {
            let ticket = Ticket::of(segment, frame.at, to);
            let maybe_sent = !others && states[to] == State::MaybeSent;
            if maybe_sent {
                ticket.unanswered();
            }
            Missing { to, ticket, maybe_sent }
        };
        (0..self.destinations.len().min(MOST_DESTINATIONS)).filter(is_missing).map(missing).collect()
    }
}
