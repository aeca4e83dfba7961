//! Running a cell with real processes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use throughline_host::{Build, Executables, Output, Sandbox, SandboxConfig, ShutdownReason, Source, build};

use super::backend::FaultyBackend;
use super::books::{Books, Tally};
use super::cells::{Cell, Ending, Fault};
use crate::handlers::{HANDLER, Kind};
use crate::spans::Ledger;

/// The budget: a busy machine must not look like a dead backend.
const BUDGET_MS: u64 = 1000;
/// How long an invocation may take that is to end by its deadline. The first ones must not.
const TIME_OUT: Duration = Duration::from_secs(4);
/// How long a backend thinks that is to be met while it does.
const THINKS: Duration = Duration::from_millis(200);
/// How long a flush is waited for that is to be interrupted; not each policy sends then.
const FLUSHES: Duration = Duration::from_millis(300);
/// A backend that asks for a pause has had it.
const PAUSE: Duration = Duration::from_millis(1500);
/// How long the last lines of a process may be on their way.
const LAST_LINES: Duration = Duration::from_secs(5);

/// What a cell runs.
#[derive(Debug, Clone)]
pub struct Programs {
    function: PathBuf,
    extension: PathBuf,
}

/// A cell that ran.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The cell.
    pub cell: Cell,
    /// What became of its spans.
    pub tally: Tally,
    /// What is wrong.
    pub faults: Vec<String>,
}

impl Programs {
    /// Builds function and extension with the profile of this program.
    ///
    /// # Errors
    ///
    /// When cargo can't build them.
    pub async fn build() -> anyhow::Result<Self> {
        let mut built = built(&["throughline-tests", "throughline-shop", "throughline-extension"]).await?;
        let mut program = |name: &str| built.remove(name).with_context(|| format!("no {name}"));
        Ok(Self { function: program("function")?, extension: program("throughline-extension")? })
    }

    /// Builds the extension alone, for a function that is there.
    ///
    /// # Errors
    ///
    /// When cargo can't build it.
    pub async fn of(function: impl Into<PathBuf>) -> anyhow::Result<Self> {
        // In the same company as elsewhere: cargo would compile its dependencies again for it alone.
        let mut built = built(&["throughline-shop", "throughline-extension"]).await?;
        let extension = built.remove("throughline-extension").context("no extension")?;
        Ok(Self { function: function.into(), extension })
    }
}

async fn built(packages: &[&str]) -> anyhow::Result<Executables> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    build(Build { workspace, packages }, |_| {}).await
}

/// Runs these cells, some at once, in which a backend that is away comes back after `away`; tells each as it ends.
pub async fn run_all(
    cells: &[Cell],
    programs: &Programs,
    at_once: usize,
    away: Duration,
    mut ended: impl FnMut(&Ran),
) -> Vec<Ran> {
    let mut all = Vec::new();
    let mut running = stream::iter(cells).map(|cell| run(*cell, programs, away)).buffer_unordered(at_once);
    while let Some(ran) = running.next().await {
        ended(&ran);
        all.push(ran);
    }
    all
}

/// Runs a cell.
pub async fn run(cell: Cell, programs: &Programs, away: Duration) -> Ran {
    match play(cell, programs, away).await {
        Ok((tally, faults)) => Ran { cell, tally, faults },
        Err(error) => Ran { cell, tally: Tally::default(), faults: vec![format!("{error:#}")] },
    }
}

async fn play(cell: Cell, programs: &Programs, away: Duration) -> anyhow::Result<(Tally, Vec<String>)> {
    let thinks = if cell.ending == Ending::MidFlush { THINKS } else { Duration::ZERO };
    let begun = Instant::now();
    let backend = FaultyBackend::start(cell.fault, away, thinks)?;
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let mut play = Play {
        sandbox: Sandbox::start(config(cell, programs, &backend, &lines)).await?,
        backend,
        due: Ledger::default(),
        faults: Vec::new(),
    };
    for _ in 0..2 {
        play.invoke("ok", None).await;
        play.sandbox.settled().await;
    }
    let (connections, pids) = (play.backend.connections(), play.sandbox.pids());
    play.invoke(cell.ending.command(), cell.ending.error()).await;
    if cell.ending == Ending::MidFlush {
        play.kill_while_it_flushes(connections).await;
    }
    play.sandbox.settled().await;
    let extensions = if play.sandbox.pids().extension == pids.extension { 1 } else { 2 };
    if (extensions == 2) != cell.ending.is_reset() {
        play.faults.push("the sandbox was reset, or should have been".into());
    }
    play.invoke("ok", None).await;
    play.sandbox.settled().await;
    match cell.fault {
        Fault::Back => tokio::time::sleep((away + FLUSHES).saturating_sub(begun.elapsed())).await,
        Fault::Limited => tokio::time::sleep(PAUSE).await,
        _ => {}
    }
    play.invoke("ok", None).await;
    play.sandbox.shutdown(ShutdownReason::Spindown).await;

    let ended = Instant::now();
    loop {
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = play.backend.known();
        let books = Books { due: &play.due, known: &known, lines: &lines, extensions, fate: cell.fate() };
        let (tally, faults) = books.close();
        if faults.is_empty() || ended.elapsed() > LAST_LINES {
            play.faults.extend(faults);
            return Ok((tally, play.faults));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn config(
    cell: Cell,
    programs: &Programs,
    backend: &FaultyBackend,
    lines: &Arc<Mutex<Vec<String>>>,
) -> SandboxConfig {
    let lines = lines.clone();
    let output = Output::with_listener(move |from, line| {
        if from == Source::Extension {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        }
    });
    let config = SandboxConfig::new("test-function", &programs.function)
        .extension(&programs.extension)
        .env(HANDLER, Kind::Command.as_str())
        .env("THROUGHLINE_EXPORT_ENDPOINT", backend.endpoint())
        .env("THROUGHLINE_LISTEN", "127.0.0.1:0")
        .env("THROUGHLINE_BUDGET_MS", BUDGET_MS.to_string())
        .env("THROUGHLINE_FLUSH", cell.policy.name())
        // The ledger is of what functions tell.
        .env("THROUGHLINE_PHASES", "off")
        .freeze(cell.freeze)
        .output(output);
    match cell.ending {
        Ending::TimeOut => config.timeout(TIME_OUT),
        Ending::Memory => config.memory_limit(128),
        _ => config,
    }
}

/// A cell under way.
struct Play {
    sandbox: Sandbox,
    backend: FaultyBackend,
    due: Ledger,
    faults: Vec<String>,
}

impl Play {
    /// Invokes with a command, and expects its spans and an error with this in it.
    async fn invoke(&mut self, ending: &str, error: Option<&str>) {
        const SPANS: u32 = 2;
        let reply = self.sandbox.invoke(json!({ "do": ending, "spans": SPANS })).await;
        self.due.expect(&reply.request_id, SPANS);
        let failed = reply.outcome.error().map(ToString::to_string);
        let right = match (&failed, error) {
            (Some(failed), Some(error)) => failed.contains(error),
            (failed, error) => failed.is_none() && error.is_none(),
        };
        if !right {
            self.faults.push(format!("the client got {failed:?}, not {error:?}"));
        }
    }

    /// Kills the function once somebody has come to the backend since there were so many `connections`, so that SHUTDOWN
    /// waits for an extension that is sending. A sandbox that was at rest by then is shut down.
    async fn kill_while_it_flushes(&self, connections: usize) {
        let function = self.sandbox.pids().function;
        let begun = Instant::now();
        while self.backend.connections() == connections && begun.elapsed() < FLUSHES {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if let Some(pid) = function.and_then(|pid| Pid::from_raw(pid as i32)) {
            // One that is gone already is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
        self.sandbox.settled().await;
        if self.sandbox.pids().function == function {
            self.sandbox.shutdown(ShutdownReason::Failure).await;
        }
    }
}
