//! Others that wrote the same items.

use throughline_store::SameItem;

use crate::ask::table::{Column, Table, plain, red};
use crate::ask::words::micros;
use crate::columns::folded;
use crate::trace::Style;

const TITLE: &str = "others that wrote the same items of DynamoDB within a quarter of an hour";

pub(super) fn told(items: &[SameItem], style: Style) -> Vec<String> {
    let mut table = Table::new([
        Column::Text("table"),
        Column::Text("when"),
        Column::Text("function"),
        Column::Text(""),
        Column::Whole("trace"),
    ]);
    for [item, when, function, failed, trace] in rows(items) {
        table.row([plain(item), plain(when), plain(function), red(failed), plain(trace)]);
    }
    let narrower = Style { width: style.width.saturating_sub(2), ..style };
    let rows = table.lines(narrower).into_iter().map(|line| format!("  {line}"));
    folded(TITLE, style.width).into_iter().chain(rows).collect()
}

/// Of which table, how long before or after, by whom, whether that failed, and its trace.
fn rows(items: &[SameItem]) -> Vec<[String; 5]> {
    let of_item = |item: &SameItem| {
        let table = item.table.clone().unwrap_or_else(|| item.id.clone());
        let at = item.at;
        let rows = item.others.iter().map(move |run| {
            let by = micros(run.at.abs_diff(at).saturating_mul(1000));
            let when = if run.at <= at { format!("{by} before") } else { format!("{by} after") };
            let failed = if run.failed { "failed" } else { "" };
            [table.clone(), when, run.function.clone(), failed.to_owned(), run.trace_id.clone()]
        });
        rows.collect::<Vec<_>>()
    };
    items.iter().flat_map(of_item).collect()
}
