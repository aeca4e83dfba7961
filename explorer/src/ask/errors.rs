//! `throughline errors`: what fails, those errors together that say the same.

use clap::Args;

use super::filters::Within;
use super::impact::said;
use super::table::{Column, Table, plain, red};
use super::words::count;
use super::{Asked, Common, Told, when};

/// What `throughline errors` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Only those of this function
    #[arg(long, value_name = "NAME")]
    function: Option<String>,

    /// Only those of this type
    #[arg(long, value_name = "TYPE")]
    error: Option<String>,

    #[command(flatten)]
    within: Within,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let window = self.within.window(asked.now)?;
        let mut answer = asked.answered(asked.reader.errors(window).await)?;
        let is = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        answer.found.retain(|group| {
            is(&self.function, &group.example.function) && is(&self.error, &group.error.kind)
        });
        let Some(first) = answer.found.first() else {
            let lines = vec![format!("no such failure since {} UTC", when::full(window.from))];
            return asked.tell(&answer, false, lines, &["functions"]);
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
        asked.tell_within(&answer, table.lines(asked.style), &next, &self.within)
    }
}
