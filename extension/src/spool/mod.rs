//! What was accepted and not yet delivered, in files beside the flight recorders, so that the extension's own death
//! loses nothing.
//!
//! An accepted request is written before it is acknowledged. Each destination that is owed it holds a [`Ticket`]; when
//! the last clone of one is dropped, that destination is done with it, and that is noted. At the next start what is not
//! done with goes into the queues again that it is missing from. A request that was on its way may have arrived: it is sent
//! again, and said.
//!
//! Files are segments of a quarter of the buffer. One that nobody holds a ticket of is removed, so the spool is as long
//! as what waits, and never longer than twice the buffer. Nobody waits for the disk: the kernel has the bytes, and it
//! outlives the process.

mod frame;
mod left;
mod resume;
mod segment;

pub use left::{Left, Missing, Owed};

use crate::config::MOST_DESTINATIONS;
use crate::log::{self, Level};
use crate::otlp::Signal;
use crate::sandbox::Sandbox;
use frame::State;
use segment::Segment;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Of a larger buffer no more is spooled than twice this: `/tmp` is the function's.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Names tried for a new file: those of others that live are in the way.
const NAMES: u32 = 16;

/// The spool of one process.
#[derive(Debug, Default)]
pub struct Spool(Option<Open>);

#[derive(Debug)]
struct Open {
    tmp: PathBuf,
    api: String,
    /// The buffer's bound.
    limit: usize,
    /// How the destinations are called, in their order.
    destinations: Vec<String>,
    /// The segment that is written to; none before the first request.
    current: Option<Arc<Segment>>,
    /// Bytes in all segments that are there.
    size: Arc<AtomicUsize>,
    /// The number of the next segment.
    next: u64,
    /// One line was logged about what cannot be written.
    told: bool,
}

/// A request's place in the spool.
#[derive(Debug, Default)]
pub struct Place(Option<(Arc<Segment>, usize)>);

/// A destination's claim to a request in the spool. When the last of its clones is dropped that destination is done with it.
#[derive(Debug, Clone, Default)]
pub struct Ticket(Option<Arc<Claim>>);

#[derive(Debug)]
struct Claim {
    segment: Arc<Segment>,
    /// Where the state is.
    at: usize,
    /// It was sent before, and no answer came.
    unanswered: AtomicBool,
}

// === impl Spool ===

impl Spool {
    /// For at most `limit` bytes that wait for each of the `destinations`, in the folder under `tmp` of the sandbox whose
    /// Runtime API is `api`. Nothing is made before the first request.
    pub fn new(tmp: &Path, api: &str, limit: usize, destinations: &[String]) -> Self {
        let (tmp, api, destinations) = (tmp.to_owned(), api.to_owned(), destinations.to_owned());
        let (current, size, next, told) = (None, Arc::default(), 0, false);
        Self(Some(Open { tmp, api, limit: limit.min(MOST_BYTES), destinations, current, size, next, told }))
    }

    /// Writes nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// What another process has left. To be called before the first request is written.
    pub fn left(&mut self) -> Left {
        let mut left = Left::default();
        let Some(open) = &mut self.0 else { return left };
        // Where there is no folder nothing was written.
        let Ok(sandbox) = Sandbox::find(&open.tmp, &open.api).map(Arc::new) else { return left };
        for number in segment::numbers(&sandbox) {
            open.next = open.next.max(number.saturating_add(1));
            match Segment::open(&sandbox, number, open.limit, &open.size) {
                Ok((segment, content)) => open.read(&Arc::new(segment), &content, &mut left),
                Err(error) => log::line(
                    Level::Warn,
                    "a spool file cannot be read",
                    json!({ "file": segment::name(number), "reason": error.to_string() }),
                ),
            }
        }
        left
    }

    /// Writes down an accepted request. Where that fails it is in memory alone: one log line says so, the first time.
    pub fn write(&mut self, signal: Signal, request_id: Option<&str>, body: &[u8]) -> Place {
        let Some(open) = &mut self.0 else { return Place::default() };
        open.write(signal, request_id.unwrap_or_default(), body).unwrap_or_else(|error| {
            if !std::mem::replace(&mut open.told, true) {
                log::line(
                    Level::Warn,
                    "the spool cannot be written: if the extension dies, what waits to be sent is lost",
                    json!({ "reason": error.to_string() }),
                );
            }
            Place::default()
        })
    }

    /// Removes what nobody holds a ticket of. To be called when nothing comes any more.
    pub fn close(&mut self) {
        let Some(Open { tmp, api, current, .. }) = self.0.take() else { return };
        drop(current);
        if let Ok(sandbox) = Sandbox::find(&tmp, &api) {
            sandbox.remove_if_empty();
        }
    }
}

// === impl Open ===

impl Open {
    fn write(&mut self, signal: Signal, request_id: &str, body: &[u8]) -> std::io::Result<Place> {
        let Some(head) = frame::head(self.destinations.len(), signal, request_id, body) else {
            return Ok(Place::default());
        };
        if self.size.load(Relaxed).saturating_add(head.len() + body.len()) > 2 * self.limit {
            // Only what is held out of its order makes the spool so long: this one is in memory alone.
            return Ok(Place::default());
        }
        let segment = self.segment()?;
        let at = segment.append(&head, body)?;
        Ok(Place(Some((Arc::clone(segment), at))))
    }

    /// The segment to write to: the current one, from its start if nobody needs what is in it, or a new one if it is full
    /// or somebody has removed it.
    fn segment(&mut self) -> std::io::Result<&Arc<Segment>> {
        if let Some(segment) = &mut self.current {
            if segment.is_gone() {
                self.current = None;
            } else if let Some(unused) = Arc::get_mut(segment) {
                unused.clear()?;
            } else if segment.len() >= self.limit / 4 {
                self.current = None;
            }
        }
        match &mut self.current {
            Some(segment) => Ok(segment),
            none => {
                let sandbox = Arc::new(Sandbox::open(&self.tmp, &self.api)?);
                let head = frame::file_head(&self.destinations);
                let mut tries = 1..NAMES;
                let segment = loop {
                    let number = self.next;
                    self.next = self.next.wrapping_add(1);
                    match Segment::create(&sandbox, number, &head, &self.size) {
                        Err(error)
                            if error.kind() == std::io::ErrorKind::AlreadyExists
                                && tries.next().is_some() => {}
                        segment => break segment?,
                    }
                };
                Ok(none.insert(Arc::new(segment)))
            }
        }
    }
}

// === impl Place ===

impl Place {
    /// The claim of the destination in this position.
    pub fn ticket(&self, to: usize) -> Ticket {
        match &self.0 {
            Some((segment, at)) if to < MOST_DESTINATIONS => Ticket::of(segment, *at, to),
            _ => Ticket::default(),
        }
    }
}

// === impl Ticket ===

impl Ticket {
    fn of(segment: &Arc<Segment>, frame: usize, to: usize) -> Self {
        let unanswered = AtomicBool::new(false);
        Self(Some(Arc::new(Claim { segment: Arc::clone(segment), at: frame + to, unanswered })))
    }

    /// The request is being sent: it may arrive from now on.
    pub fn leaves(&self) {
        self.mark(State::MaybeSent);
    }

    /// The destination does not have it, unless it got it before without an answer.
    pub fn stays(&self) {
        if self.0.as_ref().is_some_and(|claim| !claim.unanswered.load(Relaxed)) {
            self.mark(State::Waits);
        }
    }

    /// The request was sent, and no answer came: whatever follows, it may have arrived.
    pub fn unanswered(&self) {
        if let Some(claim) = &self.0 {
            claim.unanswered.store(true, Relaxed);
        }
    }

    fn mark(&self, state: State) {
        if let Some(claim) = &self.0 {
            claim.segment.mark(claim.at, state);
        }
    }
}

/// The same claim, or none.
impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Ticket {}

// === impl Claim ===

impl Drop for Claim {
    fn drop(&mut self) {
        self.segment.mark(self.at, State::Done);
    }
}

#[cfg(test)]
mod tests;
