//! Turns: an invocation from thaw to freeze.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, oneshot};

use crate::api::Api;
use crate::clock::now_ms;
use crate::invocation::{FunctionError, Invocation, Outcome, ShutdownReason, fresh_trace_header};
use crate::processes::Processes;
use crate::sandbox::Pids;
use crate::state::{Current, State};

/// What turns are taken on. The lock is the sandbox's single lane: held from thaw to freeze. On a managed instance
/// invocations share it.
#[derive(Debug)]
pub(crate) struct Turns {
    pub api: Arc<Api>,
    pub runtime_api: String,
    pub environment: Vec<(String, String)>,
    pub pids: Mutex<Pids>,
    pub processes: Arc<RwLock<Option<Processes>>>,
}

/// How the wait for a response ended without one.
enum Broken {
    Timeout,
    Exit(FunctionError),
}

impl Broken {
    fn reason(&self) -> ShutdownReason {
        match self {
            Self::Timeout => ShutdownReason::Timeout,
            Self::Exit(_) => ShutdownReason::Failure,
        }
    }
}

impl Turns {
    /// Runs one invocation to its end: until the sandbox has settled, or was taken down.
    pub(crate) async fn take(
        self: Arc<Self>,
        mut lane: OwnedRwLockWriteGuard<Option<Processes>>,
        request_id: String,
        invocation: Invocation,
        answer: oneshot::Sender<Outcome>,
    ) {
        let mut processes = match lane.take() {
            Some(processes) => processes,
            // The last turn took the sandbox down: this one starts it again.
            None => match Processes::boot(&self).await {
                Ok(processes) => processes,
                Err(error) => {
                    let _ = answer.send(Outcome::Failed(error));
                    return;
                }
            },
        };
        processes.thaw(&self);
        let state = &self.api.state;
        let begun = Instant::now();
        let deadline = begun + self.api.config.timeout;
        self.begin(&request_id, invocation);

        let has_outcome = state.until(|s| s.outcome(&request_id).is_some());
        let answered = within(&processes, deadline, has_outcome).await;
        let outcome = state.read(|s| s.outcome(&request_id).cloned());
        let init = processes.first_report();
        if let (Ok(()), Some(outcome)) = (&answered, &outcome) {
            // The client has its answer here; what follows is the sandbox's own business.
            let _ = answer.send(outcome.clone());
            let status = if outcome.error().is_some() { "error" } else { "success" };
            let asked = within(&processes, deadline, state.until(|s| s.runtime_polls > 0)).await;
            let done = asked.as_ref().map_or_else(|broken| broken.reason().as_str(), |()| status);
            self.runtime_done(&request_id, done, begun);
            let settled = match asked {
                Ok(()) => within(&processes, deadline, state.until(State::settled)).await,
                Err(broken) => Err(broken),
            };
            self.report(&request_id, status, begun, init);
            state.change(|s| s.finish(&request_id));
            match settled {
                Ok(()) => {
                    processes.rest(&self).await;
                    *lane = Some(processes);
                }
                Err(broken) => processes.shutdown(&self, broken.reason()).await,
            }
            return;
        }
        let broken = answered.err().unwrap_or(Broken::Timeout);
        let reason = broken.reason();
        let _ = answer.send(Outcome::Failed(match broken {
            Broken::Exit(error) => error,
            Broken::Timeout => self.timed_out(&request_id),
        }));
        self.runtime_done(&request_id, reason.as_str(), begun);
        // After a time-out Lambda often sends no report at all.
        if reason == ShutdownReason::Failure {
            self.report(&request_id, reason.as_str(), begun, init);
        }
        state.change(|s| s.finish(&request_id));
        processes.shutdown(&self, reason).await;
    }

    /// Runs one invocation of several on a managed instance: nothing is thawed or frozen, no deadline is enforced, and
    /// a process that dies ends the instance.
    pub(crate) async fn share(
        self: Arc<Self>,
        lane: OwnedRwLockReadGuard<Option<Processes>>,
        request_id: String,
        invocation: Invocation,
    ) -> Outcome {
        let Some(processes) = lane.as_ref() else {
            return Outcome::Failed(FunctionError::new("Sandbox.Failure", "the instance has ended"));
        };
        let state = &self.api.state;
        let begun = Instant::now();
        self.begin(&request_id, invocation);
        let outcome = tokio::select! {
            biased;
            outcome = state.take(|s| s.outcome(&request_id).cloned()) => outcome,
            error = processes.exited() => Outcome::Failed(error),
        };
        let status = if outcome.error().is_some() { "error" } else { "success" };
        self.runtime_done(&request_id, status, begun);
        state.change(|s| s.finish(&request_id));
        outcome
    }

    /// Puts the invocation where runtime and extensions take it from.
    fn begin(&self, request_id: &str, invocation: Invocation) {
        let now = now_ms();
        let deadline_ms = now + self.api.config.timeout.as_millis() as u64;
        let trace_header = invocation.trace_header.clone().unwrap_or_else(|| fresh_trace_header(now));
        let event = json!({
            "eventType": "INVOKE",
            "deadlineMs": deadline_ms,
            "requestId": request_id,
            "invokedFunctionArn": self.api.config.function_arn(),
            "tracing": { "type": "X-Amzn-Trace-Id", "value": trace_header },
        });
        self.api.telemetry.emit(
            "platform.start",
            json!({
                "requestId": request_id,
                "version": "$LATEST",
                "tracing": { "type": "X-Amzn-Trace-Id", "value": trace_header },
            }),
        );
        self.api.state.change(|state| {
            for extension in state.extensions.iter_mut().filter(|e| e.wants_invoke) {
                extension.queue.push_back(event.clone());
            }
            state.under_way.push(Current {
                request_id: request_id.to_owned(),
                invocation,
                trace_header,
                deadline_ms,
                delivered: false,
                outcome: None,
            });
        });
    }

    fn runtime_done(&self, request_id: &str, status: &str, begun: Instant) {
        self.api.telemetry.emit(
            "platform.runtimeDone",
            json!({
                "requestId": request_id,
                "status": status,
                "metrics": { "durationMs": millis(begun.elapsed()) },
            }),
        );
    }

    fn report(&self, request_id: &str, status: &str, begun: Instant, init: Option<Duration>) {
        let duration = millis(begun.elapsed());
        let mut metrics = json!({
            "durationMs": duration,
            "billedDurationMs": duration.ceil() as u64,
            "memorySizeMB": self.api.config.memory_mb,
            "maxMemoryUsedMB": self.api.config.memory_mb,
        });
        if let Some(init) = init {
            metrics["initDurationMs"] = millis(init).into();
        }
        let record = json!({ "requestId": request_id, "status": status, "metrics": metrics });
        self.api.telemetry.emit("platform.report", record);
    }

    fn timed_out(&self, request_id: &str) -> FunctionError {
        let seconds = self.api.config.timeout.as_secs_f64();
        let message = format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
        FunctionError::new("Sandbox.Timedout", message)
    }

    /// Kills what runs, whoever holds it.
    pub(crate) fn kill(&self) {
        let pids = std::mem::take(&mut *self.pids.lock().unwrap_or_else(PoisonError::into_inner));
        for pid in [pids.function, pids.extension].into_iter().flatten() {
            if let Some(group) = Pid::from_raw(pid as i32) {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }

    pub(crate) fn set_pids(&self, pids: Pids) {
        *self.pids.lock().unwrap_or_else(PoisonError::into_inner) = pids;
    }
}

/// Waits for `condition`, as long as the processes live and the deadline allows.
async fn within(
    processes: &Processes,
    deadline: Instant,
    condition: impl Future<Output = ()>,
) -> Result<(), Broken> {
    tokio::select! {
        biased;
        () = condition => Ok(()),
        error = processes.exited() => Err(Broken::Exit(error)),
        () = tokio::time::sleep_until(deadline.into()) => Err(Broken::Timeout),
    }
}

/// Milliseconds with two decimals, as the platform tells them.
fn millis(duration: Duration) -> f64 {
    (duration.as_micros() as f64 / 10.0).round() / 100.0
}
