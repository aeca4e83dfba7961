//! Resident memory, at rest and after a thousand invocations.

use anyhow::Context;
use throughline_host::ShutdownReason;

use crate::Programs;
use crate::contender::Contender;
use crate::event::Trigger;
use crate::http_server::HttpServer;

/// Kilobytes, before the first invocation and after the thousandth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) idle: u64,
    pub(crate) after: u64,
}

/// Figures of each process.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) plain: Resident,
    pub(crate) wrapped: Resident,
    pub(crate) extension: Resident,
}

impl Memory {
    /// Each process by name.
    pub(crate) fn named(&self) -> [(&'static str, Resident); 3] {
        [("plain function", self.plain), ("wrapped function", self.wrapped), ("extension", self.extension)]
    }
}

/// Runs the plain function alone, and the wrapped one with the extension.
pub(crate) async fn measure(programs: &Programs) -> anyhow::Result<Memory> {
    let backend = HttpServer::sink().await?;
    let of_ours = Contender::of_ours(programs);
    let [plain, .., wrapped] = of_ours.as_slice() else { anyhow::bail!("nothing to measure") };
    let plain = plain.start(Trigger::Http, true, &backend).await?;
    let wrapped = wrapped.start(Trigger::Http, true, &backend).await?;
    let look = || {
        let (plain, wrapped) = (plain.pids(), wrapped.pids());
        anyhow::Ok([resident(plain.function)?, resident(wrapped.function)?, resident(wrapped.extension)?])
    };
    let idle = look()?;
    for _ in 0..1000 {
        for sandbox in [&plain, &wrapped] {
            sandbox.invoke(Trigger::Http.event()).await;
        }
    }
    plain.settled().await;
    wrapped.settled().await;
    let after = look()?;
    plain.shutdown(ShutdownReason::Spindown).await;
    wrapped.shutdown(ShutdownReason::Spindown).await;
    let [plain, wrapped, extension] = [0, 1, 2].map(|n| Resident { idle: idle[n], after: after[n] });
    Ok(Memory { plain, wrapped, extension })
}

pub(crate) fn resident(pid: Option<u32>) -> anyhow::Result<u64> {
    let pid = pid.context("a process is gone")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
