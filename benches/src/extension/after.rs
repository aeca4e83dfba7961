//! What an extension makes of invocations: the time after the response in which the sandbox is still busy, processor time and
//! memory. The function is the wrapped one, which hands each invocation over before it asks for the next.

use std::fs::{self, DirBuilder};
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use throughline_host::{Sandbox, SandboxConfig, ShutdownReason, sandbox_folder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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
/// How long the handler waits, as for a database in its region. Who sends beside a handler that is quicker than a flush
/// is late afterwards.
const HANDLER: Duration = Duration::from_millis(3);
/// Who takes 20 ms and more after each invocation is invoked less often by this.
const SELDOM: u32 = 10;

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
    /// Spans of one invocation that came to the backend.
    pub(crate) spans: f64,
}

/// One of the contenders, running.
struct Running<'a> {
    contender: &'a Contender,
    backend: HttpServer,
    sandbox: Sandbox,
    extension: u32,
    /// Where it takes OTLP.
    port: u16,
    idle: u64,
    /// Its processor time before the first invocation that counts.
    used: Duration,
    invocations: u32,
    response: Samples,
}

/// Invokes all but the slow ones in turn, and these alone: two of that kind want the same port.
pub(super) async fn measure(
    contenders: &[Contender],
    programs: &Programs,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<After>> {
    let (slow, quick): (Vec<_>, Vec<_>) = contenders.iter().cloned().partition(Contender::is_told_ends);
    let mut quick = in_turn(&quick, programs, invocations, progress).await?.into_iter();
    let mut slow = in_turn(&slow, programs, invocations.div_ceil(SELDOM), progress).await?.into_iter();
    let of = |contender: &Contender| if contender.is_told_ends() { slow.next() } else { quick.next() };
    Ok(contenders.iter().filter_map(of).collect())
}

/// In a new order each round, frozen in between.
async fn in_turn(
    contenders: &[Contender],
    programs: &Programs,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<After>> {
    let mut running = Vec::new();
    for contender in contenders {
        running.push(start(contender, programs).await?);
    }
    progress.begin("invocations beside extensions", WARM_UP + invocations);
    let mut order: Vec<usize> = (0..running.len()).collect();
    for round in 0..WARM_UP + invocations {
        fastrand::shuffle(&mut order);
        for &turn in &order {
            let of = &mut running[turn];
            if round == WARM_UP {
                of.used = cpu::time(of.extension)?;
            }
            let reply = of.sandbox.invoke(Trigger::Http.event()).await;
            let answered = Instant::now();
            if of.contender.is_told_ends() {
                tell_end(of.port).await?;
            }
            of.sandbox.settled().await;
            ensure!(reply.outcome.error().is_none(), "{}: {:?}", of.contender.name, reply.outcome);
            of.invocations += 1;
            if round >= WARM_UP {
                of.response.push(answered.elapsed());
            }
        }
        progress.inc(1);
    }
    let mut measured = Vec::new();
    for of in running {
        measured.push(of.stop().await?);
    }
    Ok(measured)
}

/// What a handler's wrapper posts to `opentelemetry-lambda-extension`. Without it that waits for the platform's word, for which
/// it lets a second pass.
async fn tell_end(port: u16) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = "POST /invocation/complete HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn start<'a>(contender: &'a Contender, programs: &Programs) -> anyhow::Result<Running<'a>> {
    let backend = HttpServer::sink().await?;
    let port = free_port();
    let variables = contender.variables(port, &format!("http://{}", backend.address));
    let config = SandboxConfig::new("bench", &programs.wrapped)
        .extension(&contender.program)
        .env("BENCH_TRIGGER", Trigger::Http.variable())
        .env("BENCH_HANDLER_MS", HANDLER.as_millis().to_string());
    let config = variables.into_iter().fold(config, |config, (name, value)| config.env(name, value));
    let sandbox = Sandbox::start(config).await?;
    if matches!(contender.kind, Kind::Peer(_)) {
        // The function finds what listens on loopback by the file that ours writes.
        let folder = sandbox_folder(sandbox.runtime_api());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        fs::write(folder.join("port"), format!("{port}\n"))?;
    }
    let extension = sandbox.pids().extension.context("the extension is gone")?;
    let idle = resident(Some(extension))?;
    let (used, invocations, response) = (Duration::ZERO, 0, Samples::default());
    Ok(Running { contender, backend, sandbox, extension, port, idle, used, invocations, response })
}

impl Running<'_> {
    /// Ends it, and looks whether all its spans came.
    async fn stop(self) -> anyhow::Result<After> {
        let Self { contender, backend, sandbox, extension, idle, used, invocations, response, .. } = self;
        let cpu = (cpu::time(extension)? - used) / response.count().max(1);
        let resident = Resident { idle, after: resident(Some(extension))? };
        sandbox.shutdown(ShutdownReason::Spindown).await;
        let requests = backend.requests() as f64 / f64::from(invocations);
        let spans = backend.spans()?.len() as f64 / f64::from(invocations);
        ensure!(
            !matches!(contender.kind, Kind::Ours(_)) || spans >= 1.0,
            "{}: {spans} spans each",
            contender.name
        );
        Ok(After { response, cpu, resident, requests, spans })
    }
}
