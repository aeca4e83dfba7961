//! A transaction against the last good one of the same shape.

use throughline_store::{Comparison, Path};

use crate::ask::table::{Column, Table, dim, plain};
use crate::ask::when;
use crate::ask::words::{counted, harmless, micros};
use crate::trace::Style;

/// With what, and in what it is another.
pub(super) fn compared(good: &Comparison, now: u64, style: Style) -> Vec<String> {
    let mut lines = vec![title(good, now)];
    if good.differences.is_empty() && good.slower.is_empty() {
        lines.push(
            "  nothing differs of what is compared: builds, statuses, flags, attributes, durations"
                .to_owned(),
        );
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
    let narrower = Style { width: style.width.saturating_sub(2), ..style };
    lines.extend(table.lines(narrower).into_iter().map(|line| format!("  {line}")));
    lines
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
pub(super) fn rows(good: &Comparison) -> Vec<[String; 4]> {
    let told = |values: &[String]| if values.is_empty() { "–".to_owned() } else { values.join(", ") };
    let differences = good.differences.iter();
    let differences =
        differences.map(|one| [one.step.clone(), one.name.clone(), told(&one.here), told(&one.good)]);
    let slower = good.slower.iter().map(|one| {
        let p95 = format!("p95 of the last {}: {}", one.of, micros(one.p95));
        [one.function.clone(), one.what.clone(), micros(one.micros), p95]
    });
    differences.chain(slower).collect()
}
