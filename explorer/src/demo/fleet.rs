//! A function as Lambda runs it: as many sandboxes as there is work for, up to a limit, each with one invocation at a
//! time; and another version of it in new ones.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use throughline_host::{FunctionError, Outcome, Reply, Sandbox, SandboxConfig, ShutdownReason};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::mappings::Function;

/// The sandboxes of a function. Dropping them kills their processes.
#[derive(Debug)]
pub(super) struct Fleet {
    name: String,
    version: Mutex<SandboxConfig>,
    idle: Mutex<Vec<Arc<Sandbox>>>,
    /// As many as there may be at once.
    slots: Semaphore,
}

impl Fleet {
    /// Starts one sandbox; up to `most` more come when they are needed.
    pub(super) async fn start(config: SandboxConfig, most: usize) -> anyhow::Result<Self> {
        let first = Arc::new(Sandbox::start(config.clone()).await?);
        Ok(Self {
            name: config.function_name.clone(),
            version: Mutex::new(config),
            idle: Mutex::new(vec![first]),
            slots: Semaphore::new(most),
        })
    }

    /// From here on this version runs. What ran before is shut down.
    pub(super) async fn deploy(&self, config: SandboxConfig) {
        *lock(&self.version) = config;
        self.shutdown().await;
    }

    /// Ends all sandboxes that are idle, their extensions with a last flush.
    pub(super) async fn shutdown(&self) {
        let mut ends = JoinSet::new();
        for sandbox in std::mem::take(&mut *lock(&self.idle)) {
            ends.spawn(async move { sandbox.shutdown(ShutdownReason::Spindown).await });
        }
        ends.join_all().await;
    }

    async fn sandbox(&self) -> anyhow::Result<Arc<Sandbox>> {
        if let Some(idle) = lock(&self.idle).pop() {
            return Ok(idle);
        }
        let config = lock(&self.version).clone();
        Ok(Arc::new(Sandbox::start(config).await?))
    }
}

impl Function for Fleet {
    fn name(&self) -> &str {
        &self.name
    }

    async fn invoke(&self, event: Value) -> Reply {
        // The semaphore is never closed; were it, one more sandbox would do no harm.
        let _slot = self.slots.acquire().await;
        match self.sandbox().await {
            Ok(sandbox) => {
                let reply = sandbox.invoke(event).await;
                lock(&self.idle).push(sandbox);
                reply
            }
            Err(error) => {
                let error =
                    FunctionError { kind: "Sandbox.Failure".to_owned(), message: format!("{error:#}") };
                Reply { request_id: String::new(), outcome: Outcome::Failed(error) }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
