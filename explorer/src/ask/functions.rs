//! `throughline functions`: what each function did.

use clap::Args;
use throughline_store::{FunctionRow, Trend};

use super::beside::{self, Counted};
use super::filters::{Narrow, Reads};
use super::table::{Cell, Column, Table, amber, dim, plain};
use super::words::{count, rate, took};
use super::{Asked, Common, Told, when};

const MIB: u64 = 1024 * 1024;
/// What is to be known of figures of one entry point.
const UNTOLD: &str =
    "runs that tell no entry point are not counted here: those of batches, and those that no context reached";

/// What `throughline functions` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Each build by itself
    #[arg(long)]
    builds: bool,

    #[command(flatten)]
    pub(super) narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("functions", Reads::Counts, asked)?;
        let answer = asked.answered(asked.reader.functions(window, &filter).await)?;
        let mut note = Vec::new();
        if filter.entry.is_some() {
            asked.note(&mut note, UNTOLD);
        }
        if answer.found.is_empty() {
            let mut lines = vec![format!("no such function ran {}", when::within(window, asked.now))];
            lines.extend(note);
            let words = self.narrow.longer(Reads::Counts, asked.now);
            return asked.tell_within(&answer, false, lines, &["functions"], &words);
        }
        let counted = Counted::new(window, asked.now);
        let names = [Column::Name("function"), Column::Text("build")];
        let usage = [
            Column::Number("cold"),
            Column::Number("init"),
            Column::Fixed("memory"),
            Column::Fixed(""),
            Column::Number("GB-s"),
            Column::Fixed("seen"),
        ];
        let columns = names.into_iter().chain(Counted::columns("runs")).chain(usage);
        let mut table = Table::new(columns).giving_way(&[15, 12, 4, 10, 8, 3, 11, 16, 7, 14, 13, 1, 2]);
        for row in &answer.found {
            self.add(row, counted, &mut table, asked);
        }
        let mut lines = table.lines(asked.style);
        lines.extend(note);
        asked.note(&mut lines, &counted.told());
        let worst = answer.found.iter().max_by_key(|row| row.now.figures.failures);
        let worst = worst.filter(|row| row.now.figures.failures > 0);
        let (next, reads) = worst
            .map_or_else(|| (vec!["map"], Reads::Calls), |row| (vec!["impact", &row.function], Reads::Runs));
        let words = self.narrow.words_but(reads, &["--function", "--failed"]);
        let mut told = asked.tell_within(&answer, true, lines, &next, &words)?;
        told.json["counted"] = counted.json();
        Ok(told)
    }

    fn add(&self, row: &FunctionRow, counted: Counted, table: &mut Table, asked: &Asked<'_>) {
        let now = &row.now;
        // One build is told beside the function.
        let build = match row.builds.as_slice() {
            [only] => only.build.clone(),
            builds => format!("{} builds", builds.len()),
        };
        let own = [
            plain(count(now.cold_starts)),
            plain(took(now.init_p95)),
            memory(now.memory, row.memory_limit),
            trend(row.memory_trend),
            plain(gb_seconds(now.gb_seconds)),
        ];
        let figures = counted.cells(&now.figures, &row.before.figures);
        table.row([plain(&row.function), dim(build)].into_iter().chain(figures).chain(own));
        let is_known = row.builds.iter().any(|build| !build.build.is_empty());
        for build in row.builds.iter().filter(|_| self.builds && is_known) {
            let name = if build.build.is_empty() { "(not told)" } else { &build.build };
            let [runs, failed, share, p50, p95] = beside::cells(&build.now.figures);
            let [first, last] = [build.first, build.last].map(|at| when::brief(at, asked.now));
            table.row([
                plain(""),
                plain(name),
                runs,
                plain(rate(counted.a_minute(build.now.figures.runs))),
                plain(""),
                failed,
                share,
                plain(""),
                p50,
                p95,
                plain(""),
                plain(count(build.now.cold_starts)),
                plain(took(build.now.init_p95)),
                memory(build.now.memory, 0),
                plain(""),
                plain(gb_seconds(build.now.gb_seconds)),
                dim(if first == last { first } else { format!("{first} to {last}") }),
            ]);
        }
    }
}

/// `186 of 256 MB`.
fn memory(used: u64, limit: u64) -> Cell {
    if used == 0 {
        return plain("");
    }
    let mut text = used.div_ceil(MIB).to_string();
    if limit > 0 {
        text += &format!(" of {}", limit / MIB);
    }
    text += " MB";
    // So full that the next may be killed.
    let is_full = limit > 0 && used.saturating_mul(10) >= limit.saturating_mul(9);
    if is_full { amber(text) } else { plain(text) }
}

/// How it went from hour to hour.
fn trend(trend: Option<Trend>) -> Cell {
    match trend {
        Some(Trend::Rising) => amber("rising"),
        Some(Trend::Steady) => plain("steady"),
        Some(Trend::Falling) => plain("falling"),
        None => plain(""),
    }
}

/// Nothing where no memory was told.
fn gb_seconds(number: f64) -> String {
    match number {
        number if number <= 0.0 => String::new(),
        number if number < 10.0 => format!("{number:.2}"),
        number => count(number.round() as u64),
    }
}
