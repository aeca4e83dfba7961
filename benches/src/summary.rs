//! What each adds to the plain function, as bars beside each other, with the project's aims.

use std::fmt::Write as _;

use crate::event::Trigger;
use crate::extension::{FLOOR, Figures};
use crate::report::Report;
use crate::sending::Counted;

/// The name of ours among those of others.
const OURS: &str = "throughline";
/// Columns of the longest bar.
const WIDTH: f64 = 40.0;

/// One figure of each.
struct Row {
    what: String,
    unit: &'static str,
    /// What ours should stay under.
    aim: Option<f64>,
    figures: Vec<(String, f64)>,
}

/// A block of bars for each thing that was measured.
pub(crate) fn summary(report: &Report) -> String {
    let rows = latency(report).into_iter().chain(instructions(report)).chain(start_and_size(report));
    let rows =
        rows.chain(alone(report)).chain(extensions(&report.extension)).filter(|row| !row.figures.is_empty());
    let blocks: String = rows.map(|row| row.draw()).collect();
    if blocks.is_empty() { blocks } else { format!("What each adds to a plain function\n{blocks}") }
}

/// Those that stand beside others: no part of ours alone, and no extension.
fn latency(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    for latency in &report.latency {
        if !latency.variants.iter().any(|variant| variant.name == OURS) {
            continue;
        }
        let aim = if latency.trigger == Trigger::Http { 50.0 } else { 150.0 };
        let frozen = if latency.freeze { ", frozen in between" } else { "" };
        let Some((plain, others)) = latency.variants.split_first() else { continue };
        let figures = |of: &dyn Fn(&crate::latency::Variant) -> f64| {
            others.iter().map(|variant| (variant.name.to_owned(), of(variant))).collect()
        };
        rows.push(Row {
            what: format!("{}{frozen}: added client latency, p50", latency.trigger.name()),
            unit: "µs",
            aim: Some(aim),
            figures: figures(&|variant| latency.added(variant) * 1000.0),
        });
        rows.push(Row {
            what: format!("{}{frozen}: added processor time", latency.trigger.name()),
            unit: "µs",
            aim: None,
            figures: figures(&|variant| (variant.cpu.as_secs_f64() - plain.cpu.as_secs_f64()) * 1e6),
        });
    }
    rows
}

fn instructions(report: &Report) -> Vec<Row> {
    let row = |of: &crate::instructions::Instructions| {
        let (_, plain) = *of.counts.first()?;
        let others = of.counts.iter().skip(1);
        Some(Row {
            what: format!("{}: added instructions", of.trigger.name()),
            unit: "thousand",
            aim: None,
            figures: others
                .map(|(name, count)| ((*name).to_owned(), (*count as f64 - plain as f64) / 1e3))
                .collect(),
        })
    };
    report.instructions.iter().filter_map(row).collect()
}

fn start_and_size(report: &Report) -> [Row; 2] {
    let start = report.startup.iter().map(|(name, samples)| (*name, samples.percentile(50)));
    let size = report.size.iter().map(|(name, bytes)| (*name, bytes.zipped as f64 / 1e6));
    [
        Row { what: "Start, p50".to_owned(), unit: "ms", aim: Some(2.0), figures: added(start) },
        Row { what: "Binary, zipped".to_owned(), unit: "MB", aim: None, figures: added(size) },
    ]
}

/// What no other does.
fn alone(report: &Report) -> Vec<Row> {
    let ours =
        |what: String, unit, aim, figure| Row { what, unit, aim, figures: vec![(OURS.to_owned(), figure)] };
    let mut rows = Vec::new();
    if let Some(sending) = &report.sending {
        let micros = |of| sending.traced.median_added_to(of) * 1000.0;
        rows.push(ours("Injecting a message".to_owned(), "µs", Some(5.0), micros(&sending.by_hand)));
        rows.push(ours("Sending it, all in all".to_owned(), "µs", None, micros(&sending.plain)));
    }
    if let Some(Counted { by_hand, traced }) = &report.sending_instructions {
        let injecting = traced.saturating_sub(*by_hand) as f64 / 1e3;
        rows.push(ours("Injecting a message".to_owned(), "thousand instructions", None, injecting));
    }
    let slowest = report.reading.iter().filter(|of| of.shape != "string");
    if let Some(of) = slowest.max_by(|a, b| a.begin_ms.total_cmp(&b.begin_ms)) {
        let what = format!("Beginning a dense event of 6 MB (the slowest shape, {})", of.shape);
        rows.push(ours(what, "ms", Some(8.0), of.begin_ms));
    }
    if let Some(of) = report.reading.iter().find(|of| of.shape == "string") {
        rows.push(ours("Beginning an event of one string of 6 MB".to_owned(), "ms", Some(2.5), of.begin_ms));
    }
    rows
}

/// Ours beside the floor and beside another.
fn extensions(all: &[Figures]) -> Vec<Row> {
    let Some(floor) = all.iter().find(|of| of.name == FLOOR) else { return Vec::new() };
    let row = |what: &str, unit, aim, of: &dyn Fn(&Figures) -> f64| Row {
        what: format!("Extension: {what}"),
        unit,
        aim,
        figures: all.iter().filter(|it| it.name != FLOOR).map(|it| (it.name.to_owned(), of(it))).collect(),
    };
    let (ready, after) = (floor.start.ready.percentile(50), floor.after.response.percentile(50));
    vec![
        row("ready, more than the floor, p50", "ms", Some(3.0), &|it| it.start.ready.percentile(50) - ready),
        row("after the response, more than the floor, p50 (aim when deferred)", "ms", Some(0.1), &|it| {
            it.after.response.percentile(50) - after
        }),
        row("processor time of 1,000 invocations", "ms", None, &|it| it.after.cpu.as_secs_f64() * 1e6),
        row("memory after the invocations", "MB", Some(8.0), &|it| it.after.resident.after as f64 / 1024.0),
        row("binary", "MB", Some(5.0), &|it| it.size.plain as f64 / 1e6),
        row("zipped", "MB", Some(2.2), &|it| it.size.zipped as f64 / 1e6),
        row("intake and export on one core", "thousand spans/s, aim > 200", None, &|it| {
            it.throughput.as_ref().map_or(0.0, |of| of.spans_a_cpu_second / 1e3)
        }),
    ]
}

/// What the functions of `figures` have more than the plain one, which is the first.
fn added<'a>(figures: impl Iterator<Item = (&'a str, f64)>) -> Vec<(String, f64)> {
    let figures: Vec<_> = figures.filter(|(name, _)| *name != "extension").collect();
    let Some((&(_, plain), others)) = figures.split_first() else { return Vec::new() };
    others.iter().map(|(name, figure)| ((*name).to_owned(), figure - plain)).collect()
}

impl Row {
    fn draw(&self) -> String {
        let aim = self.aim.map(|aim| format!(", aim < {aim}")).unwrap_or_default();
        let mut text = format!("\n{} ({}{aim})\n", self.what, self.unit);
        let longest = self.figures.iter().map(|(_, figure)| *figure).fold(0.0, f64::max);
        for (name, figure) in &self.figures {
            let columns = if longest > 0.0 { (figure.max(0.0) / longest * WIDTH).round() } else { 0.0 };
            let decimals = if figure.abs() < 20.0 { 2 } else { 0 };
            let _ = writeln!(text, "  {name:<28} {figure:>8.decimals$} {}", "█".repeat(columns as usize));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_the_largest_figure_and_no_bar_is_negative() {
        let figures = vec![("a".to_owned(), 50.0), ("b".to_owned(), 100.0), ("c".to_owned(), -1.0)];
        let row = Row { what: "W".to_owned(), unit: "µs", aim: Some(60.0), figures };
        let text = row.draw();
        let bars: Vec<usize> = text.lines().skip(2).map(|line| line.matches('█').count()).collect();
        assert_eq!(bars, [20, 40, 0]);
        assert!(text.contains("W (µs, aim < 60)"));
    }

    #[test]
    fn what_was_not_measured_is_not_drawn() {
        assert_eq!(summary(&Report::default()), "");
    }
}
