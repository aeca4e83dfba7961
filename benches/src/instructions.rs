//! Instructions that the function's process executes for an invocation, counted by valgrind: what no neighbour on the
//! machine can change.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use throughline_host::{Sandbox, ShutdownReason};
use tokio::process::Command;

use crate::contender::Contender;
use crate::event::Trigger;
use crate::http_server::HttpServer;
use crate::progress::Progress;

/// Invocations before the count, and counted ones. Each does the same: few are enough.
const WARM_UP: u64 = 50;
const COUNTED: u64 = 200;

/// Instructions for an invocation, by contender.
#[derive(Debug)]
pub(crate) struct Instructions {
    pub(crate) trigger: Trigger,
    pub(crate) counts: Vec<(&'static str, u64)>,
}

/// Runs each contender under callgrind, whose files go to `folder`.
pub(crate) async fn measure(
    contenders: &[Contender],
    trigger: Trigger,
    folder: &Path,
    progress: &Progress,
) -> anyhow::Result<Instructions> {
    progress.begin(&format!("{}, instructions", trigger.name()), contenders.len() as u32);
    let mut counts = Vec::new();
    for contender in contenders {
        let files = folder.join(format!("{}-{}", contender.name, trigger.variable()));
        let counted = count(contender, trigger, &trigger.event(), &files).await;
        counts.push((contender.name, counted.with_context(|| format!("{} under valgrind", contender.name))?));
        progress.inc(1);
    }
    Ok(Instructions { trigger, counts })
}

/// Instructions of one invocation with `event`.
pub(crate) async fn count(
    contender: &Contender,
    trigger: Trigger,
    event: &Bytes,
    files: &Path,
) -> anyhow::Result<u64> {
    let backend = HttpServer::sink().await?;
    let program = under_valgrind(&contender.program, files)?;
    // Not frozen, so that the process can be asked for its counts.
    let sandbox = contender.running(program).start(trigger, false, &backend).await?;
    let pid = sandbox.pids().function.context("no process")?;
    invoke(&sandbox, event, WARM_UP).await?;
    dump(pid).await?;
    invoke(&sandbox, event, COUNTED).await?;
    dump(pid).await?;
    sandbox.shutdown(ShutdownReason::Spindown).await;
    // A dump counts from the one before.
    Ok(total(&files.with_extension("out.2"))? / COUNTED)
}

async fn invoke(sandbox: &Sandbox, event: &Bytes, times: u64) -> anyhow::Result<()> {
    for _ in 0..times {
        let outcome = sandbox.invoke(event.clone()).await.outcome;
        ensure!(outcome.error().is_none(), "{outcome:?}");
        sandbox.settled().await;
    }
    Ok(())
}

/// A script that becomes `program` under callgrind: the host starts programs without arguments.
fn under_valgrind(program: &Path, files: &Path) -> anyhow::Result<PathBuf> {
    let script = files.with_extension("sh");
    let out = files.with_extension("out");
    // Each dump is a file of its own: names are not shortened to numbers that only the first explains.
    let command = "exec valgrind --quiet --tool=callgrind --compress-strings=no";
    fs::write(&script, format!("#!/bin/sh\n{command} --callgrind-out-file={out:?} {program:?}\n"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
    Ok(script)
}

async fn dump(pid: u32) -> anyhow::Result<()> {
    let asked = Command::new("vgdb").arg(format!("--pid={pid}")).arg("dump").output().await?;
    ensure!(asked.status.success(), "vgdb: {}", String::from_utf8_lossy(&asked.stderr));
    Ok(())
}

fn total(file: &Path) -> anyhow::Result<u64> {
    let profile = fs::read_to_string(file).with_context(|| format!("no {}", file.display()))?;
    let totals = profile.lines().rev().find_map(|line| line.strip_prefix("totals:")).context("no totals")?;
    Ok(totals.trim().parse()?)
}
