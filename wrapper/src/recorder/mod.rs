//! The flight recorder: what an invocation has done so far, in a file under `/tmp`, for whoever comes after a process
//! that was killed.
//!
//! Spans leave the function only after its response, so that one that is killed for memory or time would take them along.
//! The extension reads what is left (it completes the open spans with what the platform says), and so does
//! `throughline recorder FILE`. An invocation under way has a file of its own; it is marked as over once its
//! spans were handed over, and its bytes stay until others overwrite them. Where it makes more than the file has room for,
//! open spans and the newest of those that ended are kept (`pages.rs`). Any error switches the recorder off, which is one
//! log line: a `/tmp` that is full or can't be written to is no reason to disturb the function.

mod file;
mod frame;
mod map;
mod pages;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message as _;

use crate::diagnostics::{warn, warn_once};
use crate::sandbox;
use crate::settings::{Env, word};
use crate::span::{EndedSpan, Span};
use file::Slot;
use frame::Kind;

/// The most files of a process: each takes a megabyte of a `/tmp` that has 512 of them, and is the program's.
const MAX_AT_ONCE: usize = 64;

/// The process's recorder: the files that no invocation uses.
#[derive(Debug)]
pub(crate) struct Recorder {
    folder: PathBuf,
    /// What all spans have in common, as OTLP's `Resource`.
    resource: Vec<u8>,
    free: Mutex<Vec<Slot>>,
    /// How many files were made.
    made: AtomicUsize,
    /// A file was made: what earlier processes left was seen to.
    is_first: AtomicBool,
    is_off: AtomicBool,
}

impl Recorder {
    /// The recorder of a function, unless `THROUGHLINE_RECORDER` says `off`. Nothing is made before the first invocation:
    /// a snapshot would give every restored sandbox the same file.
    pub(crate) fn from_env(env: &Env<'_>, resource: &Resource) -> Option<Arc<Self>> {
        let folder = sandbox::folder(&env("AWS_LAMBDA_RUNTIME_API")?);
        is_on(env).then(|| Arc::new(Self::new(folder, resource)))
    }

    fn new(folder: PathBuf, resource: &Resource) -> Self {
        Self {
            folder,
            resource: resource.encode_to_vec(),
            free: Mutex::default(),
            made: AtomicUsize::new(0),
            is_first: AtomicBool::new(true),
            is_off: AtomicBool::new(false),
        }
    }

    /// Begins the journal of an invocation; `None` if the recorder is off, or as many have one as may.
    pub(crate) fn open(self: &Arc<Self>, request_id: &str, span: &Span) -> Option<Journal> {
        if self.is_off() {
            return None;
        }
        let mut bytes = Vec::with_capacity(span.size());
        span.write(&mut bytes);
        let frames = [
            (Kind::RequestId, request_id.as_bytes()),
            (Kind::Resource, &*self.resource),
            (Kind::Span, &*bytes),
        ];
        let mut slot = self.or_off(self.slot())??;
        self.or_off(slot.begin(span.context().span_id(), &frames))?;
        Some(Journal {
            recorder: self.clone(),
            has_event: AtomicBool::new(false),
            slot: Mutex::new(Some(slot)),
        })
    }

    /// A file that no other invocation uses, unless there are enough.
    fn slot(&self) -> io::Result<Option<Slot>> {
        if let Some(slot) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(Some(slot));
        }
        if self.made.fetch_add(1, Ordering::Relaxed) >= MAX_AT_ONCE {
            self.made.fetch_sub(1, Ordering::Relaxed);
            warn_once(&format!(
                "more than {MAX_AT_ONCE} invocations run at once: the others have no flight recorder"
            ));
            return Ok(None);
        }
        sandbox::make(&self.folder)?;
        let slot = Slot::make(&self.folder)?;
        if self.is_first.swap(false, Ordering::Relaxed) {
            file::remove_old(&self.folder);
        }
        Ok(Some(slot))
    }

    /// Keeps a file for a later invocation, unless the handler has emptied `/tmp`: a question for the kernel, which nobody
    /// waits for here.
    fn give_back(&self, slot: Slot) {
        if !slot.is_there() {
            self.made.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }

    fn is_off(&self) -> bool {
        self.is_off.load(Ordering::Relaxed)
    }

    /// What was done; switches the recorder off where that failed.
    fn or_off<T>(&self, done: io::Result<T>) -> Option<T> {
        done.inspect_err(|error| {
            if !self.is_off.swap(true, Ordering::Relaxed) {
                let folder = self.folder.display();
                warn(&format!(
                    "the flight recorder is off: {folder}: {error}: of an invocation that is killed nothing is told"
                ));
            }
        })
        .ok()
    }
}

fn is_on(env: &Env<'_>) -> bool {
    match word(env, "THROUGHLINE_RECORDER").as_deref() {
        None | Some("" | "on" | "true" | "1") => true,
        Some("off" | "false" | "0") => false,
        Some(other) => {
            warn_once(&format!("THROUGHLINE_RECORDER is '{other}', not on or off: it stays on"));
            true
        }
    }
}

/// The journal of one invocation. Its file is given back when it is dropped: a later invocation begins it anew.
#[derive(Debug)]
pub(crate) struct Journal {
    recorder: Arc<Recorder>,
    /// The event was written down, or is not to be.
    has_event: AtomicBool,
    /// `None` once the invocation was handed over.
    slot: Mutex<Option<Slot>>,
}

impl Journal {
    /// Whether the event is still to be written down.
    pub(crate) fn wants_event(&self) -> bool {
        !self.has_event.load(Ordering::Relaxed)
    }

    /// Writes down the beginning of the event, masked, unless that was done.
    pub(crate) fn event(&self, event: impl FnOnce() -> Option<String>) {
        if !self.has_event.swap(true, Ordering::Relaxed)
            && let Some(event) = event()
        {
            self.with(|slot| slot.event(&event));
        }
    }

    /// Writes down a span that has begun and is described, as it stands.
    pub(crate) fn begun(&self, span: &Span) {
        self.with(|slot| slot.span(span.context().span_id(), true, |out| span.write(out)));
    }

    /// Writes down a span that has ended.
    pub(crate) fn ended(&self, span: &EndedSpan) {
        self.with(|slot| slot.span(span.id(), false, |out| out.extend_from_slice(span.bytes())));
    }

    /// What was written down so far of the spans that have not ended, but for the invocation's own; for [`open_spans`].
    pub(crate) fn so_far(&self) -> Vec<Vec<u8>> {
        self.with(|slot| slot.open_spans()).unwrap_or_default()
    }

    /// Keeps a log line, of which the last 64 are kept: JSON, without a newline, of which a kilobyte has room.
    pub(crate) fn line(&self, line: &str) {
        self.with(|slot| slot.line(line));
    }

    /// Forgets the invocation, all of which was told elsewhere. Whatever comes later is not written down.
    pub(crate) fn clear(&self) {
        let slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut slot) = slot {
            slot.clear();
            self.recorder.give_back(slot);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
    }
}

/// Spans that were written down and have not ended, as if they had ended at `now`.
pub(crate) fn open_spans(written: &[Vec<u8>], now: SystemTime) -> Vec<EndedSpan> {
    let mut open: Vec<_> = written.iter().filter_map(|span| otlp::Span::decode(&**span).ok()).collect();
    open.sort_unstable_by_key(|span| span.start_time_unix_nano);
    open.into_iter().map(|span| EndedSpan::of_open(span, now)).collect()
}

impl Drop for Journal {
    fn drop(&mut self) {
        let slot = self.slot.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slot.take() {
            self.recorder.give_back(slot);
        }
    }
}
