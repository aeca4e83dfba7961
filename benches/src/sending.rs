//! What the interceptor adds to sending one SQS message, over a connection that answers at once.

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
    pub(crate) traced: Samples,
}

/// The instructions that the interceptor adds to sending one message.
pub(crate) async fn count(sender: &Path, folder: &Path) -> anyhow::Result<u64> {
    let mut counts = [0, 0];
    for (traced, counted) in [false, true].into_iter().zip(&mut counts) {
        let event = json!({ "sends": SENDS, "traced": traced }).to_string().into();
        let files = folder.join(format!("sender-{traced}"));
        *counted = instructions::count(&Contender::sender(sender), Trigger::Http, &event, &files).await?;
    }
    Ok(counts[1].saturating_sub(counts[0]) / SENDS)
}

/// Has a function send through either client in turn, `rounds` times.
pub(crate) async fn measure(sender: &Path, rounds: u32, progress: &Progress) -> anyhow::Result<Sending> {
    let sandbox = Sandbox::start(SandboxConfig::new("sender", sender).freeze(false)).await?;
    let mut sending = Sending::default();
    progress.begin("sending a message", rounds + 10);
    for round in 0..rounds + 10 {
        progress.inc(1);
        for traced in [false, true] {
            let reply = sandbox.invoke(json!({ "sends": SENDS, "traced": traced })).await;
            let nanos = reply.outcome.json().and_then(|nanos| nanos.as_u64());
            let took = nanos.with_context(|| format!("{:?}", reply.outcome)).map(Duration::from_nanos)?;
            sandbox.settled().await;
            if round >= 10 {
                if traced { &mut sending.traced } else { &mut sending.plain }.push(took);
            }
        }
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    Ok(sending)
}
