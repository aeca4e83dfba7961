//! Where the parties of a sandbox stand: who waits for an event, what is under way.
//!
//! One value behind a [`watch`] channel: the API handlers and the turn that drives an invocation
//! change it and wait for conditions on it, so no wake-up is ever lost.

use std::collections::VecDeque;

use serde_json::Value;
use tokio::sync::watch;

use crate::invocation::{FunctionError, Invocation, Outcome};

/// Everything the APIs and the turns share.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Polls of the runtime that wait for an invocation.
    pub runtime_polls: usize,
    /// What the runtime said of a failed init.
    pub init_error: Option<FunctionError>,
    /// Extensions in the order of their registration.
    pub extensions: Vec<Extension>,
    /// The invocations under way, in the order they came, each until the sandbox has settled after it. More than one
    /// only on a managed instance.
    pub under_way: Vec<Current>,
    /// Whether init is over: registrations and subscriptions are closed.
    pub sealed: bool,
    /// Whether the processes are stopped.
    pub frozen: bool,
}

#[derive(Debug)]
pub(crate) struct Extension {
    pub id: String,
    pub name: String,
    pub wants_invoke: bool,
    pub wants_shutdown: bool,
    /// Events not yet taken.
    pub queue: VecDeque<Value>,
    /// Polls that wait for an event.
    pub polls: usize,
}

#[derive(Debug)]
pub(crate) struct Current {
    pub request_id: String,
    pub invocation: Invocation,
    pub trace_header: String,
    pub deadline_ms: u64,
    /// Whether a runtime has taken it.
    pub delivered: bool,
    pub outcome: Option<Outcome>,
    /// What the telemetry says of a failure that the runtime reported, or was refused for.
    pub error_type: Option<String>,
}

impl State {
    /// Whether every party has asked for its next event: the moment in which Lambda freezes.
    pub(crate) fn settled(&self) -> bool {
        self.runtime_polls > 0 && self.extensions.iter().all(|e| e.polls > 0 && e.queue.is_empty())
    }

    /// Whether the extension called `name` (if any) has registered.
    pub(crate) fn registered(&self, name: Option<&str>) -> bool {
        name.is_none_or(|name| self.extensions.iter().any(|e| e.name == name))
    }

    pub(crate) fn extension(&mut self, id: &str) -> Option<&mut Extension> {
        self.extensions.iter_mut().find(|e| e.id == id)
    }

    /// The next invocation that no runtime has taken.
    pub(crate) fn undelivered(&mut self) -> Option<&mut Current> {
        self.under_way.iter_mut().find(|c| !c.delivered)
    }

    /// The invocation with this id, if it is under way and not answered yet.
    pub(crate) fn unanswered(&mut self, request_id: &str) -> Option<&mut Current> {
        self.under_way.iter_mut().find(|c| c.request_id == request_id && c.delivered && c.outcome.is_none())
    }

    /// The invocation with this id, if it is under way.
    pub(crate) fn current(&self, request_id: &str) -> Option<&Current> {
        self.under_way.iter().find(|c| c.request_id == request_id)
    }

    /// What became of the invocation with this id, once that is known.
    pub(crate) fn outcome(&self, request_id: &str) -> Option<&Outcome> {
        self.current(request_id)?.outcome.as_ref()
    }

    /// The invocation with this id is over.
    pub(crate) fn finish(&mut self, request_id: &str) {
        self.under_way.retain(|c| c.request_id != request_id);
    }
}

/// The shared, watched state.
#[derive(Debug)]
pub(crate) struct Shared(watch::Sender<State>);

impl Default for Shared {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Shared {
    /// Changes the state and wakes whoever waits for a condition.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.0.send_modify(|state| result = Some(change(state)));
        result.unwrap_or_else(|| unreachable!("send_modify always calls its closure"))
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.borrow())
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, condition: impl FnMut(&State) -> bool) {
        // The sender lives in `self`, so the channel cannot close while we wait.
        let _ = self.0.subscribe().wait_for(condition).await;
    }

    /// Waits until `attempt` gives a value, and returns it. Of several waiters exactly one gets
    /// what an attempt takes out of the state.
    pub(crate) async fn take<T>(&self, mut attempt: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changes = self.0.subscribe();
        loop {
            let mut taken = None;
            self.0.send_if_modified(|state| {
                taken = attempt(state);
                taken.is_some()
            });
            if let Some(value) = taken {
                return value;
            }
            let _ = changes.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(polls: usize, queued: usize) -> Extension {
        Extension {
            id: "id".into(),
            name: "ext".into(),
            wants_invoke: true,
            wants_shutdown: true,
            queue: std::iter::repeat_n(Value::Null, queued).collect(),
            polls,
        }
    }

    #[test]
    fn settles_only_when_every_party_waits() {
        let mut state = State { runtime_polls: 1, ..State::default() };
        assert!(state.settled(), "a function without extensions");
        state.extensions.push(extension(0, 0));
        assert!(!state.settled(), "the extension is still at work");
        state.extensions[0].polls = 1;
        assert!(state.settled());
        state.extensions[0].queue.push_back(Value::Null);
        assert!(!state.settled(), "an event is on its way to the extension");
        state.extensions[0].queue.clear();
        state.runtime_polls = 0;
        assert!(!state.settled(), "the runtime has not asked");
    }

    #[test]
    fn answers_only_what_was_delivered_and_once() {
        let mut state = State {
            under_way: vec![Current {
                request_id: "r".into(),
                invocation: Invocation::default(),
                trace_header: String::new(),
                deadline_ms: 0,
                delivered: false,
                outcome: None,
                error_type: None,
            }],
            ..State::default()
        };
        assert!(state.unanswered("r").is_none());
        state.undelivered().unwrap().delivered = true;
        assert!(state.unanswered("other").is_none());
        state.unanswered("r").unwrap().outcome = Some(Outcome::Response("{}".into()));
        assert!(state.unanswered("r").is_none());
    }

    #[tokio::test]
    async fn one_of_two_waiters_takes_the_event() {
        let shared = std::sync::Arc::new(Shared::default());
        let take = |shared: std::sync::Arc<Shared>| async move {
            shared.take(|s| s.init_error.take().map(|e| e.message)).await
        };
        let (a, b) = (tokio::spawn(take(shared.clone())), tokio::spawn(take(shared.clone())));
        shared.change(|s| s.init_error = Some(FunctionError::new("t", "first")));
        shared.until(|s| s.init_error.is_none()).await;
        shared.change(|s| s.init_error = Some(FunctionError::new("t", "second")));
        let mut got = [a.await.unwrap(), b.await.unwrap()];
        got.sort();
        assert_eq!(got, ["first", "second"]);
    }
}
