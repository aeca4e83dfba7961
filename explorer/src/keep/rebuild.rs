//! `throughline store rebuild`: counts the runs anew, where what was counted is wrong.

use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use throughline_store::{Options as Kept, Rebuilt};
use tokio::time::Instant;

use super::store::Of;
use crate::ask::counted;
use crate::ask::when::{self, When};
use crate::connection::Missing;

/// How long it may take: a table may be large.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What is counted anew.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// From when: so long ago (2h, 7d) or a time in UTC (2026-11-20T01:47); 31 days at most
    #[arg(long, value_name = "WHEN", default_value = "31d", help_heading = "When")]
    since: When,

    /// Up to when
    #[arg(long, value_name = "WHEN", default_value = "now", help_heading = "When")]
    until: When,

    #[command(flatten)]
    of: Of,
}

/// Does it and tells on stdout; whether there was anything to count.
///
/// # Errors
///
/// When there is no store, or it can't be read or written: then it is to be done again.
pub(super) async fn run(options: &Options) -> anyhow::Result<bool> {
    let now = SystemTime::now();
    let window = when::window(options.since, options.until, throughline_store::time::millis(now))
        .ok_or_else(|| anyhow::anyhow!("--since is after --until: nothing lies between"))?;
    let connection = options.of.connection.connect(Missing::Refuse).await?;
    let writer = connection.store.writer("rebuild", Kept::default());
    // On a terminal alone.
    let bar = ProgressBar::new_spinner();
    let progress = |rebuilt: &Rebuilt| {
        if !bar.is_hidden() {
            bar.set_message(format!("reading the whole table: {}", counted(rebuilt.runs, "run", "runs")));
            bar.tick();
        }
    };
    let rebuilt = writer.rebuild_totals(window, now, Instant::now() + PATIENCE, progress).await;
    bar.finish_and_clear();
    let rebuilt = rebuilt.map_err(|error| connection.explained(&error))?;
    let Rebuilt { runs, items, removed, damaged, window, .. } = rebuilt;
    let next = connection.command(&["functions"]);
    let text = if options.of.json {
        let store = connection.told();
        json!({ "store": store, "window": window, "runs": runs, "items": items, "removed": removed,
                "damaged": damaged, "next": next })
        .to_string()
    } else {
        let mut text = if window.from > window.to {
            "no hour of that time has been over for an hour".to_owned()
        } else {
            let (from, to) = (when::full(window.from), when::full(window.to + 1));
            let items = counted(items, "item", "items");
            let removed = counted(removed, "other", "others");
            let runs = counted(runs, "run", "runs");
            format!("{runs} counted anew, from {from} to {to} UTC: {items} of totals in place of {removed}")
        };
        if damaged > 0 {
            text += &format!("\nitems that could not be read: {damaged}");
        }
        format!("{}: {text}\nnext: {next}", connection.told())
    };
    crate::stdout::tell(&format!("{text}\n"))?;
    Ok(runs > 0)
}
