//! Whatever ends an invocation, its story is told: a table of endings and triggers, each cell asserted with real
//! processes, and what the client gets compared with what it gets without us.
//!
//! `cargo test -p throughline-tests --test e2e endings -- --nocapture` prints the table.

mod cell;
mod killed;
mod table;
mod triggers;

use std::fmt::Write as _;

use futures_util::future::join_all;
use throughline_host::Invocation;
use throughline_tests::backend::Backend;
use throughline_tests::endings::ENDING;

use crate::support::{Function, Setup};
use cell::Cell;
use table::{Client, ENDINGS, Ending};
use triggers::{Carried, TRIGGERS, Trigger};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ending_of_every_trigger_is_told() {
    let rows = join_all(ENDINGS.iter().map(row)).await;
    let mut table = format!("\n{:12}", "");
    TRIGGERS.iter().for_each(|trigger| _ = write!(table, "{:>13}", trigger.name));
    let mut faults = String::new();
    for (ending, row) in ENDINGS.iter().zip(rows) {
        _ = write!(table, "\n{:12}", ending.name);
        for (trigger, cell) in TRIGGERS.iter().zip(row) {
            let mark = match &cell {
                None => "–",
                Some(faults) if faults.is_empty() => "✓",
                Some(_) => "✗",
            };
            _ = write!(table, "{mark:>13}");
            for fault in cell.unwrap_or_default() {
                _ = writeln!(faults, "{} × {}: {fault}", ending.name, trigger.name);
            }
        }
    }
    println!("{table}\n");
    assert!(faults.is_empty(), "\n{faults}");
}

/// Runs an ending with each trigger, in one sandbox: what is wrong in each cell, `None` where it can't happen.
async fn row(ending: &Ending) -> Vec<Option<Vec<String>>> {
    let backend = Backend::start([]).unwrap();
    let setup = Setup::wrapped(ending.handler).exporting_to(&backend).await;
    let wrapped = with(setup, ending).start().await;
    let plain = with(Setup::plain(ending.handler), ending).start().await;
    let mut row = Vec::new();
    for trigger in &TRIGGERS {
        let happens = ending.triggers.is_empty() || ending.triggers.contains(&trigger.name);
        row.push(if happens {
            Some(faults(ending, trigger, &wrapped, &plain, &backend).await)
        } else {
            None
        });
    }
    wrapped.shutdown().await;
    plain.shutdown().await;
    row
}

fn with(setup: Setup, ending: &Ending) -> Setup {
    setup.with(ending.sandbox).env(ENDING, ending.name)
}

/// Runs one cell, and tells what is wrong in it.
async fn faults(
    ending: &Ending,
    trigger: &Trigger,
    wrapped: &Function,
    plain: &Function,
    backend: &Backend,
) -> Vec<String> {
    let event = |carried| {
        let event = Invocation::from((trigger.event)(carried));
        match ending.client {
            Client::Stays => event,
            Client::Leaves(after) => event.client_leaves_after(after),
        }
    };
    let without = plain.sandbox.invoke(event(Carried::No)).await;
    let reply = wrapped.sandbox.invoke(event(Carried::Yes)).await;
    wrapped.sandbox.settled().await;
    let cell = Cell { ending, trigger, reply: &reply, without: &without };
    // Lines are on their way for a moment; spans have arrived before the sandbox was frozen.
    let mut faults = cell.faults(&backend.arrived(), &wrapped.printed);
    for _ in 0..200 {
        if faults.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        faults = cell.faults(&backend.arrived(), &wrapped.printed);
    }
    faults
}
