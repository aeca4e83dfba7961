//! Tells invocations whose process is gone, from the flight recorders that the wrapper left in the sandbox's folder.
//!
//! Three moments: at the start every recorder is of a sandbox that was reset; when the platform says that a process is
//! gone, its invocation's is read; at SHUTDOWN every one that is left. What a recorder said is in the buffer before its
//! file is removed, so that it is told once, and counted like whatever else was received. An invocation whose
//! ended span arrived has told its own story.

use crate::bad_end::{BadEnd, Kind};
use crate::facts::spans;
use crate::log::{self, Level};
use crate::otlp::{Signal, inspect};
use crate::sandbox::Sandbox;
use crate::shared::{Inner, Shared};
use prost::Message as _;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use throughline_recorder::{Ending, Failure, Opened, Recording, Unreadable, names, open_at};

/// The longest that a function runs.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// So long before a deadline it counts as over: whoever watches it took the time at another moment.
const EARLY_MS: u64 = 100;

/// The recorders of one sandbox.
#[derive(Debug)]
pub struct Recorders {
    tmp: PathBuf,
    api: String,
    /// The latest invocation and its deadline, in milliseconds since 1970.
    invoked: Option<(String, u64)>,
}

/// What to do with the recorder of a request.
enum Fate {
    Tell(BadEnd),
    Remove,
    Leave,
}

/// Whether what is no story goes: nobody writes to it any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Stays,
    Goes,
}

// === impl Recorders ===

impl Recorders {
    /// Those in the folder under `tmp` of the sandbox whose Runtime API is `api`. The folder is looked up each time, for
    /// programs empty `/tmp`.
    pub fn new(tmp: &Path, api: &str) -> Self {
        Self { tmp: tmp.to_owned(), api: api.to_owned(), invoked: None }
    }

    /// Notes the deadline of an invocation, in milliseconds since 1970.
    pub fn invoked(&mut self, request_id: &str, deadline_ms: u64) {
        self.invoked = Some((request_id.to_owned(), deadline_ms));
    }

    /// Whether the time of the latest invocation is over.
    pub fn is_past_deadline(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let over = |deadline_ms: u64| now >= Duration::from_millis(deadline_ms.saturating_sub(EARLY_MS));
        self.invoked.as_ref().is_some_and(|(_, deadline_ms)| over(*deadline_ms))
    }

    /// Tells what a sandbox that was reset has left behind. To be called before a function can run.
    ///
    /// Nothing is noted as ended: Lambda tries asynchronous invocations again, under the same request id. What the
    /// extension had taken before it died is told already.
    pub fn tell_orphans(&self, shared: &Shared) {
        self.each(shared, Rest::Goes, |recording| {
            if is_told(&shared.lock(), recording) { Fate::Remove } else { Fate::Tell(Kind::Reset.into()) }
        });
        shared.lock().facts.forget();
    }

    /// Tells the invocations of which the platform has said meanwhile that their process is gone; then what no recorder
    /// tells.
    pub fn tell_bad_ends(&self, shared: &Shared) {
        if !shared.lock().bad_ends.is_empty() {
            self.tell_gone(shared);
        }
        shared.tell_facts(None);
    }

    fn tell_gone(&self, shared: &Shared) {
        self.each(shared, Rest::Stays, |recording| {
            let mut inner = shared.lock();
            let request_id = recording.request_id();
            match inner.bad_ends.find(request_id).cloned() {
                Some(_) if is_told(&inner, recording) => Fate::Remove,
                Some(bad_end) => {
                    inner.ends.span_arrived(request_id);
                    Fate::Tell(bad_end)
                }
                None => Fate::Leave,
            }
        });
        shared.lock().bad_ends.clear();
    }

    /// Tells all that is left at SHUTDOWN; of what the platform has said nothing about, `otherwise` says how it ended.
    pub fn tell_all(&self, shared: &Shared, otherwise: &BadEnd) {
        self.each(shared, Rest::Goes, |recording| {
            let inner = shared.lock();
            if is_told(&inner, recording) {
                return Fate::Remove;
            }
            Fate::Tell(inner.bad_ends.find(recording.request_id()).unwrap_or(otherwise).clone())
        });
    }

    /// Reads every recorder and does with it what `fate` says of it.
    fn each(&self, shared: &Shared, rest: Rest, fate: impl Fn(&Recording) -> Fate) {
        // Where there is no folder nothing was recorded.
        let Ok(sandbox) = Sandbox::find(&self.tmp, &self.api) else { return };
        for name in names(sandbox.folder()).unwrap_or_default() {
            match open_at(sandbox.folder(), &name) {
                Ok(opened) => match fate(&opened.recording) {
                    Fate::Tell(bad_end) => self.tell(shared, &name, opened, &bad_end),
                    Fate::Remove => {}
                    Fate::Leave => continue,
                },
                Err(_) if rest == Rest::Stays => continue,
                Err(Unreadable::Cleared) => {}
                Err(why) => unreadable(&name, &why),
            }
            sandbox.remove(&name);
        }
    }

    /// Puts into the buffer what a recorder says.
    fn tell(&self, shared: &Shared, name: &str, opened: Opened, bad_end: &BadEnd) {
        let request_id = opened.recording.request_id().to_owned();
        let (time_unix_nano, failure) = self.ending(&opened, bad_end);
        let ending = Ending { time_unix_nano, failure: Some(failure.clone()) };
        let mut request = opened.recording.into_request(&ending);
        let memory = shared.lock().facts.memory_used(&request_id);
        memory.into_iter().for_each(|bytes| spans::add_memory(&mut request, &request_id, bytes));
        let bytes = request.encode_to_vec();
        let spans = match inspect(Signal::Traces, &bytes) {
            Ok(found) => found.items,
            Err(why) => return unreadable(name, &why),
        };
        log::line(
            Level::Info,
            "an invocation that ended badly is told from its flight recorder",
            json!({ "request_id": request_id, "spans": spans, "error_type": failure.error_type, "reason": failure.message }),
        );
        shared.recovered(&request_id, bytes.into(), spans);
    }

    /// When and how. The platform says how long an invocation ran, or when its time was over; of any other it is known
    /// when it last wrote.
    fn ending(&self, opened: &Opened, bad_end: &BadEnd) -> (u64, Failure) {
        let recording = &opened.recording;
        let start = recording.invocation().map(|span| Duration::from_nanos(span.start_time_unix_nano));
        let deadline = self.invoked.as_ref().filter(|(request_id, _)| request_id == recording.request_id());
        let allowed = || {
            let (_, deadline_ms) = deadline.filter(|_| bad_end.kind == Kind::TimedOut)?;
            Duration::from_millis(*deadline_ms).checked_sub(start?)
        };
        let ran = bad_end.ran.or_else(allowed).filter(|ran| *ran <= LONGEST);
        let end = ran.zip(start).map(|(ran, start)| start.saturating_add(ran));
        let end = end.and_then(|end| u64::try_from(end.as_nanos()).ok());
        (end.unwrap_or_else(|| recording.last_moment(opened.modified)), bad_end.failure(ran))
    }
}

/// Whether this very attempt was told. A recorder that does not know its span is compared by request.
fn is_told(inner: &Inner, recording: &Recording) -> bool {
    let request_id = recording.request_id();
    let span_id = recording.invocation().and_then(|span| span.span_id.as_slice().try_into().ok());
    match span_id {
        Some(span_id) => inner.told.by(request_id, span_id).is_some(),
        None => inner.ends.has_span(request_id),
    }
}

fn unreadable(name: &str, why: &dyn std::fmt::Display) {
    let fields = json!({ "file": name, "reason": why.to_string() });
    log::line(Level::Warn, "a flight recorder cannot be read", fields);
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
