//! What a dead backend costs: the client's wait, and what the sandbox is busy with after the response.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use throughline_host::ShutdownReason;
use tokio::net::TcpSocket;

use crate::Programs;
use crate::contender::Contender;
use crate::event::Trigger;
use crate::http_server::HttpServer;
use crate::progress::Progress;
use crate::stats::Samples;

/// The first invocations, of which each is told: what the extension does not know yet costs most.
pub(crate) const FIRST: usize = 5;

/// Figures with one backend.
#[derive(Debug)]
pub(crate) struct Outage {
    pub(crate) backend: &'static str,
    /// From the invocation to its response.
    pub(crate) client: Samples,
    /// From the response until the sandbox waits for the next, of the first invocations.
    pub(crate) first: [Duration; FIRST],
    /// The same of all others.
    pub(crate) after: Samples,
}

/// What the extension exports to.
enum Backend {
    Server(HttpServer),
    /// Bound and never listening: connections are refused.
    Refusing(SocketAddr, #[expect(dead_code, reason = "keeps the port")] TcpSocket),
}

impl Backend {
    fn refusing() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self::Refusing(socket.local_addr()?, socket))
    }

    async fn hanging() -> anyhow::Result<Self> {
        Ok(Self::Server(HttpServer::start(|_| std::future::pending()).await?))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Server(server) => server.address,
            Self::Refusing(address, _) => *address,
        }
    }
}

/// Invokes wrapped functions in turn, each with the extension: one with a backend that lives, one whose backend refuses
/// connections, and one whose backend never answers.
pub(crate) async fn measure(
    programs: &Programs,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<Vec<Outage>> {
    let ours = Contender::of_ours(programs);
    let ours = ours.last().context("nothing to measure")?;
    let backends = [
        ("backend alive", Backend::Server(HttpServer::sink().await?)),
        ("connections refused", Backend::refusing()?),
        ("backend hangs", Backend::hanging().await?),
    ];
    let mut measured = Vec::new();
    let mut sandboxes = Vec::new();
    for (backend, at) in &backends {
        sandboxes.push(ours.start_at(Trigger::Http, true, at.address()).await?);
        measured.push(Outage {
            backend,
            client: Samples::default(),
            first: [Duration::ZERO; FIRST],
            after: Samples::default(),
        });
    }
    progress.begin("a dead backend", invocations);
    let mut order: Vec<usize> = (0..sandboxes.len()).collect();
    for round in 0..invocations as usize {
        fastrand::shuffle(&mut order);
        for &turn in &order {
            let (sandbox, outage) = (&sandboxes[turn], &mut measured[turn]);
            let begun = Instant::now();
            let reply = sandbox.invoke(Trigger::Http.event()).await;
            let answered = begun.elapsed();
            sandbox.settled().await;
            let after = begun.elapsed() - answered;
            ensure!(reply.outcome.error().is_none(), "{}: {:?}", outage.backend, reply.outcome);
            match outage.first.get_mut(round) {
                Some(first) => *first = after,
                None => {
                    outage.client.push(answered);
                    outage.after.push(after);
                }
            }
        }
        progress.inc(1);
    }
    for sandbox in sandboxes {
        sandbox.shutdown(ShutdownReason::Spindown).await;
    }
    Ok(measured)
}
