//! A Lambda host for local runs: one function and one extension as real processes under the
//! Runtime, Extensions and Telemetry APIs, frozen between invocations as Lambda freezes them.
//!
//! It decides one thing that fidelity hangs on: **a sandbox is frozen when, and only when, the
//! runtime and every extension have asked for their next event** — not when a response was posted,
//! and never while an extension is still sending. Payloads are bytes, not JSON values, because an
//! event that is not JSON is an event too. A function that outlives its deadline or dies takes its
//! sandbox along: the extension hears `SHUTDOWN`, everything is killed, and the next invocation
//! starts both again under the same address with `/tmp` as it was.
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! use throughline_host::{Outcome, Sandbox, SandboxConfig, ShutdownReason};
//!
//! let sandbox = Sandbox::start(SandboxConfig::new("checkout-api", "target/debug/checkout-api")).await?;
//! match sandbox.invoke(serde_json::json!({ "hello": "world" })).await.outcome {
//!     Outcome::Response(body) => println!("{} bytes", body.len()),
//!     Outcome::Failed(error) => println!("{error}"),
//! }
//! sandbox.shutdown(ShutdownReason::Spindown).await;
//! # Ok(())
//! # }
//! ```

mod api;
mod cargo;
mod clock;
mod config;
mod exit;
mod folder;
mod invocation;
mod output;
mod process;
mod processes;
mod sandbox;
mod state;
mod telemetry;
mod turn;

pub use cargo::{Build, Executables, Progress, build};
pub use clock::rfc3339;
pub use config::{ACCOUNT_ID, REGION, SandboxConfig};
pub use folder::sandbox_folder;
pub use invocation::{FunctionError, Invocation, Outcome, Reply, ShutdownReason};
pub use output::{Output, Source};
pub use sandbox::{Pids, Sandbox};
