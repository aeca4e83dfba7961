//! `throughline demo`: the demo application as real processes against embedded AWS services.

mod binaries;
mod drills;
mod effects;
mod events;
mod fault;
mod fleet;
mod front;
mod judge;
mod ledger;
mod local;
mod machine;
mod orders;
mod progress;
mod providers;
mod report;
mod resources;
mod settle;
mod shop;
mod stored;
mod stories;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::connection::{self, Missing};
use crate::trace::Style;
use fault::Fault;
use ledger::Ledger;
use local::Local;
use machine::Machine;
use progress::Progress;
use report::Report;
use settle::settle;
use shop::{FUNCTIONS, Shop};
use stored::Stored;

/// What `throughline demo` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How many orders to send
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=2000))]
    orders: u32,

    /// Send so many more orders as dry runs, which change nothing
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    dry_runs: u32,

    /// Run an incident drill: a fault in the shop, to be found with the questions. See docs/drills
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(drills::names()), conflicts_with_all = ["orders", "dry_runs", "fail", "debug"])]
    drill: Option<String>,

    /// Make this function fail, and watch the retries
    #[arg(long, value_name = "FUNCTION", value_parser = clap::builder::PossibleValuesParser::new(FUNCTIONS))]
    fail: Option<String>,

    /// Debug the orders of this user, of all five: with --logs their debug lines show in every function
    #[arg(long, value_name = "USER", value_parser = clap::builder::PossibleValuesParser::new(orders::USERS))]
    debug: Option<String>,

    /// Keep the store in this file, for all questions that can be asked of it afterwards
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,

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
/// When something cannot be built or started, or the store's file is none, or of a drill one already.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    // Before anything is built, for that may take minutes.
    if let Some(file) = &options.store {
        check_store(file, options.drill.is_some())?;
    }
    let progress = Progress::new(options.logs);
    let binaries = binaries::build(&progress).await?;
    if let Some(drill) = &options.drill {
        return drills::run(drill, options, binaries, &progress).await;
    }
    progress.phase("starting queues, topic, table, stream and six functions");
    let begun = Instant::now();
    let local = Local::start(options.store.as_deref()).await?;
    let ledger = Ledger::default();
    let machine = Machine {
        freeze: !options.no_freeze,
        logs: options.logs,
        fail: options.fail.clone(),
        debug: options.debug.clone(),
        fault: Fault::NONE,
        builds: None,
        binaries,
    };
    let mut shop = Shop::start(&machine, &local, &ledger).await?;
    let started = begun.elapsed();

    let orders = orders::some(options.orders, options.dry_runs, shop.dry_run_key());
    let sending = shop.order(orders, options.timeout(), &progress);
    let (orders, ()) = tokio::join!(sending, shop.ring_for_lunch(&ledger));
    let orders = orders?;
    settle(&mut shop, &ledger, options.timeout(), &progress).await?;
    progress.phase("shutting down");
    // The last spans come with the last flush: asked is after it.
    let effects = shop.effects();
    shop.shutdown().await;
    let began = ledger.read(|deliveries| stories::began(&orders, deliveries));
    let stored = Stored::read(&local.reader(), began).await.context("the store")?;
    let mut report = ledger.read(|deliveries| Report::new(&orders, deliveries, &stored));
    report.tell_effects(&orders, &effects.read()?);
    local.keep().await?;
    progress.done();

    let text = if options.json {
        report.json()
    } else {
        report.text(Style::of_terminal(), options, started, &local.store)
    };
    crate::stdout::tell(&text)?;
    Ok(report.is_whole())
}

/// Whether what is told can be kept in this file. A drill needs a new one.
fn check_store(file: &Path, is_drill: bool) -> anyhow::Result<()> {
    if is_drill && std::fs::metadata(file).is_ok_and(|file| file.len() > 0) {
        bail!(
            "{}: is there already, and a drill is found best in a store of its own: remove it",
            file.display()
        );
    }
    connection::check(file, Missing::Make)
}
