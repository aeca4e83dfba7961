//! Turns: an invocation from thaw to freeze.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, oneshot};

use crate::api::Api;
use crate::clock::now_ms;
use crate::exit::Exit;
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
    Exit(Exit),
}

impl Broken {
    fn reason(&self) -> ShutdownReason {
        match self {
            Self::Timeout => ShutdownReason::Timeout,
            Self::Exit(_) => ShutdownReason::Failure,
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Timeout => Verdict { status: "timeout", ..Verdict::default() },
            Self::Exit(exit) => Verdict {
                status: "error",
                error_type: Some(exit.error_type().to_owned()),
                ..Verdict::default()
            },
        }
    }
}

/// What the telemetry says of an invocation that is over. A process that ended is an `error`, like one that the function
/// reported; `failure` is what went wrong outside of function and extensions, which can't happen here.
#[derive(Debug, Default)]
struct Verdict {
    status: &'static str,
    error_type: Option<String>,
    produced_bytes: usize,
}

impl Verdict {
    fn of(current: &Current) -> Self {
        let produced_bytes = match &current.outcome {
            Some(Outcome::Response(body)) => body.len(),
            _ => 0,
        };
        let failed = current.outcome.as_ref().is_some_and(|outcome| outcome.error().is_some());
        let status = if failed { "error" } else { "success" };
        Self { status, error_type: current.error_type.clone(), produced_bytes }
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
        let over = state.read(|s| {
            let current = s.current(&request_id)?;
            Some((current.outcome.clone()?, Verdict::of(current)))
        });
        let init = processes.first_report();
        if let (Ok(()), Some((outcome, verdict))) = (&answered, over) {
            // The client has its answer here; what follows is the sandbox's own business.
            let _ = answer.send(outcome);
            let asked = within(&processes, deadline, state.until(|s| s.runtime_polls > 0)).await;
            let verdict = asked.as_ref().map_or_else(Broken::verdict, |()| verdict);
            self.runtime_done(&request_id, &verdict, begun);
            let settled = match asked {
                Ok(()) => within(&processes, deadline, state.until(State::settled)).await,
                Err(broken) => Err(broken),
            };
            self.report(&request_id, &verdict, begun, init, processes.memory_used(&self.api.config));
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
        let (reason, verdict) = (broken.reason(), broken.verdict());
        let out_of_memory = matches!(&broken, Broken::Exit(exit) if exit.out_of_memory);
        let _ = answer.send(Outcome::Failed(match broken {
            Broken::Exit(exit) => exit.error(Some(&request_id)),
            Broken::Timeout => self.timed_out(&request_id),
        }));
        self.runtime_done(&request_id, &verdict, begun);
        // After a time-out Lambda often sends no report at all.
        if reason == ShutdownReason::Failure {
            // Of a process that is gone only this is known: it had all that there was.
            let used = out_of_memory.then_some(self.api.config.memory_mb);
            self.report(&request_id, &verdict, begun, init, used);
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
        let over = |state: &mut State| {
            let current = state.current(&request_id)?;
            Some((current.outcome.clone()?, Verdict::of(current)))
        };
        let (outcome, verdict) = tokio::select! {
            biased;
            over = state.take(over) => over,
            exit = processes.exited() => {
                (Outcome::Failed(exit.error(Some(&request_id))), Broken::Exit(exit).verdict())
            }
        };
        self.runtime_done(&request_id, &verdict, begun);
        self.report(&request_id, &verdict, begun, None, None);
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
                error_type: None,
            });
        });
    }

    fn runtime_done(&self, request_id: &str, verdict: &Verdict, begun: Instant) {
        let metrics =
            json!({ "durationMs": millis(begun.elapsed()), "producedBytes": verdict.produced_bytes });
        self.tell("platform.runtimeDone", request_id, verdict, metrics);
    }

    fn report(
        &self,
        request_id: &str,
        verdict: &Verdict,
        begun: Instant,
        init: Option<Duration>,
        used: Option<u32>,
    ) {
        let duration = millis(begun.elapsed());
        let mut metrics = json!({ "durationMs": duration });
        // Of a managed instance nothing else is told: memory and bill are those of several invocations at once.
        if self.api.config.concurrency.is_none() {
            let billed = duration + init.map_or(0.0, millis);
            metrics["billedDurationMs"] = (billed.ceil() as u64).into();
            metrics["memorySizeMB"] = self.api.config.memory_mb.into();
            metrics["maxMemoryUsedMB"] = used.into();
        }
        if let Some(init) = init {
            metrics["initDurationMs"] = millis(init).into();
        }
        self.tell("platform.report", request_id, verdict, metrics);
    }

    fn tell(&self, event: &str, request_id: &str, verdict: &Verdict, metrics: Value) {
        let mut record = json!({ "requestId": request_id, "status": verdict.status, "metrics": metrics });
        if let Some(error_type) = &verdict.error_type {
            record["errorType"] = error_type.as_str().into();
        }
        self.api.telemetry.emit(event, record);
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
