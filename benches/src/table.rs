//! The figures for people, in full.

use std::fmt::Write as _;

use crate::extension::Figures;
use crate::instructions::Instructions;
use crate::latency::Latency;
use crate::memory::Resident;
use crate::outage::Outage;
use crate::report::Report;
use crate::size::Bytes;

/// A table for each thing.
pub(crate) fn tables(report: &Report) -> String {
    let mut text = String::new();
    for latency in &report.latency {
        latency_table(&mut text, latency);
    }
    for Instructions { trigger, counts } in &report.instructions {
        let title = format!("{}, thousands of instructions", trigger.name());
        head(&mut text, &title, &["each", "added"]);
        for (name, count) in counts {
            let added = *count as f64 - counts.first().map_or(f64::NAN, |(_, plain)| *plain as f64);
            row(&mut text, name, 1, &[*count as f64 / 1000.0, added / 1000.0]);
        }
    }
    if let Some(sending) = &report.sending {
        head(&mut text, "Sending an SQS message (µs)", &["p50", "p50 added"]);
        let added = sending.traced.median_added_to(&sending.plain);
        row(&mut text, "plain client", 1, &[micros(sending.plain.percentile(50)), 0.0]);
        let by_hand = sending.by_hand.median_added_to(&sending.plain);
        row(
            &mut text,
            "plain, as much by hand",
            1,
            &[micros(sending.by_hand.percentile(50)), micros(by_hand)],
        );
        row(&mut text, "instrumented client", 1, &[micros(sending.traced.percentile(50)), micros(added)]);
    }
    if !report.reading.is_empty() {
        head(&mut text, "Reading the context of an event (ms)", &["MB", "to read", "to begin"]);
    }
    for of in &report.reading {
        row(&mut text, &of.shape, 2, &[of.bytes as f64 / 1e6, of.read_ms, of.begin_ms]);
    }
    if !report.startup.is_empty() {
        head(&mut text, "Start to first request for an event (ms)", &["p50", "p99"]);
    }
    for (name, samples) in &report.startup {
        row(&mut text, name, 2, &[samples.percentile(50), samples.percentile(99)]);
    }
    if let Some(memory) = &report.memory {
        head(&mut text, "Resident memory (MB)", &["idle", "after 1,000"]);
        for (name, Resident { idle, after }) in memory.named() {
            row(&mut text, name, 1, &[idle as f64 / 1024.0, after as f64 / 1024.0]);
        }
    }
    outage_tables(&mut text, report);
    if !report.size.is_empty() {
        head(&mut text, "Binary (MB)", &["size", "zipped"]);
    }
    for (name, Bytes { plain, zipped }) in &report.size {
        row(&mut text, name, 2, &[*plain as f64 / 1e6, *zipped as f64 / 1e6]);
    }
    extension_tables(&mut text, &report.extension);
    text
}

fn extension_tables(text: &mut String, extensions: &[Figures]) {
    if extensions.is_empty() {
        return;
    }
    head(text, "Extensions: start (ms)", &["registered", "p99", "ready", "p99"]);
    for Figures { name, start, .. } in extensions {
        let of = [&start.registered, &start.ready].map(|it| [it.percentile(50), it.percentile(99)]);
        row(text, name, 2, of.as_flattened());
    }
    head(text, "Extensions: after the response (ms)", &["p50", "p99", "exports", "spans"]);
    for Figures { name, after, .. } in extensions {
        let (p50, p99) = (after.response.percentile(50), after.response.percentile(99));
        row(text, name, 2, &[p50, p99, after.requests, after.spans]);
    }
    head(
        text,
        "Extensions: cpu, memory, size",
        &["ms / 1,000", "MB idle", "MB after", "MB binary", "MB zipped"],
    );
    for Figures { name, after, size, .. } in extensions {
        let cpu = after.cpu.as_secs_f64() * 1e6;
        let (idle, later) = (after.resident.idle as f64 / 1024.0, after.resident.after as f64 / 1024.0);
        row(text, name, 2, &[cpu, idle, later, size.plain as f64 / 1e6, size.zipped as f64 / 1e6]);
    }
    head(text, "Extensions: intake and export on one core", &["spans/s", "of cpu time"]);
    for (name, of) in extensions.iter().filter_map(|of| Some((of.name, of.throughput.as_ref()?))) {
        row(text, name, 0, &[of.spans_a_second, of.spans_a_cpu_second]);
    }
}

fn latency_table(text: &mut String, latency: &Latency) {
    let freeze = if latency.freeze { "frozen in between" } else { "not frozen" };
    let title = format!("{}, {freeze} (µs)", latency.trigger.name());
    head(text, &title, &["client p50", "p99", "p50 added", "busy p50", "cpu", "spans"]);
    for variant in &latency.variants {
        let (client, busy) = (&variant.client, &variant.busy);
        let figures = [
            micros(client.percentile(50)),
            micros(client.percentile(99)),
            micros(latency.added(variant)),
            micros(busy.percentile(50)),
            variant.cpu.as_secs_f64() * 1e6,
            variant.spans,
        ];
        row(text, variant.name, 0, &figures);
    }
}

/// The client's wait, then that of the sandbox after the response: of each of the first invocations, and of the others.
fn outage_tables(text: &mut String, report: &Report) {
    if report.outage.is_empty() {
        return;
    }
    let columns = ["client p50", "client p99", "after p50", "after p99"];
    head(text, "A dead backend, frozen in between (ms)", &columns);
    for Outage { backend, client, after, .. } in &report.outage {
        let figures =
            [client.percentile(50), client.percentile(99), after.percentile(50), after.percentile(99)];
        row(text, backend, 3, &figures);
    }
    head(text, "The first after their response (ms)", &["1st", "2nd", "3rd", "4th", "5th"]);
    for Outage { backend, first, .. } in &report.outage {
        row(text, backend, 3, &first.map(|after| after.as_secs_f64() * 1000.0));
    }
}

fn micros(millis: f64) -> f64 {
    millis * 1000.0
}

fn head(text: &mut String, title: &str, columns: &[&str]) {
    let _ = write!(text, "{}{title:<38}", if text.is_empty() { "" } else { "\n" });
    for column in columns {
        let _ = write!(text, " {column:>11}");
    }
    text.push('\n');
}

fn row(text: &mut String, name: &str, decimals: usize, figures: &[f64]) {
    let _ = write!(text, "  {name:<36}");
    for figure in figures {
        let _ = write!(text, " {figure:>11.decimals$}");
    }
    text.push('\n');
}
