//! `throughline functions`: what each function did.

use clap::Args;
use throughline_store::FunctionRow;

use super::filters::{Narrow, Reads};
use super::table::{Column, Table, dim, plain, red};
use super::words::{count, micros, share};
use super::{Asked, Common, Told, when};

/// What `throughline functions` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Each build by itself
    #[arg(long)]
    builds: bool,

    #[command(flatten)]
    narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("functions", Reads::Counts, asked)?;
        let answer = asked.answered(asked.reader.functions(window, &filter).await)?;
        if answer.found.is_empty() {
            let lines = vec![format!("no such function ran since {} UTC", when::full(window.from))];
            let words = self.narrow.longer(Reads::Counts, asked.now);
            return asked.tell_within(&answer, false, lines, &["functions"], &words);
        }
        let mut table = Table::new([
            Column::Text("function"),
            Column::Text("build"),
            Column::Number("runs"),
            Column::Number("failed"),
            Column::Number(""),
            Column::Number("p50"),
            Column::Number("p95"),
            Column::Number("cold"),
            Column::Number("memory"),
        ]);
        for row in &answer.found {
            self.add(row, &mut table);
        }
        let mut lines = table.lines(asked.style);
        lines.push(asked.style.dim("whole hours are counted, those of both ends included"));
        let worst = answer.found.iter().max_by_key(|row| row.failures).filter(|row| row.failures > 0);
        let (next, reads) = worst
            .map_or_else(|| (vec!["map"], Reads::Calls), |row| (vec!["impact", &row.function], Reads::Runs));
        let words = self.narrow.words_but(reads, &["--function", "--failed"]);
        asked.tell_within(&answer, true, lines, &next, &words)
    }

    fn add(&self, row: &FunctionRow, table: &mut Table) {
        let failed = |failures| if failures > 0 { red(count(failures)) } else { dim("0") };
        let took = |micros_: Option<u64>| plain(micros_.map(micros).unwrap_or_default());
        let memory =
            if row.memory == 0 { String::new() } else { format!("{} MB", row.memory.div_ceil(1024 * 1024)) };
        // One build is told beside the function.
        let build = match row.builds.as_slice() {
            [only] => only.build.clone(),
            builds => format!("{} builds", builds.len()),
        };
        table.row([
            plain(&row.function),
            dim(build),
            plain(count(row.runs)),
            failed(row.failures),
            plain(share(row.failures.min(row.runs), row.runs)),
            took(row.p50),
            took(row.p95),
            plain(count(row.cold_starts)),
            plain(memory),
        ]);
        for build in row.builds.iter().filter(|_| self.builds && row.builds.len() > 1) {
            let name = if build.build.is_empty() { "(unknown)" } else { &build.build };
            table.row([
                plain(""),
                plain(name),
                plain(count(build.runs)),
                failed(build.failures),
                plain(share(build.failures.min(build.runs), build.runs)),
                took(build.p50),
                took(build.p95),
                plain(""),
                plain(""),
            ]);
        }
    }
}
