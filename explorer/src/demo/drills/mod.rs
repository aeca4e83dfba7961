//! Incident drills, `throughline demo --drill NAME`: something is wrong in the shop, orders go through it, and the store
//! is asked what a person would ask it. Whether the answers name what was broken, whom it hit and where they came in is
//! the outcome. Each has a page in `docs/drills`.

mod find;
mod list;
mod told;

use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde_json::{Value, json};
use throughline_host::Executables;
use throughline_store::time::Window;

use super::Options;
use super::fault::Fault;
use super::ledger::Ledger;
use super::local::Local;
use super::machine::Machine;
use super::orders::Order;
use super::progress::Progress;
use super::settle::settle;
use super::shop::Shop;
use crate::trace::Style;
use find::{Finding, Symptom};
use told::Told;

/// The builds before and after a deploy.
const BUILDS: [&str; 2] = ["4d01b77", "9f3c2e1"];
/// What is asked of: as the commands do where nothing is said.
const SINCE: Duration = Duration::from_secs(3600);

/// A drill.
#[derive(Debug)]
pub(super) struct Drill {
    /// What it is called.
    name: &'static str,
    /// What is broken, in a line.
    broken: &'static str,
    /// The same, as the shop has it.
    fault: Fault,
    /// The orders: each wave begins when the one before has settled.
    waves: &'static [&'static [Ordered]],
    /// What one notices first.
    symptom: Symptom,
    /// What the answers are to name.
    expected: Expected,
    /// What to ask, on the page and afterwards.
    commands: &'static [&'static str],
}

/// Who orders.
#[derive(Debug, Clone, Copy)]
struct Ordered {
    user: &'static str,
    /// The company and what it pays for.
    account: Option<(&'static str, &'static str)>,
    test: bool,
    quantity: u32,
    price_cents: u32,
}

/// What the answers are to name. What is empty is not asked for.
#[derive(Debug)]
struct Expected {
    function: &'static str,
    /// The type of the error.
    error: &'static str,
    /// What the error says, in part.
    says: &'static str,
    build: &'static str,
    /// Who failed before, or below.
    upstream: &'static str,
    suspect: &'static str,
    third_party: &'static str,
    entries: &'static [&'static str],
    users: &'static [&'static str],
}

/// What drills are called.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    list::DRILLS.iter().map(|drill| drill.name)
}

/// Runs a drill; whether the fault showed as it should.
///
/// # Errors
///
/// When something cannot be started.
pub(super) async fn run(
    name: &str,
    options: &Options,
    binaries: Executables,
    progress: &Progress,
) -> anyhow::Result<bool> {
    let drill = list::DRILLS.iter().find(|drill| drill.name == name);
    let drill = drill.with_context(|| format!("no drill is called {name}"))?;
    progress.phase("starting queues, topic, table, stream and six functions");
    let local = Local::start(options.store.as_deref()).await?;
    let sent = drill.drive(&local, options, binaries, progress).await?;
    let window = Window::last(SINCE, SystemTime::now());
    let finding = find::find(drill.symptom, &local.reader(), window).await.context("the store")?;
    local.keep().await?;
    progress.done();

    let told = Told { drill, sent, finding: &finding, shown: drill.expected.is_met(&finding) };
    let text = if options.json {
        format!("{}\n", told.json(&local.store))
    } else {
        told.text(Style::of_terminal(), &local.store).await?
    };
    crate::stdout::tell(&text)?;
    Ok(told.shown)
}

impl Drill {
    /// Sends the orders and ends the shop; how many there were.
    async fn drive(
        &self,
        local: &Local,
        options: &Options,
        binaries: Executables,
        progress: &Progress,
    ) -> anyhow::Result<usize> {
        let ledger = Ledger::default();
        let machine = Machine {
            freeze: !options.no_freeze,
            logs: options.logs,
            fail: None,
            debug: None,
            fault: self.fault,
            builds: Some(BUILDS),
            binaries,
        };
        let mut shop = Shop::start(&machine, local, &ledger).await?;
        let mut sent = 0;
        for (number, wave) in self.waves.iter().enumerate() {
            if let (1, true, Some((function, _))) = (number, self.fault.deployed, self.fault.bug) {
                progress.phase(&format!("deploying {function} {}", BUILDS[1]));
                shop.deploy(function, &machine).await?;
            }
            let orders =
                wave.iter().zip(sent + 1..).map(|(ordered, n)| ordered.order(&format!("{}-{n}", self.name)));
            sent += shop.order(orders.collect(), options.timeout(), progress).await?.len();
            settle(&mut shop, &ledger, options.timeout(), progress).await?;
        }
        progress.phase("shutting down");
        shop.shutdown().await;
        Ok(sent)
    }
}

impl Ordered {
    fn order(&self, correlation_id: &str) -> Order {
        let item = json!({ "sku": "tea-pot", "quantity": self.quantity, "price_cents": self.price_cents });
        let account = self.account.map(|(id, plan)| json!({ "id": id, "plan": plan }));
        let body: Value =
            json!({ "user_id": self.user, "account": account, "test": self.test, "items": [item] });
        Order { body, correlation_id: Some(correlation_id.to_owned()), dry_run_key: None }
    }
}

impl Expected {
    const NOTHING: Self = Self {
        function: "",
        error: "",
        says: "",
        build: "",
        upstream: "",
        suspect: "",
        third_party: "",
        entries: &["http POST /orders"],
        users: &[],
    };

    fn is_met(&self, finding: &Finding) -> bool {
        let is = |expected: &str, found: Option<&String>| {
            expected.is_empty() || found.is_some_and(|f| f == expected)
        };
        let says = |found: &String| found.contains(self.says);
        is(self.function, Some(&finding.function))
            && is(self.error, finding.error.as_ref())
            && (self.says.is_empty() || finding.says.as_ref().is_some_and(says))
            && is(self.build, finding.build.as_ref())
            && is(self.upstream, finding.upstream.as_ref())
            && is(self.suspect, finding.suspect.as_ref())
            && is(self.third_party, finding.third_party.as_ref())
            && finding.entries.iter().eq(self.entries.iter())
            && finding.users.iter().eq(self.users.iter())
    }
}

#[cfg(test)]
mod tests;
