//! What all invocations of this process share: settings, clock, resource, and the way out for spans.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::deadline::{Watch, Watched, until_margin};
use crate::diagnostics::warn;
use crate::handover::{Background, HandOver};
use crate::invocation::Invocation;
use crate::recorder::Recorder;
use crate::settings::{Env, Settings};
use crate::span::{EndedSpan, resource};

/// The most bytes of spans that wait for the next invocation because their own was over.
const MAX_LATE_BYTES: usize = 256 * 1024;

/// The longest init of a function on demand (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
const MAX_INIT: Duration = Duration::from_secs(10);

/// The process's tracing, made once and shared by every clone of the layers.
#[derive(Debug)]
pub(crate) struct Tracer {
    settings: Settings,
    resource: Resource,
    clock: fn() -> SystemTime,
    hand_over: HandOver,
    /// `None` where it is switched off, or where nobody would read it.
    recorder: Option<Arc<Recorder>>,
    watch: Watch<Running>,
    initialized: Initialized,
    warm: AtomicBool,
    late: Mutex<Late>,
    /// Where there is no invocation, so that nothing is ever handed over.
    background: Option<Background>,
}

/// An invocation, and when its time ends.
#[derive(Debug)]
pub(crate) struct Running {
    invocation: Weak<Invocation>,
    deadline: SystemTime,
}

/// How this sandbox was started.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Initialized {
    /// When somebody called, or, now and then, before anybody did.
    OnDemand(SystemTime),
    /// From a snapshot, when somebody called; the clock of before says nothing.
    Restored,
    /// Before anybody called.
    Ahead,
}

impl Initialized {
    /// Reads what Lambda says of it
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
    fn of(env: &Env<'_>, now: SystemTime) -> Self {
        match env("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref() {
            Some("provisioned-concurrency" | "lambda-managed-instances") => Self::Ahead,
            Some("snap-start") => Self::Restored,
            _ => Self::OnDemand(now),
        }
    }

    /// Whether whoever calls `now`, as the first, has waited for it. An init that is more than ten seconds old was
    /// Lambda's own idea: an init that a client waits for may not take longer.
    fn is_waited_for(self, now: SystemTime) -> bool {
        match self {
            Self::OnDemand(at) => now.duration_since(at).unwrap_or_default() <= MAX_INIT,
            Self::Restored => true,
            Self::Ahead => false,
        }
    }
}

#[derive(Debug, Default)]
struct Late {
    spans: Vec<EndedSpan>,
    bytes: usize,
    dropped: usize,
}

impl Tracer {
    pub(crate) fn new(env: &Env<'_>, clock: fn() -> SystemTime) -> Arc<Self> {
        Arc::new(Self::with(env, clock, None))
    }

    /// One for a process that is no function.
    pub(crate) fn outside(env: &Env<'_>, clock: fn() -> SystemTime) -> Arc<Self> {
        Arc::new(Self::with(env, clock, Some(Background::new(env))))
    }

    fn with(env: &Env<'_>, clock: fn() -> SystemTime, background: Option<Background>) -> Self {
        let resource = resource(env);
        let recorder = if background.is_none() { Recorder::from_env(env, &resource) } else { None };
        Self {
            settings: Settings::from_env(env),
            resource,
            clock,
            recorder,
            hand_over: HandOver::new(env),
            watch: Watch::new(|running: Running| {
                if let Some(invocation) = running.invocation.upgrade() {
                    invocation.is_at_margin(running.deadline);
                }
            }),
            initialized: Initialized::of(env, clock()),
            warm: AtomicBool::new(false),
            late: Mutex::default(),
            background,
        }
    }

    pub(crate) fn in_lambda(&self) -> bool {
        self.background.is_none()
    }

    /// Sends what is in the background; whether all of it was taken.
    pub(crate) async fn flush(&self) -> bool {
        match &self.background {
            Some(background) => background.flush().await,
            None => true,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Whether this is the first invocation of the sandbox and its start was the client's to wait for.
    pub(crate) fn cold_start(&self, now: SystemTime) -> bool {
        let first = !self.warm.swap(true, Ordering::Relaxed);
        first && self.initialized.is_waited_for(now)
    }

    /// Keeps spans whose invocation is over for the next hand-over, or where there is none for the background.
    pub(crate) fn keep_late(&self, spans: impl IntoIterator<Item = EndedSpan>) {
        for span in spans {
            if let Some(background) = &self.background {
                background.add(span);
                continue;
            }
            let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            if late.bytes + span.size() <= MAX_LATE_BYTES {
                late.bytes += span.size();
                late.spans.push(span);
            } else {
                late.dropped += 1;
            }
        }
    }

    /// Looks for the extension, before the handler can touch `/tmp`. Costs nothing after the first time.
    pub(crate) fn prepare(&self) {
        self.hand_over.prepare();
    }

    /// Watches an invocation that has begun, for as long as what is returned lives.
    pub(crate) fn watch(
        &self,
        invocation: &Arc<Invocation>,
        deadline: SystemTime,
    ) -> Option<Watched<Running>> {
        let left = deadline.duration_since(self.now()).unwrap_or_default();
        let at = Instant::now().checked_add(until_margin(left)?)?;
        Some(self.watch.at(at, Running { invocation: Arc::downgrade(invocation), deadline }))
    }

    /// Whether there is no extension, which would tell what an invocation left behind that was killed.
    pub(crate) fn is_alone(&self) -> bool {
        self.hand_over.is_alone()
    }

    /// Sends what there is of an invocation that has so much time left, where there is no extension.
    pub(crate) fn send_partly(&self, spans: &[EndedSpan], left: Duration) {
        self.hand_over.send_from_thread(&self.resource, spans, left);
    }

    /// Gives the spans of an ended invocation to the extension, an endpoint or stdout, before `deadline`. Never
    /// fails: what could not be given elsewhere is on stdout.
    pub(crate) async fn hand_over(&self, mut spans: Vec<EndedSpan>, deadline: SystemTime) {
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        if late.dropped > 0 {
            let count = late.dropped;
            warn(&format!(
                "{count} spans that ended after their invocation were dropped: 256 KiB of them waited"
            ));
        }
        spans.extend(late.spans);
        if spans.is_empty() {
            return;
        }
        let left = deadline.duration_since(self.now()).unwrap_or_default();
        self.hand_over.send(&self.resource, &spans, left).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_cold_only_if_somebody_waited_for_it() {
        let then = SystemTime::UNIX_EPOCH;
        let waited_for = |kind: Option<&str>, seconds: u64| {
            let started = Initialized::of(&|_| kind.map(str::to_owned), then);
            started.is_waited_for(then + Duration::from_secs(seconds))
        };
        assert!(waited_for(None, 10) && waited_for(Some("on-demand"), 0));
        assert!(!waited_for(Some("on-demand"), 11), "Lambda began before anybody called");
        assert!(waited_for(Some("snap-start"), 86_400), "the snapshot may be old, the restore is not");
        assert!(!waited_for(Some("provisioned-concurrency"), 0));
        assert!(!waited_for(Some("lambda-managed-instances"), 0));
    }
}
