//! `throughline errors`: what fails, those errors together that say the same.

use clap::Args;
use serde_json::json;
use throughline_store::{ErrorGroup, Filter, last_name};

use super::filters::{Narrow, Reads};
use super::table::{Column, Table, amber, dim, plain, red};
use super::words::count;
use super::{Asked, Common, Told, when};

/// What `throughline errors` is asked for.
#[derive(Debug, Clone, Args)]
pub struct Options {
    #[command(flatten)]
    pub(super) narrow: Narrow,

    #[command(flatten)]
    pub(super) common: Common,
}

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("errors", Reads::Runs, asked)?;
        let answer = asked.answered(asked.reader.errors(window, &filter).await)?;
        let left_out = |lines: &mut Vec<String>| {
            asked.note_left_out(lines, &answer.left_out, "errors", &self.narrow.words(Reads::Runs));
        };
        let Some(first) = answer.found.first() else {
            let mut lines = vec![format!("no such failure {}", when::within(window, asked.now))];
            left_out(&mut lines);
            if travels(&filter) {
                let lost = "a run that no context reached does not know entry point, user and correlation id: its \
                            failures are found by the transaction that it is part of";
                asked.note(&mut lines, lost);
                let words = self.narrow.words_but(Reads::Runs, &["--failed"]);
                return asked.tell_within(&answer, false, lines, &["traces", "--failed"], &words);
            }
            let words = self.narrow.longer(Reads::Runs, asked.now);
            return asked.tell_within(&answer, false, lines, &["errors"], &words);
        };
        let mut lines = table(&answer.found, asked).lines(asked.style);
        asked.note(&mut lines, &format!("was: since {}", when::brief(window.before().from, asked.now)));
        left_out(&mut lines);
        let next = ["impact", &first.example.function];
        let words = self.narrow.words_but(Reads::Runs, &["--function"]);
        let mut told = asked.tell_within(&answer, true, lines, &next, &words)?;
        told.json["counted"] = json!({ "window": window, "before": window.before() });
        Ok(told)
    }
}

/// Whether it asks for what travels with a transaction: `traces` knows it of those as well whom it did not reach.
fn travels(filter: &Filter) -> bool {
    let Filter { entry, user, account, plan, correlation_id, test_user, .. } = filter;
    [entry, user, account, plan, correlation_id].iter().any(|asked| asked.is_some()) || test_user.is_some()
}

/// Errors, how often they were told before, and where to look.
pub(super) fn table(groups: &[ErrorGroup], asked: &Asked<'_>) -> Table {
    let mut table = Table::new([
        Column::Number("count"),
        Column::Number("was"),
        Column::Text("function"),
        Column::Message("error"),
        Column::Fixed("first"),
        Column::Fixed("last"),
        Column::Whole("newest trace"),
    ])
    .giving_way(&[4, 5]);
    for group in groups {
        table.row([
            red(count(group.count)),
            if group.before > 0 { dim(count(group.before)) } else { amber("new") },
            plain(&group.example.function),
            plain(said(group)),
            plain(when::brief(group.first, asked.now)),
            plain(when::brief(group.last, asked.now)),
            plain(&group.example.trace_id),
        ]);
    }
    table
}

/// `SmtpRejected: 550 sender unverified`.
fn said(group: &ErrorGroup) -> String {
    let first = group.error.message.lines().next().unwrap_or_default();
    let kind = &group.error.kind;
    let name = last_name(kind);
    if first.is_empty() || first.starts_with(kind.as_str()) {
        format!("{name}{}", &first[kind.len().min(first.len())..])
    } else {
        format!("{name}: {first}")
    }
}
