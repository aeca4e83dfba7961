//! Sending what is buffered, within a time limit, and keeping what could not be sent.

mod aws;
mod breaker;
mod connector;
mod credentials;
mod destination;
mod otlp_http;
mod parts;
mod probe;
mod quote;
mod retry;
mod signing;
mod stdout;
mod store;

pub use aws::Aws;
pub use credentials::Source;
pub use probe::{Step, probe};
pub use store::Store;

use crate::config::Export;
use crate::shared::Shared;
use connector::Connector;
use destination::Destination;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// How we call ourselves.
const USER_AGENT: &str = concat!("throughline-extension/", env!("CARGO_PKG_VERSION"));

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
    /// It takes nothing of this signal.
    Unsupported,
}

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// What is not sent now waits for the next invocation.
    Usual,
    /// There is no later.
    LastChance,
}

/// What came of a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Nothing waits.
    pub all: bool,
    /// A backend took something.
    pub some: bool,
}

/// Sends batches to where the configuration says.
#[derive(Debug)]
pub struct Exporter {
    destinations: Vec<Destination>,
}

// === impl Exporter ===

impl Exporter {
    /// Connects to nothing yet. The destinations are those of the [`Shared`] that it will drain, in their order.
    /// Nothing is sent to `own`, the port of 127.0.0.1 where OTLP is taken.
    pub fn new(exports: Vec<Export>, own: u16) -> Self {
        let connector = Connector::new(own);
        let destination = |export| Destination::new(export, &connector);
        Self { destinations: exports.into_iter().map(destination).collect() }
    }

    /// Sends to all destinations at the same time until nothing waits, `until` is reached, or each that is left
    /// fails and a retry would not fit. Whatever was not taken is in its queue again and no request is on its way
    /// any more when this returns. It must be awaited to its end.
    pub async fn drain(&mut self, shared: &Shared, until: Instant, effort: Effort) -> Drained {
        let before = shared.lock().accounts.all_exported();
        let destinations = self.destinations.iter_mut().enumerate();
        all(destinations.map(|(to, destination)| destination.drain(shared.outbox(to), until, effort))).await;
        let inner = shared.lock();
        Drained { all: inner.queued() == 0, some: inner.accounts.all_exported() > before }
    }

    /// When to try again what is left, if nothing comes before that; `None` if nothing is.
    pub fn next_try(&self, shared: &Shared) -> Option<Instant> {
        let inner = shared.lock();
        let left = self.destinations.iter().zip(&inner.queues).filter(|(_, queue)| queue.queued() > 0);
        left.map(|(destination, _)| destination.next_try()).min()
    }

    /// Writes what is left to stdout, once, whoever missed it; what is still left at `until` is dropped.
    pub fn spill(&self, shared: &Shared, until: Instant) {
        stdout::spill(shared, || Instant::now() >= until);
    }
}

/// Waits for all of them at the same time.
async fn all<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    poll_fn(|context| {
        running.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
