//! What the interceptor adds to sending one SQS message, over a connection that answers at once; and what it adds to a
//! message that carries as much already, by hand: that is injecting alone, without the SDK's work for a longer message.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use throughline_host::{Sandbox, SandboxConfig, ShutdownReason};

use crate::contender::Contender;
use crate::event::Trigger;
use crate::instructions;
use crate::progress::Progress;
use crate::stats::Samples;

/// Messages of an invocation; the figure of one is their mean.
const SENDS: u64 = 50;

/// Figures of sending one message.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    pub(crate) plain: Samples,
    pub(crate) by_hand: Samples,
    pub(crate) traced: Samples,
}

/// Instructions of sending one message, beside a plain one.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) by_hand: u64,
    pub(crate) traced: u64,
}

/// The function's clients, the plain one first.
const CLIENTS: [&str; 3] = ["plain", "by hand", "traced"];

/// The instructions that a longer message and the interceptor add to sending one message.
pub(crate) async fn count(sender: &Path, folder: &Path) -> anyhow::Result<Counted> {
    let mut counts = [0; CLIENTS.len()];
    for (client, counted) in CLIENTS.into_iter().zip(&mut counts) {
        let event = json!({ "sends": SENDS, "client": client }).to_string().into();
        let files = folder.join(format!("sender-{}", client.replace(' ', "-")));
        *counted = instructions::count(&Contender::sender(sender), Trigger::Http, &event, &files).await?;
    }
    let [plain, by_hand, traced] = counts;
    let added = |count: u64| count.saturating_sub(plain) / SENDS;
    Ok(Counted { by_hand: added(by_hand), traced: added(traced) })
}

/// Has a function send through each client in turn, `rounds` times.
pub(crate) async fn measure(sender: &Path, rounds: u32, progress: &Progress) -> anyhow::Result<Sending> {
    let sandbox = Sandbox::start(SandboxConfig::new("sender", sender).freeze(false)).await?;
    let mut sending = Sending::default();
    progress.begin("sending a message", rounds + 10);
    for round in 0..rounds + 10 {
        progress.inc(1);
        for client in CLIENTS {
            let reply = sandbox.invoke(json!({ "sends": SENDS, "client": client })).await;
            let nanos = reply.outcome.json().and_then(|nanos| nanos.as_u64());
            let took = nanos.with_context(|| format!("{:?}", reply.outcome)).map(Duration::from_nanos)?;
            sandbox.settled().await;
            if round >= 10 {
                let samples = match client {
                    "traced" => &mut sending.traced,
                    "by hand" => &mut sending.by_hand,
                    _ => &mut sending.plain,
                };
                samples.push(took);
            }
        }
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    Ok(sending)
}
