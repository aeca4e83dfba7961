//! The sandbox: start, invoke, shut down.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::api::{self, Api};
use crate::clock::rfc3339;
use crate::config::SandboxConfig;
use crate::folder;
use crate::invocation::{FunctionError, Invocation, Outcome, Reply, ShutdownReason};
use crate::output::Output;
use crate::processes::Processes;
use crate::state::Shared;
use crate::telemetry::Telemetry;
use crate::turn::Turns;

/// How long an orderly shutdown waits for the invocation under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process ids of a sandbox, while they run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pids {
    /// The function's process.
    pub function: Option<u32>,
    /// The extension's process.
    pub extension: Option<u32>,
}

/// One function and its extension, running. Dropping it kills both.
#[derive(Debug)]
pub struct Sandbox {
    turns: Arc<Turns>,
    server: AbortHandle,
}

impl Sandbox {
    /// Starts the extension, then the function, and returns when both have asked for their first event.
    ///
    /// # Errors
    ///
    /// When a binary cannot be started, exits, reports a failed init, or is not ready within ten seconds.
    pub async fn start(config: SandboxConfig) -> anyhow::Result<Self> {
        let name = config.function_name.clone();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no loopback listener")?;
        let runtime_api = listener.local_addr()?.to_string();
        // What an earlier sandbox under this address may have left; ours begins with an empty /tmp.
        folder::remove(&runtime_api);
        let today = rfc3339(SystemTime::now())[..10].replace('-', "/");
        let log_stream = format!("{today}/[$LATEST]{}", uuid::Uuid::new_v4().simple());
        let api = Arc::new(Api { config, state: Shared::default(), telemetry: Telemetry::default() });
        let server = tokio::spawn(api::serve(listener, api.clone())).abort_handle();
        let turns = Arc::new(Turns {
            environment: api.config.environment(&runtime_api, &log_stream),
            api,
            runtime_api,
            pids: Mutex::default(),
            processes: Arc::default(),
        });
        let sandbox = Self { turns, server };
        let mut processes = sandbox.turns.processes.clone().write_owned().await;
        match Processes::boot(&sandbox.turns).await {
            Ok(mut booted) => {
                booted.rest(&sandbox.turns).await;
                *processes = Some(booted);
            }
            Err(error) => {
                let said: Vec<String> =
                    sandbox.turns.api.config.output.lines().into_iter().map(|(_, line)| line).collect();
                let tail = said[said.len().saturating_sub(10)..].join("\n  ");
                bail!("{name} did not start: {error}{}{tail}", if tail.is_empty() { "" } else { "\n  " });
            }
        }
        Ok(sandbox)
    }

    /// The function's name.
    pub fn function_name(&self) -> &str {
        &self.turns.api.config.function_name
    }

    /// The function's ARN.
    pub fn function_arn(&self) -> String {
        self.turns.api.config.function_arn()
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API` in this sandbox.
    pub fn runtime_api(&self) -> &str {
        &self.turns.runtime_api
    }

    /// What the processes printed.
    pub fn output(&self) -> &Output {
        &self.turns.api.config.output
    }

    /// The processes, as far as they run.
    pub fn pids(&self) -> Pids {
        *self.turns.pids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the processes are stopped right now.
    pub fn is_frozen(&self) -> bool {
        self.turns.api.state.read(|state| state.frozen)
    }

    /// Waits until the sandbox has settled after the last invocation: every party has asked for
    /// its next event, and the processes are stopped if the sandbox freezes.
    pub async fn settled(&self) {
        drop(self.turns.processes.write().await);
    }

    /// Invokes the function, after the invocations that came before; on a managed instance, beside them. Returns when
    /// the response is posted; the sandbox goes on until every party has asked for its next event.
    ///
    /// Once begun, an invocation runs to its end even if this future is dropped.
    pub async fn invoke(&self, invocation: impl Into<Invocation>) -> Reply {
        let request_id = uuid::Uuid::new_v4().to_string();
        let (answer, answered) = oneshot::channel();
        let (turns, lane) = (self.turns.clone(), self.turns.processes.clone());
        if turns.api.config.concurrency.is_some() {
            let turn = turns.share(lane.read_owned().await, request_id.clone(), invocation.into());
            tokio::spawn(async { answer.send(turn.await) });
        } else {
            tokio::spawn(turns.take(lane.write_owned().await, request_id.clone(), invocation.into(), answer));
        }
        let outcome = answered.await.unwrap_or_else(|_| {
            Outcome::Failed(FunctionError::new("Sandbox.Failure", "the sandbox was shut down"))
        });
        Reply { request_id, outcome }
    }

    /// Ends the sandbox as Lambda does: SIGTERM for the function, `SHUTDOWN` for the extension, two
    /// seconds in all, then SIGKILL. Waits first for the invocation under way, a few seconds at most.
    pub async fn shutdown(&self, reason: ShutdownReason) {
        if let Ok(mut processes) = tokio::time::timeout(PATIENCE, self.turns.processes.write()).await
            && let Some(running) = processes.take()
        {
            running.shutdown(&self.turns, reason).await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.turns.kill();
        self.server.abort();
        folder::remove(&self.turns.runtime_api);
    }
}
