//! Sending what is buffered, within a time limit, and keeping what could not be sent.

mod otlp_http;
mod parts;
mod retry;
mod stdout;

pub use otlp_http::OtlpHttp;

use crate::buffer::BatchLimit;
use crate::config::Export;
use crate::log::{self, Level};
use crate::shared::Shared;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// One request to a backend: under the 5 MB that the strictest is known to take.
const BATCH: BatchLimit = BatchLimit { bytes: 4 * 1024 * 1024, entries: 1000 };

/// What became of one try to send a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The backend has it, except for `rejected` items, for the reason it gave.
    Delivered {
        /// Number of items that the backend did not take.
        rejected: u64,
        /// Its reason.
        why: String,
    },
    /// It may work later; not before `after`, if the backend said so.
    Failed {
        /// The pause that the backend asked for.
        after: Option<Duration>,
        /// What went wrong.
        why: String,
    },
    /// Nobody listens there.
    Unreachable(String),
    /// The backend will never take this batch; in smaller parts it may.
    Refused {
        /// Whether a part of the batch may have more luck.
        divisible: bool,
        /// Its reason.
        why: String,
    },
}

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What is not sent now waits for the next invocation.
    Usual,
    /// There is no later.
    LastChance,
}

/// Sends batches to where the configuration says.
#[derive(Debug)]
pub struct Exporter {
    /// `None`: to stdout.
    backend: Option<OtlpHttp>,
    outage: Outage,
}

/// Whether the backend fails.
#[derive(Debug, Default)]
struct Outage {
    /// The last try failed: until one succeeds, each flush tries once.
    failing: bool,
    /// The backend asked not to be bothered before.
    not_before: Option<Instant>,
}

// === impl Exporter ===

impl Exporter {
    /// Connects to nothing yet.
    pub fn new(export: Export) -> Self {
        let backend = match export {
            Export::Stdout => None,
            Export::Otlp(endpoint, headers) => Some(OtlpHttp::new(endpoint, headers)),
        };
        Self { backend, outage: Outage::default() }
    }

    /// Sends until the buffer is empty, `until` is reached, or the backend fails and a retry would not
    /// fit. Whatever was not taken is in the buffer again and no request is on its way any more when
    /// this returns. It must be awaited to its end. Tells whether the buffer is empty.
    pub async fn drain(&mut self, shared: &Shared, until: Instant, effort: Effort) -> bool {
        let Self { backend, outage } = self;
        let Some(backend) = backend else {
            let over = || Instant::now() >= until;
            return stdout::write(shared, over, |piece| shared.delivered(piece, 0, ""));
        };
        let mut limit = BATCH;
        let mut failures = 0;
        loop {
            let now = Instant::now();
            let asked_to_wait = outage.not_before.is_some_and(|then| now < then);
            if now >= until || (asked_to_wait && effort == Effort::Usual) {
                return shared.lock().buffer.queued() == 0;
            }
            let Some(batch) = shared.take(limit) else { return true };
            let no_answer = || Outcome::Failed { after: None, why: "no answer in time".into() };
            let pause = match timeout_at(until, backend.send(&batch)).await.unwrap_or_else(|_| no_answer()) {
                Outcome::Delivered { rejected, why } => {
                    shared.delivered(&batch, rejected, &why);
                    outage.end();
                    (limit, failures) = (BATCH, 0);
                    continue;
                }
                Outcome::Refused { divisible: true, .. } if batch.entries.len() > 1 => {
                    // One sender's bad request must not cost the others theirs.
                    limit.entries = batch.entries.len() / 2;
                    shared.put_back(batch);
                    continue;
                }
                Outcome::Refused { why, .. } => {
                    shared.refused(&batch, &why);
                    limit = BATCH;
                    continue;
                }
                Outcome::Unreachable(why) => {
                    shared.put_back(batch);
                    outage.failed(&why, None);
                    (effort == Effort::LastChance).then(|| retry::pause(failures, None, fastrand::f64()))
                }
                Outcome::Failed { after, why } => {
                    shared.put_back(batch);
                    let again = effort == Effort::LastChance || !outage.failing || failures > 0;
                    outage.failed(&why, after);
                    again.then(|| retry::pause(failures, after, fastrand::f64()))
                }
            };
            failures += 1;
            match pause.and_then(|pause| Instant::now().checked_add(pause)) {
                Some(then) if then < until => sleep_until(then).await,
                _ => return false,
            }
        }
    }

    /// Writes what is left to stdout; what is still left at `until` is dropped.
    pub fn spill(&self, shared: &Shared, until: Instant) {
        if !stdout::write(shared, || Instant::now() >= until, |piece| shared.spilled(piece)) {
            shared.out_of_time();
        }
    }
}

// === impl Outage ===

impl Outage {
    fn failed(&mut self, why: &str, after: Option<Duration>) {
        self.not_before = after.and_then(|after| Instant::now().checked_add(after));
        if !std::mem::replace(&mut self.failing, true) {
            log::line(
                Level::Warn,
                "export fails; what is buffered is kept and tried again",
                json!({ "reason": why }),
            );
        }
    }

    fn end(&mut self) {
        self.not_before = None;
        if std::mem::take(&mut self.failing) {
            log::line(Level::Info, "export works again", json!({}));
        }
    }
}
