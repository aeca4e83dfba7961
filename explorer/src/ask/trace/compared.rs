//! A transaction against the last good one of the same shape.

use throughline_store::{Comparison, Incomparable, Path};

use crate::ask::table::{Column, Table, dim, plain};
use crate::ask::when;
use crate::ask::words::{counted, harmless, micros};
use crate::columns::{Look, flowed, folded};
use crate::trace::Style;

/// In a terminal of fewer columns a table of four has no room: each difference has lines of its own.
const NARROW: usize = 60;

/// With what, and in what it is another.
pub(super) fn compared(good: &Comparison, now: u64, style: Style) -> Vec<String> {
    let mut lines = folded(&title(good, now), style.width);
    let narrower = Style { width: style.width.saturating_sub(2), ..style };
    let indented = |lines: Vec<String>| lines.into_iter().map(|line| format!("  {line}"));
    if good.differences.is_empty() && good.slower.is_empty() {
        let durations = if good.good < Comparison::FEWEST { "" } else { ", durations" };
        let nothing = "nothing differs of what is compared: builds, statuses, flags, attributes";
        lines.extend(indented(folded(&format!("{nothing}{durations}"), narrower.width)));
        return lines;
    }
    if style.width < NARROW {
        for [step, name, here, there] in rows(good).map(|row| row.map(|text| harmless(&text))) {
            let plain = |text: String| (text, Style::plain as Look);
            lines.extend(indented(flowed(&[plain(step), plain(name)], "  ", narrower)));
            let values = [plain(here), (format!("in the good one {there}"), Style::dim as Look)];
            let within = Style { width: narrower.width.saturating_sub(2), ..style };
            lines.extend(indented(indented(flowed(&values, "", within)).collect()));
        }
        return lines;
    }
    let mut table = Table::new([
        Column::Text("in"),
        Column::Text(""),
        Column::Text("here"),
        Column::Text("in the good one"),
    ]);
    for [step, name, here, there] in rows(good) {
        table.row([plain(step), plain(name), plain(here), dim(there)]);
    }
    lines.extend(indented(table.lines(narrower)));
    lines
}

/// Why it is held against none, or not in how long it took.
pub(super) fn limits(good: Result<&Comparison, Incomparable>) -> Option<String> {
    let why = match good {
        Ok(good) if good.good < Comparison::FEWEST => {
            let ones = counted(good.good, "good one", "good ones");
            return Some(format!(
                "how long it took is not compared: that takes {} good ones of the same path, and {ones} came before it",
                Comparison::FEWEST
            ));
        }
        Ok(_) => return None,
        Err(Incomparable::BeganNowhere) => "where it began is not known",
        Err(Incomparable::NoneBefore) => "nothing else came in there in the 24 hours before it",
        Err(Incomparable::NoneGood) => "of those that came in there in the 24 hours before it none went well",
        Err(Incomparable::OtherPaths) => "those that went well in the 24 hours before it took other paths",
    };
    Some(format!("not compared with a good one: {why}"))
}

pub(super) fn title(good: &Comparison, now: u64) -> String {
    let others = match good.good.saturating_sub(1) {
        0 => String::new(),
        others => format!(", and {} before it", counted(others, "other", "others")),
    };
    let path = match good.path {
        Path::Same => "of the same path".to_owned(),
        Path::Longer => format!("of this entry, which went on to {}", good.not_reached.join(", ")),
        Path::Shorter => "of this entry, which ended earlier".to_owned(),
    };
    let at = when::brief(good.at, now);
    harmless(&format!("against the last good one {path}: {at}, trace {}{others}", good.trace_id))
}

/// Where, what, how it is here, and how it was.
pub(super) fn rows(good: &Comparison) -> impl Iterator<Item = [String; 4]> {
    let told = |values: &[String]| if values.is_empty() { "–".to_owned() } else { values.join(", ") };
    let differences = good.differences.iter();
    let differences =
        differences.map(move |one| [one.step.clone(), one.name.clone(), told(&one.here), told(&one.good)]);
    let slower = good.slower.iter().map(|one| {
        let p95 = format!("p95 of the last {}: {}", one.of, micros(one.p95));
        [one.function.clone(), one.what.clone(), micros(one.micros), p95]
    });
    differences.chain(slower)
}
