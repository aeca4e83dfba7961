//! What the flight recorder costs: an invocation, a span in it from its beginning to its end, and a DEBUG line that is kept,
//! with it and without. And the deadline watch.
//!
//! `cargo run --release -p throughline-benches --bin recording` prints medians of 51 runs.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::time::Instant;

use throughline::internals::{Calling, Function, sandbox_folder};
use tracing_subscriber::layer::SubscriberExt as _;

const RUNS: usize = 51;
/// Invocations of a run, and calls in each of those that make some.
const INVOCATIONS: u32 = 200;
const CALLS: u32 = 100;
/// DEBUG lines of an invocation that says some.
const LINES: u32 = 100;

fn main() {
    let runtime_api = format!("recording-{}", std::process::id());
    let functions = [true, false].map(|recorder| Function::new(&runtime_api, recorder));
    let [function, _] = &functions;
    let calling = Calling::begin(function);
    let watch = nanos_of(|| calling.watch(function));
    calling.end();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(throughline::layer()))
        .unwrap_or_else(|error| panic!("{error}"));
    let of_invocation = functions.each_ref().map(|function| nanos(function, 0));
    let of_calls = functions.each_ref().map(|function| nanos(function, CALLS));
    let of_call = [0, 1].map(|n| (of_calls[n] - of_invocation[n]) / f64::from(CALLS));
    let of_lines = functions.each_ref().map(|function| {
        nanos_of(|| {
            let invocation = Calling::begin(function);
            (0..LINES).for_each(|n| invocation.enter(|| tracing::debug!(order = n, sku = "a mug", "packed")));
            invocation.end();
        })
    });
    let of_line = [0, 1].map(|n| (of_lines[n] - of_invocation[n]) / f64::from(LINES));
    for (what, [on, off]) in [("invocation", of_invocation), ("span", of_call), ("debug line", of_line)] {
        println!("{what:<11} {on:>7.0} ns with the recorder, {off:>7.0} without: {:>6.0} ns more", on - off);
    }
    println!("watch       {watch:>7.0} ns for the deadline of an invocation");
    let _ = std::fs::remove_dir_all(sandbox_folder(&runtime_api));
}

/// The median time of an invocation with so many calls.
fn nanos(function: &Function, calls: u32) -> f64 {
    nanos_of(|| {
        let invocation = Calling::begin(function);
        (0..calls).for_each(|_| invocation.call());
        invocation.end();
    })
}

/// The median time of what an invocation does.
fn nanos_of(work: impl Fn()) -> f64 {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            (0..INVOCATIONS).for_each(|_| work());
            start.elapsed() / INVOCATIONS
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2].as_nanos() as f64
}
