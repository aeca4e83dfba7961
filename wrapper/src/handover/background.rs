//! The way out where there is no invocation to wait for: spans are sent now and then, by a thread of their own.
//!
//! A thread, and not a task, because a program may end its Tokio runtime, or have several, and its spans should leave
//! all the same. It starts with the first span, and none is started where there is no endpoint to send to.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::client::{Client, Sent};
use super::lines::Lines;
use super::{Endpoint, endpoint, wire};
use crate::diagnostics::{warn, warn_once};
use crate::settings::Env;
use crate::span::{EndedSpan, resource};

/// The most bytes of spans that wait; more are dropped and counted.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The bytes of spans of one request, or one span more.
const REQUEST: usize = 1024 * 1024;
/// How long spans wait for others to leave with.
const INTERVAL: Duration = Duration::from_secs(1);
/// The longest that the spans that wait may take to send, once that has begun or somebody has asked for it.
const BUDGET: Duration = Duration::from_secs(5);
/// The longest pause after failures, which begins with [`INTERVAL`] and doubles.
const MAX_PAUSE: Duration = Duration::from_secs(32);
/// How often a request is sent that is refused: there may be a span in it that no collector wants.
const MAX_REFUSALS: u32 = 3;

/// Sends spans in the background.
#[derive(Debug)]
pub(crate) struct Background(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    endpoint: Option<Endpoint>,
    resource: Resource,
    queue: Mutex<Queue>,
    /// There is something to look at.
    news: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    spans: VecDeque<EndedSpan>,
    bytes: usize,
    dropped: usize,
    /// Whether the thread runs; `None` before its first span.
    thread: Option<bool>,
    /// Who wants to know when all is sent.
    asking: Vec<Ask>,
}

#[derive(Debug)]
struct Ask {
    told: oneshot::Sender<bool>,
    /// When the answer is due. The thread sees to that: who asks may run where nothing tells the time.
    end: Instant,
}

impl Background {
    pub(crate) fn new(env: &Env<'_>) -> Self {
        let (endpoint, resource) = (endpoint(env, true), resource(env));
        Self(Arc::new(Shared { endpoint, resource, queue: Mutex::default(), news: Notify::new() }))
    }

    /// Takes an ended span, to be sent soon. Never waits.
    pub(crate) fn add(&self, span: EndedSpan) {
        let Some(endpoint) = &self.0.endpoint else {
            self.0.queue().dropped += 1;
            return warn_once(
                "no endpoint is set that spans could go to: they are dropped; set OTEL_EXPORTER_OTLP_ENDPOINT",
            );
        };
        let mut queue = self.0.queue();
        if queue.bytes + span.size() > MAX_BYTES
            || !*queue.thread.get_or_insert_with(|| start(&self.0, endpoint))
        {
            queue.dropped += 1;
            return;
        }
        queue.bytes += span.size();
        queue.spans.push_back(span);
        let news = queue.spans.len() == 1 || queue.bytes >= REQUEST;
        drop(queue);
        if news {
            self.0.news.notify_one();
        }
    }

    /// Sends what waits; whether all of it was taken. Without an endpoint, whether there was never anything.
    pub(crate) async fn flush(&self) -> bool {
        let (told, hear) = oneshot::channel();
        {
            let mut queue = self.0.queue();
            match queue.thread {
                None => return queue.dropped == 0,
                Some(false) => return false,
                Some(true) => queue.asking.push(Ask { told, end: Instant::now() + BUDGET }),
            }
        }
        self.0.news.notify_one();
        hear.await.unwrap_or(false)
    }
}

/// Whether the thread runs.
fn start(shared: &Arc<Shared>, endpoint: &Endpoint) -> bool {
    let (shared, endpoint) = (shared.clone(), endpoint.clone());
    let thread = std::thread::Builder::new().name("throughline".to_owned()).spawn(move || {
        let _end = End(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if let Some(exit) = Exit::of(endpoint) {
                Sender { shared: &shared, exit, failures: 0, refusals: 0 }.run().await;
            }
        });
    });
    if thread.is_err() {
        warn_once("no thread could be started to send spans: they are dropped");
    }
    thread.is_ok()
}

/// Says that the thread has ended, however it came to that: nobody waits for it, and nothing piles up.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let left = std::mem::replace(&mut *self.0.queue(), Queue { thread: Some(false), ..Queue::default() });
        let lost = left.spans.len() + left.dropped;
        warn(&format!("{lost} spans were dropped, and so are all that follow: none can be sent"));
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As many spans as one request takes.
    fn take(&self) -> Vec<EndedSpan> {
        let mut queue = self.queue();
        let mut bytes = 0;
        let mut taken = Vec::new();
        while let Some(span) = queue.spans.pop_front_if(|_| bytes < REQUEST) {
            bytes += span.size();
            taken.push(span);
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
        taken
    }

    fn put_back(&self, spans: Vec<EndedSpan>) {
        let mut queue = self.queue();
        for span in spans.into_iter().rev() {
            queue.bytes += span.size();
            queue.spans.push_front(span);
        }
    }
}

/// What an endpoint is reached by.
enum Exit {
    Collector(Box<Client>),
    Stdout,
}

impl Exit {
    /// `None` if no client can be made.
    fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::Collector(target) => Some(Self::Collector(Box::new(Client::new(target)?))),
            Endpoint::Stdout => Some(Self::Stdout),
        }
    }

    async fn send(&self, resource: &Resource, spans: &[EndedSpan], budget: Duration) -> Sent {
        match self {
            Self::Collector(client) => client.send(Bytes::from(wire::encode(resource, spans)), budget).await,
            Self::Stdout => {
                Lines::default().write(resource, spans);
                Sent::Accepted
            }
        }
    }
}

/// What the thread does.
struct Sender<'a> {
    shared: &'a Shared,
    exit: Exit,
    /// Times in a row that not all was taken.
    failures: u32,
    /// Times in a row that a request was refused.
    refusals: u32,
}

impl Sender<'_> {
    async fn run(mut self) {
        // When it is time to send, be there many spans or few.
        let mut due: Option<Instant> = None;
        loop {
            let (some, many, asked, dropped) = {
                let mut queue = self.shared.queue();
                let dropped = std::mem::take(&mut queue.dropped);
                (!queue.spans.is_empty(), queue.bytes >= REQUEST, !queue.asking.is_empty(), dropped)
            };
            if dropped > 0 {
                warn(&format!("{dropped} spans were dropped: 4 MiB of them waited for the OTLP endpoint"));
            }
            let at = *due.get_or_insert_with(|| Instant::now() + self.pause());
            if !some && !asked {
                due = None;
                self.shared.news.notified().await;
            } else if asked || (many && self.failures == 0) || Instant::now() >= at {
                due = None;
                let asking = std::mem::take(&mut self.shared.queue().asking);
                // A send that ran when they asked has used some of their time.
                let end = asking.iter().map(|ask| ask.end).min();
                let done = self.send_all(end.unwrap_or_else(|| Instant::now() + BUDGET)).await;
                self.failures = if done { 0 } else { self.failures.saturating_add(1) };
                for Ask { told, .. } in asking {
                    // Whoever asked may have gone.
                    let _ = told.send(done);
                }
            } else {
                let _ = tokio::time::timeout_at(at, self.shared.news.notified()).await;
            }
        }
    }

    fn pause(&self) -> Duration {
        INTERVAL.saturating_mul(1 << self.failures.min(8)).min(MAX_PAUSE)
    }

    /// Sends what waits, until `end`; whether all of it was taken.
    async fn send_all(&mut self, end: Instant) -> bool {
        loop {
            let spans = self.shared.take();
            if spans.is_empty() {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.exit.send(&self.shared.resource, &spans, left).await {
                Sent::Accepted => self.refusals = 0,
                Sent::Refused if self.refusals + 1 >= MAX_REFUSALS => {
                    self.refusals = 0;
                    warn(&format!("{} spans were dropped: the OTLP endpoint refuses them", spans.len()));
                }
                sent => {
                    self.refusals += u32::from(sent == Sent::Refused);
                    self.shared.put_back(spans);
                    return false;
                }
            }
        }
    }
}
