//! How a drill is told: what was broken, what the first question answered, what all of them name, and what to type.

use std::fmt::Write as _;

use clap::Parser as _;
use serde_json::{Value, json};

use super::{Drill, Finding};
use crate::ask;
use crate::cli::Cli;
use crate::connection::Connection;
use crate::trace::{Style, trigger};

/// The outcome of a drill.
pub(super) struct Told<'a> {
    pub(super) drill: &'a Drill,
    /// How many orders were sent.
    pub(super) sent: usize,
    pub(super) finding: &'a Finding,
    /// Whether that is what was broken.
    pub(super) shown: bool,
}

impl Told<'_> {
    pub(super) fn json(&self, store: &Connection) -> Value {
        json!({
            "drill": self.drill.name,
            "orders": self.sent,
            "shown": self.shown,
            "cause": self.finding,
            "entries": self.finding.entries,
            "users": self.finding.users,
            "commands": self.commands(store),
        })
    }

    pub(super) async fn text(&self, style: Style, store: &Connection) -> anyhow::Result<String> {
        let Drill { name, broken, commands, .. } = self.drill;
        let mut text = format!("{}  {broken}\n{} orders were sent\n\n", style.bold(name), self.sent);
        for command in commands.iter().take(1) {
            let words = ["throughline"].into_iter().chain(command.split(' '));
            let asked = Cli::try_parse_from(words)?.command;
            if let Some(question) = asked.as_ref().and_then(|command| command.question()) {
                let answer = ask::text(question, store, style).await?;
                let _ = writeln!(
                    text,
                    "{}\n{answer}",
                    style.bold(&format!("asked: {}", store.command_line(command)))
                );
            }
        }
        for (what, value) in self.named() {
            let _ = writeln!(text, "{what:<12} {value}");
        }
        let outcome = if self.shown {
            style.green("the fault showed as it should")
        } else {
            style.red("the fault did not show as it should")
        };
        let _ = writeln!(text, "\n{outcome}\n");
        if store.is_file() {
            let _ = writeln!(text, "now find it yourself, with docs/drills/{name}.md beside you:");
            for command in self.commands(store) {
                let _ = writeln!(text, "  {command}");
            }
        } else {
            let again = format!("throughline demo --drill {name} --store drill.db");
            let _ = writeln!(
                text,
                "{}",
                style.dim(&format!("next: keep the store, to ask it yourself: {again}"))
            );
        }
        Ok(text)
    }

    fn named(&self) -> Vec<(&'static str, String)> {
        let Finding { function, error, says, build, upstream, suspect, third_party, entries, users } =
            self.finding;
        let list = |list: &mut dyn Iterator<Item = String>| Some(list.collect::<Vec<_>>().join(", "));
        let named = [
            ("function", Some(function.clone())),
            ("error", error.clone()),
            ("it says", says.as_ref().and_then(|says| Some(says.lines().next()?.to_owned()))),
            ("build", build.clone()),
            ("caused by", upstream.clone()),
            ("perhaps by", suspect.clone()),
            ("third party", third_party.clone()),
            ("entries", list(&mut entries.iter().map(|entry| trigger(entry)))),
            ("users", list(&mut users.iter().cloned())),
        ];
        let named = named.into_iter().filter_map(|(what, value)| Some((what, value?)));
        named
            .map(|(what, value)| (what, ask::harmless(&value)))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    fn commands(&self, store: &Connection) -> Vec<String> {
        self.drill.commands.iter().map(|command| store.command_line(command)).collect()
    }
}
