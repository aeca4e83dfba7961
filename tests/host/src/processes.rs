//! The processes of a sandbox: init, freeze, thaw, shutdown.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tokio::sync::OwnedRwLockWriteGuard;

use crate::clock::now_ms;
use crate::config::SandboxConfig;
use crate::exit::{Exit, Which};
use crate::invocation::{FunctionError, ShutdownReason};
use crate::output::Source;
use crate::process::Process;
use crate::sandbox::Pids;
use crate::turn::Turns;

/// Lambda's limit for init.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Lambda's limits at shutdown: for the runtime alone, and for everything.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(300);
const SHUTDOWN: Duration = Duration::from_secs(2);
/// How often the function's memory is looked at.
const MEMORY_WATCH: Duration = Duration::from_millis(5);

/// The processes of an initialized sandbox.
#[derive(Debug)]
pub(crate) struct Processes {
    function: Process,
    extension: Option<Process>,
    /// How long init took, until it has been reported.
    init: Option<Duration>,
    /// How many bytes the function may have, where that is enforced.
    memory: Option<u64>,
    /// There while the processes are stopped: no telemetry is delivered meanwhile.
    frozen: Option<OwnedRwLockWriteGuard<()>>,
}

impl Processes {
    /// Init: the extension first, the function when it has registered, until both wait for an event.
    pub(crate) async fn boot(turns: &Turns) -> Result<Self, FunctionError> {
        let api = &turns.api;
        let config = &api.config;
        api.telemetry.reset();
        api.state.change(|state| {
            state.extensions.clear();
            state.init_error = None;
            state.under_way.clear();
            state.sealed = false;
        });
        api.telemetry.emit(
            "platform.initStart",
            json!({
                "initializationType": config.initialization_type(),
                "phase": "init",
                "functionName": config.function_name,
                "functionVersion": "$LATEST",
                "instanceMaxMemory": u64::from(config.memory_mb) * 1024 * 1024,
            }),
        );
        let begun = Instant::now();
        let until_ready = async {
            let spawn = |binary: &Path, source, kind: &'static str| {
                let api = api.clone();
                let on_line = move |line: &str| {
                    api.config.output.push(source, line);
                    api.telemetry.emit(kind, api.config.log_record(line));
                };
                Process::spawn(binary, turns.environment.clone(), on_line).map_err(|error| {
                    FunctionError::new("Runtime.InvalidEntrypoint", format!("{}: {error}", binary.display()))
                })
            };
            let extension = match &config.extension_binary {
                Some(binary) => Some(spawn(binary, Source::Extension, "extension")?),
                None => None,
            };
            let name = config.extension_name();
            tokio::select! {
                () = api.state.until(|s| s.registered(name.as_deref())) => {}
                exit = exit_of(extension.as_ref(), Which::Extension) => return Err(exit.error(None)),
            }
            let function = spawn(&config.function_binary, Source::Function, "function")?;
            let memory = config.enforce_memory.then_some(u64::from(config.memory_mb) * 1024 * 1024);
            let processes = Self { function, extension, init: None, memory, frozen: None };
            turns.set_pids(processes.pids());
            tokio::select! {
                () = api.state.until(|s| s.init_error.is_some() || s.settled()) => {}
                exit = processes.exited() => {
                    // Its own words, if it left any, say more than its exit status.
                    return Err(api.state.change(|s| s.init_error.take()).unwrap_or_else(|| exit.error(None)));
                }
            }
            match api.state.change(|s| s.init_error.take()) {
                Some(error) => Err(error),
                None => Ok(processes),
            }
        };
        let ready = tokio::time::timeout(INIT_TIMEOUT, until_ready).await;
        let mut processes = ready.unwrap_or_else(|_| {
            Err(FunctionError::new("Sandbox.Timedout", "init was not over after ten seconds"))
        })?;
        processes.init = Some(begun.elapsed());
        let duration = begun.elapsed().as_millis() as u64;
        let init = json!({ "initializationType": config.initialization_type(), "phase": "init", "status": "success" });
        api.telemetry.emit("platform.initRuntimeDone", init.clone());
        let mut report = init;
        report["metrics"] = json!({ "durationMs": duration });
        api.telemetry.emit("platform.initReport", report);
        api.telemetry.seal();
        api.state.change(|state| state.sealed = true);
        Ok(processes)
    }

    /// The duration of init, for the first report.
    pub(crate) fn first_report(&mut self) -> Option<Duration> {
        self.init.take()
    }

    /// The most memory that both processes had, in MB, and no more than there is.
    pub(crate) fn memory_used(&self, config: &SandboxConfig) -> Option<u32> {
        let extension = self.extension.as_ref().and_then(Process::most_resident).unwrap_or_default();
        let used = (self.function.most_resident()? + extension).div_ceil(1024 * 1024);
        Some(u32::try_from(used).unwrap_or(u32::MAX).min(config.memory_mb))
    }

    fn pids(&self) -> Pids {
        Pids { function: Some(self.function.pid()), extension: self.extension.as_ref().map(Process::pid) }
    }

    /// Resolves when one of the processes has ended, which ends the sandbox. While this is waited for, a function that
    /// has too much memory is killed.
    pub(crate) async fn exited(&self) -> Exit {
        tokio::select! {
            exit = exit_of(Some(&self.function), Which::Function) => exit,
            exit = exit_of(self.extension.as_ref(), Which::Extension) => exit,
            () = self.over_memory() => {
                self.function.signal(Signal::KILL);
                Exit { out_of_memory: true, ..exit_of(Some(&self.function), Which::Function).await }
            }
        }
    }

    /// Resolves when the function has more memory than it may have.
    async fn over_memory(&self) {
        let Some(most) = self.memory else { return std::future::pending().await };
        while self.function.resident().is_none_or(|bytes| bytes <= most) {
            tokio::time::sleep(MEMORY_WATCH).await;
        }
    }

    /// Between invocations: stopped, if the sandbox freezes.
    pub(crate) async fn rest(&mut self, turns: &Turns) {
        if turns.api.config.freeze {
            self.frozen = Some(turns.api.telemetry.pause().await);
            self.signal(Signal::STOP);
            turns.api.state.change(|state| state.frozen = true);
        }
    }

    pub(crate) fn thaw(&mut self, turns: &Turns) {
        if self.frozen.take().is_some() {
            self.signal(Signal::CONT);
            turns.api.state.change(|state| state.frozen = false);
        }
    }

    fn signal(&self, signal: Signal) {
        self.function.signal(signal);
        if let Some(extension) = &self.extension {
            extension.signal(signal);
        }
    }

    /// The end: SIGTERM for the function, SHUTDOWN for the extensions, then SIGKILL for what is left.
    pub(crate) async fn shutdown(mut self, turns: &Turns, reason: ShutdownReason) {
        let begun = Instant::now();
        self.thaw(turns);
        self.function.signal(Signal::TERM);
        let _ = tokio::time::timeout(RUNTIME_SHUTDOWN, self.function.exited()).await;
        self.function.signal(Signal::KILL);
        let rest = SHUTDOWN.saturating_sub(begun.elapsed());
        let deadline_ms = now_ms() + rest.as_millis() as u64;
        let event =
            json!({ "eventType": "SHUTDOWN", "shutdownReason": reason.as_str(), "deadlineMs": deadline_ms });
        if let Some(extension) = &self.extension {
            let orderly = async {
                turns.api.telemetry.flush().await;
                turns.api.state.change(|state| {
                    for extension in state.extensions.iter_mut().filter(|e| e.wants_shutdown) {
                        extension.queue.push_back(event.clone());
                    }
                });
                extension.exited().await;
            };
            let _ = tokio::time::timeout(rest, orderly).await;
        }
        self.signal(Signal::KILL);
        self.function.exited().await;
        if let Some(extension) = &self.extension {
            extension.exited().await;
        }
        turns.set_pids(Pids::default());
        // A poll of the dead must not be taken for one of the processes that come next.
        let gone = turns.api.state.until(|state| state.runtime_polls == 0);
        let _ = tokio::time::timeout(SHUTDOWN, gone).await;
    }
}

/// Resolves when `process` ends; never, if there is none.
async fn exit_of(process: Option<&Process>, which: Which) -> Exit {
    match process {
        Some(process) => Exit { process: which, status: process.exited().await, out_of_memory: false },
        None => std::future::pending().await,
    }
}
