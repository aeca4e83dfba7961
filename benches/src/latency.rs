//! What a client waits for a response, and how long the sandbox is busy with it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use throughline_host::{Sandbox, ShutdownReason};

use crate::contender::Contender;
use crate::cpu;
use crate::event::Trigger;
use crate::http_server::HttpServer;
use crate::progress::Progress;
use crate::stats::Samples;

/// Invocations that nobody counts: connections are made, files are read, caches fill.
const WARM_UP: u32 = 100;

/// Figures of all variants.
#[derive(Debug)]
pub(crate) struct Latency {
    pub(crate) trigger: Trigger,
    pub(crate) freeze: bool,
    pub(crate) variants: Vec<Variant>,
}

/// Figures of one way to run the function.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// From the invocation to its response.
    pub(crate) client: Samples,
    /// From the invocation until the sandbox waits for the next.
    pub(crate) busy: Samples,
    /// Processor time of the function's process for one invocation, in all its threads.
    pub(crate) cpu: Duration,
    /// Spans that came to the backend for one invocation.
    pub(crate) spans: f64,
}

/// Invokes the contenders in turn, so that each has the same share of what the machine does besides; in
/// another order each time, because who comes after an idle moment or a busy neighbour is slower.
pub(crate) async fn measure(
    contenders: &[Contender],
    trigger: Trigger,
    freeze: bool,
    invocations: u32,
    progress: &Progress,
) -> anyhow::Result<Latency> {
    let mut sandboxes = Vec::new();
    let mut variants = Vec::new();
    for contender in contenders {
        let backend = HttpServer::sink().await?;
        sandboxes.push((contender.start(trigger, freeze, &backend).await?, backend));
        variants.push(Variant::new(contender.name));
    }
    let frozen = if freeze { "frozen" } else { "not frozen" };
    progress.begin(&format!("{}, {frozen}", trigger.name()), WARM_UP + invocations);
    let mut order: Vec<usize> = (0..sandboxes.len()).collect();
    for round in 0..WARM_UP + invocations {
        if round == WARM_UP {
            for ((sandbox, _), variant) in sandboxes.iter().zip(&mut variants) {
                variant.cpu = cpu::time(function(sandbox)?)?;
            }
        }
        fastrand::shuffle(&mut order);
        for &turn in &order {
            let ((sandbox, _), variant) = (&sandboxes[turn], &mut variants[turn]);
            let event = trigger.event();
            let begun = Instant::now();
            let reply = sandbox.invoke(event).await;
            let answered = begun.elapsed();
            sandbox.settled().await;
            let settled = begun.elapsed();
            ensure!(reply.outcome.error().is_none(), "{}: {:?}", variant.name, reply.outcome);
            if round >= WARM_UP {
                variant.client.push(answered);
                variant.busy.push(settled);
            }
        }
        progress.inc(1);
    }
    for (((sandbox, backend), contender), variant) in sandboxes.into_iter().zip(contenders).zip(&mut variants)
    {
        variant.cpu = (cpu::time(function(&sandbox)?)? - variant.cpu) / invocations;
        sandbox.shutdown(ShutdownReason::Spindown).await;
        if contender.exports() {
            variant.spans = backend.spans()?.len() as f64 / f64::from(WARM_UP + invocations);
            ensure!(variant.spans >= trigger.spans(), "{}: {} spans each", variant.name, variant.spans);
        }
    }
    Ok(Latency { trigger, freeze, variants })
}

fn function(sandbox: &Sandbox) -> anyhow::Result<u32> {
    sandbox.pids().function.context("the function is gone")
}

impl Variant {
    fn new(name: &'static str) -> Self {
        let (client, busy) = (Samples::default(), Samples::default());
        Self { name, client, busy, cpu: Duration::ZERO, spans: 0.0 }
    }
}

impl Latency {
    /// What a client of `variant` waits longer than one of the first, in the median, in milliseconds.
    pub(crate) fn added(&self, variant: &Variant) -> f64 {
        self.variants.first().map_or(f64::NAN, |first| variant.client.median_added_to(&first.client))
    }
}
