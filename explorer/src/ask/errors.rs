//! `throughline errors`: what fails, those errors together that say the same.

use clap::Args;
use serde_json::json;
use throughline_store::{ErrorGroup, Failure, last_name};

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

/// What is to be known of failures for a user, or of an entry point.
const LOST: &str = "a run that no context reached does not know entry point, user and correlation id: its failures are \
                    not here; traces --failed and impact find them by the transaction that it is part of";

impl Options {
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> anyhow::Result<Told> {
        let (filter, window) = self.narrow.asks("errors", Reads::Failures, asked)?;
        let answer = asked.answered(asked.reader.errors(window, &filter).await)?;
        let left_out = |lines: &mut Vec<String>| {
            asked.note_left_out(lines, &answer.left_out, "errors", &self.narrow.words(Reads::Runs));
        };
        let Some(first) = answer.found.first() else {
            let mut lines = vec![format!("no such failure {}", when::within(window, asked.now))];
            left_out(&mut lines);
            if filter.asks_for_carried() {
                asked.note(&mut lines, LOST);
                let words = self.narrow.words_but(Reads::Runs, &["--failed"]);
                return asked.tell_within(&answer, false, lines, &["traces", "--failed"], &words);
            }
            let words = self.narrow.longer(Reads::Runs, asked.now);
            return asked.tell_within(&answer, false, lines, &["errors"], &words);
        };
        let mut lines = table(&answer.found, asked).lines(asked.style);
        asked.note(&mut lines, &format!("was: since {}", when::brief(window.before().from, asked.now)));
        left_out(&mut lines);
        if filter.asks_for_carried() {
            asked.note(&mut lines, LOST);
        }
        let next = ["impact", &first.example.function];
        let words = self.narrow.words_but(Reads::Runs, &["--function"]);
        let mut told = asked.tell_within(&answer, true, lines, &next, &words)?;
        told.json["counted"] = json!({ "window": window, "before": window.before() });
        Ok(told)
    }
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
    in_a_line(&group.error)
}

/// An error in a line, with its type once: some tools say it in the message, too.
pub(super) fn in_a_line(Failure { kind, message }: &Failure) -> String {
    let (name, first) = (last_name(kind), message.lines().next().unwrap_or_default());
    let of_kind = [kind.as_str(), name].into_iter().find_map(|said| first.strip_prefix(said));
    match of_kind.filter(|rest| !rest.starts_with(char::is_alphanumeric)) {
        Some(rest) => format!("{name}{rest}"),
        None if first.is_empty() => name.to_owned(),
        None => format!("{name}: {first}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_type_once() {
        for (kind, message, said) in [
            ("SmtpRejected", "550 sender unverified\nmore", "SmtpRejected: 550 sender unverified"),
            ("mail::SmtpRejected", "550", "SmtpRejected: 550"),
            ("ValueError", "ValueError: no price", "ValueError: no price"),
            ("mail::Refused", "Refused: no", "Refused: no"),
            ("mail::Refused", "mail::Refused { code: 7 }", "Refused { code: 7 }"),
            ("50", "503 Service Unavailable", "50: 503 Service Unavailable"),
            ("503", "", "503"),
        ] {
            let error = Failure { kind: kind.to_owned(), message: message.to_owned() };
            assert_eq!(in_a_line(&error), said);
        }
    }
}
