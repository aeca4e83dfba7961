//! One destination: where it is, how it does, and the flush of its queue.

use super::aws::CloudWatch;
use super::breaker::{Breaker, Moment, State};
use super::connector::Connector;
use super::otlp_http::OtlpHttp;
use super::store::TraceStore;
use super::{Effort, Outcome, retry, stdout, store};
use crate::buffer::{Batch, BatchLimit};
use crate::config::Export;
use crate::log::Level;
use crate::outbox::Outbox;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// One request to a backend: under the 5 MB that the strictest is known to take.
const BATCH: BatchLimit = BatchLimit { bytes: 4 * 1024 * 1024, entries: 1000, items: 10_000 };

/// Sends to one backend.
#[derive(Debug)]
pub(super) struct Destination {
    backend: Backend,
    breaker: Breaker,
}

/// How long one batch is tried, by a backend that takes several requests for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) until: Instant,
    /// What failed may be tried again.
    pub(super) again: bool,
}

#[derive(Debug)]
enum Backend {
    Stdout,
    Otlp(OtlpHttp),
    Aws(Box<CloudWatch>),
    Store(Box<TraceStore>),
}

// === impl Destination ===

impl Destination {
    /// Connects to nothing yet.
    pub(super) fn new(export: Export, connector: &Connector) -> Self {
        let backend = match export {
            Export::Stdout => Backend::Stdout,
            Export::Otlp { endpoint, headers, encoding } => {
                Backend::Otlp(OtlpHttp::new(endpoint, headers, encoding, connector.clone()))
            }
            Export::Aws(aws) => Backend::Aws(Box::new(CloudWatch::new(*aws, connector))),
            Export::Store(store) => Backend::Store(Box::new(TraceStore::new(*store, connector))),
        };
        Self { backend, breaker: Breaker::default() }
    }

    /// When to try again what is left, unless something else comes before.
    pub(super) fn next_try(&self) -> Instant {
        self.breaker.next_try(Moment::now())
    }

    /// Sends `nothing`, an empty request, once; into a trace store an item that nobody reads. Tells what came of it.
    pub(super) async fn probe(&mut self, nothing: &Batch) -> Result<String, String> {
        let patience = Patience { until: Instant::now(), again: false };
        let outcome = match &mut self.backend {
            Backend::Store(store) => return store.check().await,
            backend => backend.send(nothing, patience).await,
        };
        match outcome {
            Outcome::Delivered { .. } => Ok("an empty request was taken".to_owned()),
            Outcome::Failed { why, .. } | Outcome::Refused { why, .. } | Outcome::Unreachable(why) => {
                Err(why)
            }
            Outcome::Unsupported => Err("it takes nothing of this kind".to_owned()),
        }
    }

    /// Sends until the queue is empty, `until` is reached, or the backend fails and a retry would not fit.
    pub(super) async fn drain(&mut self, outbox: Outbox<'_>, until: Instant, effort: Effort) {
        let Self { backend, breaker } = self;
        if let Backend::Stdout = backend {
            return stdout::drain(outbox, || Instant::now() >= until);
        }
        if let Backend::Store(store) = backend {
            store.report(&outbox.take_reports());
        }
        let last_chance = effort == Effort::LastChance;
        if breaker.state(Moment::now()) == State::Open && !last_chance {
            return;
        }
        let most = backend.limit();
        let mut limit = most;
        let (mut failures, mut took) = (0, Duration::ZERO);
        loop {
            // A request that would be cut off in the middle would be sent twice.
            let begun = Instant::now();
            if begun + took >= until {
                return;
            }
            let Some(batch) = outbox.take(limit) else { break };
            let no_answer = || Outcome::Failed { after: None, why: "no answer in time".into() };
            let again = last_chance || breaker.state(Moment::now()) == State::Closed;
            let sent = timeout_at(until, backend.send(&batch, Patience { until, again })).await;
            let (why, asked, again) = match sent.unwrap_or_else(|_| no_answer()) {
                Outcome::Delivered { rejected, why } => {
                    outbox.delivered(&batch, rejected, &why);
                    if breaker.succeeded() {
                        outbox.log(Level::Info, "export works again", json!({}));
                    }
                    (limit, failures, took) = (most, 0, begun.elapsed());
                    continue;
                }
                Outcome::Refused { divisible: true, .. } if batch.entries.len() > 1 => {
                    // One sender's bad request must not cost the others theirs.
                    limit.entries = batch.entries.len() / 2;
                    outbox.put_back(batch);
                    continue;
                }
                Outcome::Refused { why, .. } => {
                    outbox.refused(&batch, &why);
                    limit = most;
                    continue;
                }
                Outcome::Unsupported => {
                    outbox.unsupported(&batch);
                    continue;
                }
                Outcome::Unreachable(why) => (why, None, last_chance),
                Outcome::Failed { after, why } => (why, after, again),
            };
            if backend.take_unanswered() {
                outbox.unanswered(batch);
            } else {
                outbox.put_back(batch);
            }
            let pause = retry::pause(retry::FIRST, failures, asked, fastrand::f64());
            let then = Instant::now().checked_add(pause).filter(|then| again && *then < until);
            let Some(then) = then else {
                if breaker.failed(Moment::now(), asked, fastrand::f64()) {
                    outbox.log(
                        Level::Warn,
                        "export fails; what is buffered is kept and tried again",
                        json!({ "reason": why }),
                    );
                }
                return;
            };
            failures += 1;
            sleep_until(then).await;
        }
        if let Backend::Store(store) = backend
            && last_chance
            && let Err(why) = store.settle(until).await
        {
            let message = "memory and billed time of the last invocations are not counted";
            outbox.log(Level::Warn, message, json!({ "reason": why }));
        }
    }
}

// === impl Backend ===

impl Backend {
    /// Whether the last request may have arrived although nobody said so; asked once.
    fn take_unanswered(&self) -> bool {
        match self {
            Backend::Stdout => false,
            Backend::Otlp(backend) => backend.take_unanswered(),
            Backend::Aws(backend) => backend.take_unanswered(),
            Backend::Store(backend) => backend.take_unanswered(),
        }
    }

    /// How much it is given at once.
    fn limit(&self) -> BatchLimit {
        match self {
            Backend::Stdout | Backend::Otlp(_) | Backend::Aws(_) => BATCH,
            Backend::Store(_) => store::BATCH,
        }
    }

    async fn send(&mut self, batch: &Batch, patience: Patience) -> Outcome {
        match self {
            // It is written to as a whole.
            Backend::Stdout => Outcome::Unsupported,
            Backend::Otlp(backend) => backend.send(batch).await,
            Backend::Aws(backend) => backend.send(batch).await,
            Backend::Store(backend) => backend.send(batch, patience).await,
        }
    }
}
