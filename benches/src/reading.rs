//! What reading the context of an event of 6 MB costs: the program `reading`, run once.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// The figures of one shape, as that program prints them.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Reading {
    pub(crate) shape: String,
    pub(crate) bytes: usize,
    /// The event reader alone.
    pub(crate) read_ms: f64,
    /// All that happens before the handler is called.
    pub(crate) begin_ms: f64,
}

/// Runs it.
pub(crate) async fn measure(program: &Path) -> anyhow::Result<Vec<Reading>> {
    let output = Command::new(program).arg("--json").output().await?;
    ensure!(output.status.success(), "{}: {}", program.display(), output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).context("no figures of reading")).collect()
}
