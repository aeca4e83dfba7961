//! `throughline demo`: the demo application as real processes against embedded AWS services.

mod effects;
mod events;
mod front;
mod judge;
mod ledger;
mod machine;
mod orders;
mod progress;
mod providers;
mod report;
mod shop;
mod stories;

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use crate::trace::{Receiver, Style};
use ledger::Ledger;
use machine::Machine;
use progress::Progress;
use report::Report;
use shop::{FUNCTIONS, Shop};

/// How long nothing may happen before missing spans are taken for lost.
const LAST_CALL: Duration = Duration::from_secs(5);

/// How often the transactions are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// What `throughline demo` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How many orders to send
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=2000))]
    orders: u32,

    /// Send so many more orders as dry runs, which change nothing
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    dry_runs: u32,

    /// Make this function fail, and watch the retries
    #[arg(long, value_name = "FUNCTION", value_parser = clap::builder::PossibleValuesParser::new(FUNCTIONS))]
    fail: Option<String>,

    /// Debug the orders of this user, of all five: with --logs their debug lines show in every function
    #[arg(long, value_name = "USER", value_parser = clap::builder::PossibleValuesParser::new(orders::USERS))]
    debug: Option<String>,

    /// Print one JSON object instead of trees
    #[arg(long)]
    json: bool,

    /// Let the processes run between invocations; Lambda freezes them, and so does the demo
    #[arg(long)]
    no_freeze: bool,

    /// Show what functions and extensions log, on stderr
    #[arg(long)]
    logs: bool,

    /// Give up waiting for orders after so many seconds [default: 60, and 2 for each order]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
}

impl Options {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(60 + 2 * u64::from(self.orders + self.dry_runs)))
    }
}

/// Runs the demo; whether every transaction is whole.
///
/// Dropping the future ends it and every process that it started.
///
/// # Errors
///
/// When something cannot be built or started.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let progress = Progress::new(options.logs);
    let binaries = shop::build(&progress).await?;
    progress.phase("starting queues, topic, table, stream and six functions");
    let begun = Instant::now();
    let receiver = Receiver::start().await?;
    let ledger = Ledger::default();
    let machine = Machine {
        freeze: !options.no_freeze,
        logs: options.logs,
        fail: options.fail.clone(),
        debug: options.debug.clone(),
    };
    let mut shop = Shop::start(&machine, &binaries, &receiver, &ledger).await?;
    let started = begun.elapsed();

    let orders = shop.order(options, &ledger, &progress).await?;
    wait(&mut shop, &orders, &receiver, &ledger, options, &progress).await?;
    progress.phase("shutting down");
    // A last flush may still bring spans: judged is what is there after it.
    let effects = shop.effects();
    shop.shutdown().await;
    let mut report = judge(&orders, &ledger, &receiver);
    report.tell_effects(&orders, &effects.read()?);
    progress.done();

    let text = if options.json { report.json() } else { report.text(Style::of_terminal(), options, started) };
    let mut stdout = std::io::stdout().lock();
    // Whoever closed the pipe has read enough.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    Ok(report.is_whole())
}

fn judge(orders: &[orders::Sent], ledger: &Ledger, receiver: &Receiver) -> Report {
    ledger.read(|deliveries| receiver.read(|spans| Report::new(orders, deliveries, spans)))
}

/// Waits until nothing is under way and every transaction is whole, or hope is lost.
async fn wait(
    shop: &mut Shop,
    orders: &[orders::Sent],
    receiver: &Receiver,
    ledger: &Ledger,
    options: &Options,
    progress: &Progress,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + options.timeout();
    let mut quiet_since = Instant::now();
    let mut last_seen = None;
    while Instant::now() < deadline {
        let seen = shop.quiet().await.context("the local queues cannot be read")?;
        let seen = seen.map(|begun| (begun, receiver.read(|spans| spans.len())));
        if seen.is_none() || seen != last_seen {
            quiet_since = Instant::now();
            last_seen = seen;
        }
        let report = judge(orders, ledger, receiver);
        progress.whole(report.complete(), orders.len());
        let quiet = quiet_since.elapsed();
        if (report.is_whole() && quiet > shop::SETTLED) || quiet > LAST_CALL {
            return Ok(());
        }
        shop.check()?;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
