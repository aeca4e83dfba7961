//! What an extension makes of invocations: the time after the response in which the sandbox is still busy, processor time and
//! memory. The function is the wrapped one, which hands each invocation over before it asks for the next.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use throughline_host::{SandboxConfig, ShutdownReason, sandbox_folder};

use super::{Contender, Kind, free_port};
use crate::Programs;
use crate::cpu;
use crate::event::Trigger;
use crate::http_server::HttpServer;
use crate::memory::{Resident, resident};
use crate::progress::Progress;
use crate::stats::Samples;

/// Invocations that nobody counts.
const WARM_UP: u32 = 100;

/// Figures of one extension.
#[derive(Debug)]
pub(crate) struct After {
    /// From the response until function and extension have asked for their next event.
    pub(crate) response: Samples,
    /// Processor time of the extension for one invocation.
    pub(crate) cpu: Duration,
    pub(crate) resident: Resident,
    /// Export requests for one invocation.
    pub(crate) requests: f64,
}

/// Invokes, frozen in between.
pub(super) async fn measure(
    contender: &Contender,
    programs: &Programs,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<After> {
    let backend = HttpServer::sink().await?;
    let port = free_port();
    let variables = contender.variables(port, &format!("http://{}", backend.address));
    let config = SandboxConfig::new("bench", &programs.wrapped)
        .extension(&contender.program)
        .env("BENCH_TRIGGER", Trigger::Http.variable());
    let config = variables.into_iter().fold(config, |config, (name, value)| config.env(name, value));
    let sandbox = throughline_host::Sandbox::start(config).await?;
    if contender.kind == Kind::Peer {
        // The function finds what listens on loopback by the file that ours writes.
        let folder = sandbox_folder(sandbox.runtime_api());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        fs::write(folder.join("port"), format!("{port}\n"))?;
    }
    let extension = sandbox.pids().extension.context("the extension is gone")?;
    let idle = resident(Some(extension))?;
    let mut response = Samples::default();
    let mut used = Duration::ZERO;
    progress.begin(&format!("{}, invocations", contender.name), WARM_UP + invocations);
    for round in 0..WARM_UP + invocations {
        if round == WARM_UP {
            used = cpu::time(extension)?;
        }
        let reply = sandbox.invoke(Trigger::Http.event()).await;
        let answered = Instant::now();
        sandbox.settled().await;
        ensure!(reply.outcome.error().is_none(), "{}: {:?}", contender.name, reply.outcome);
        if round >= WARM_UP {
            response.push(answered.elapsed());
        }
        progress.inc(1);
    }
    let cpu = (cpu::time(extension)? - used) / invocations;
    let resident = Resident { idle, after: resident(Some(extension))? };
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let all = WARM_UP + invocations;
    if contender.kind != Kind::Floor {
        let spans = backend.spans()?.len();
        ensure!(spans >= all as usize, "{}: {spans} spans of {all}", contender.name);
    }
    Ok(After { response, cpu, resident, requests: backend.requests() as f64 / f64::from(all) })
}
