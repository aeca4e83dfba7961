//! Sending what is buffered, within a time limit, and keeping what could not be sent.

mod breaker;
mod otlp_http;
mod parts;
mod retry;
mod stdout;

pub use otlp_http::OtlpHttp;

use breaker::{Breaker, Moment, State};

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
    breaker: Breaker,
}

// === impl Exporter ===

impl Exporter {
    /// Connects to nothing yet.
    pub fn new(export: Export) -> Self {
        let backend = match export {
            Export::Stdout => None,
            Export::Otlp(endpoint, headers) => Some(OtlpHttp::new(endpoint, headers)),
        };
        Self { backend, breaker: Breaker::default() }
    }

    /// Sends until the buffer is empty, `until` is reached, or the backend fails and a retry would not
    /// fit. Whatever was not taken is in the buffer again and no request is on its way any more when
    /// this returns. It must be awaited to its end. Tells whether the buffer is empty.
    pub async fn drain(&mut self, shared: &Shared, until: Instant, effort: Effort) -> bool {
        let Self { backend, breaker } = self;
        let Some(backend) = backend else {
            let over = || Instant::now() >= until;
            return stdout::write(shared, over, |piece| shared.delivered(piece, 0, ""));
        };
        let last_chance = effort == Effort::LastChance;
        if breaker.state(Moment::now()) == State::Open && !last_chance {
            return shared.lock().buffer.queued() == 0;
        }
        let mut limit = BATCH;
        let mut failures = 0;
        loop {
            if Instant::now() >= until {
                return shared.lock().buffer.queued() == 0;
            }
            let Some(batch) = shared.take(limit) else { return true };
            let no_answer = || Outcome::Failed { after: None, why: "no answer in time".into() };
            let (why, asked, again) =
                match timeout_at(until, backend.send(&batch)).await.unwrap_or_else(|_| no_answer()) {
                    Outcome::Delivered { rejected, why } => {
                        shared.delivered(&batch, rejected, &why);
                        if breaker.succeeded() {
                            log::line(Level::Info, "export works again", json!({}));
                        }
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
                    Outcome::Unreachable(why) => (why, None, last_chance),
                    Outcome::Failed { after, why } => {
                        (why, after, last_chance || breaker.state(Moment::now()) == State::Closed)
                    }
                };
            shared.put_back(batch);
            let pause = retry::pause(retry::FIRST, failures, asked, fastrand::f64());
            let then = Instant::now().checked_add(pause).filter(|then| again && *then < until);
            let Some(then) = then else {
                if breaker.failed(Moment::now(), asked, fastrand::f64()) {
                    log::line(
                        Level::Warn,
                        "export fails; what is buffered is kept and tried again",
                        json!({ "reason": why }),
                    );
                }
                return false;
            };
            failures += 1;
            sleep_until(then).await;
        }
    }

    /// Writes what is left to stdout; what is still left at `until` is dropped.
    pub fn spill(&self, shared: &Shared, until: Instant) {
        if !stdout::write(shared, || Instant::now() >= until, |piece| shared.spilled(piece)) {
            shared.out_of_time();
        }
    }
}
