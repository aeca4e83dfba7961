//! `throughline errors`: what fails, those errors together that say the same.

use clap::Args;

use super::filters::{Narrow, Reads};
use super::impact::said;
use super::table::{Column, Table, plain, red};
use super::words::count;
use super::{Asked, Common, Told, when};

/// What `throughline errors` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("errors", Reads::Runs, asked)?;
        let answer = asked.answered(asked.reader.errors(window, &filter).await)?;
        let Some(first) = answer.found.first() else {
            let lines = vec![format!("no such failure since {} UTC", when::full(window.from))];
            let words = self.narrow.longer(Reads::Runs, asked.now);
            return asked.tell_within(&answer, false, lines, &["errors"], &words);
        };
        let mut table = Table::new([
            Column::Number("count"),
            Column::Text("function"),
            Column::Text("error"),
            Column::Text("first"),
            Column::Text("last"),
            Column::Whole("newest trace"),
        ]);
        for group in &answer.found {
            table.row([
                red(count(group.count)),
                plain(&group.example.function),
                plain(said(group)),
                plain(when::brief(group.first, asked.now)),
                plain(when::brief(group.last, asked.now)),
                plain(&group.example.trace_id),
            ]);
        }
        let next = ["impact", &first.example.function];
        let words = self.narrow.words_but(Reads::Runs, &["--function"]);
        asked.tell_within(&answer, true, table.lines(asked.style), &next, &words)
    }
}
