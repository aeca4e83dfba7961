//! Which function, entry point or error is meant by a name that none has.

use std::collections::BTreeSet;

use serde_json::json;
use throughline_store::{Answer, Filter, Names, last_name};

use super::filters::{Filters, Narrow, Reads, full_entry, short_entry};
use super::words::harmless;
use super::{Asked, Told};
use crate::columns::wrapped;

/// How many are named.
const MAX_MEANT: usize = 3;
/// What is shorter is a part of too many names.
const SHORTEST: usize = 3;

impl Asked<'_> {
    /// Adds to an answer that nothing was found, if none is called as the function, the entry point or the error that was
    /// asked for, which one may be meant: asked for in the next command.
    pub(super) async fn hint(
        &self,
        told: &mut Told,
        question: &str,
        function: Option<&str>,
        narrow: &Narrow,
    ) -> anyhow::Result<()> {
        let Filters { entry, error, .. } = &narrow.filters;
        if function.is_none() && entry.is_none() && error.is_none() {
            return Ok(());
        }
        let known = self.answered(self.reader.known(narrow.window(self.now)?).await)?;
        told.json["requests"] = json!(told.json["requests"].as_u64().unwrap_or_default() + known.requests);
        let Answer { found: Names { functions, entries, errors }, at_least, .. } = known;
        if functions.is_empty() || at_least {
            return Ok(());
        }
        if let Some(function) = function.filter(|function| !functions.contains(*function)) {
            self.hint_function(told, question, function, &functions, narrow);
        } else if let Some(entry) = entry.as_deref().filter(|said| !entries.contains(&full_entry(said))) {
            let entries = entries.iter().map(|entry| short_entry(entry).to_owned()).collect();
            self.hint_word(told, (question, function), ("--entry", "entry point", entry), &entries, narrow);
        } else if let Some(error) = error.as_deref().filter(|said| !errors.contains(*said)) {
            let wanted = Filter { error: Some(error.to_owned()), ..Filter::default() };
            if !errors.iter().any(|kind| wanted.is_of(kind)) {
                let errors = errors.iter().map(|kind| last_name(kind).to_owned()).collect();
                self.hint_word(told, (question, function), ("--error", "error", error), &errors, narrow);
            }
        }
        Ok(())
    }

    fn hint_function(
        &self,
        told: &mut Told,
        question: &str,
        function: &str,
        known: &BTreeSet<String>,
        narrow: &Narrow,
    ) {
        let meant = meant(function, known);
        let (question, hint) = match meant.as_slice() {
            [] => ("functions", "throughline functions tells which did".to_owned()),
            names => (question, format!("did you mean {}?", names.join(" or "))),
        };
        let hint = format!("no function {function} ran in that time; {hint}");
        let mut next = vec![question.to_owned()];
        let mut but = vec!["--function"];
        match meant.first() {
            Some(name) => next.extend(["--function".to_owned(), (*name).to_owned()]),
            None => but.extend(["--entry", "--build", "--failed"]),
        }
        let reads = if meant.is_empty() { Reads::Counts } else { Reads::Runs };
        next.extend(narrow.words_but(reads, &but));
        self.add_hint(told, &hint, &meant, &next);
    }

    /// The same of what a word asks for that all questions know, in case one is called nearly so.
    fn hint_word(
        &self,
        told: &mut Told,
        (question, function): (&str, Option<&str>),
        (word, what, said): (&str, &str, &str),
        known: &BTreeSet<String>,
        narrow: &Narrow,
    ) {
        let meant = meant(said, known);
        let Some(first) = meant.first() else { return };
        let hint = format!("no {what} was called {said} in that time; did you mean {}?", meant.join(" or "));
        let mut next = vec![question.to_owned()];
        next.extend(function.into_iter().flat_map(|name| ["--function".to_owned(), name.to_owned()]));
        next.extend([word.to_owned(), (*first).to_owned()]);
        next.extend(narrow.words_but(Reads::Runs, &["--function", word]));
        self.add_hint(told, &hint, &meant, &next);
    }

    fn add_hint(&self, told: &mut Told, hint: &str, meant: &[&str], next: &[String]) {
        told.text += &(wrapped(&harmless(hint), self.style.width).join("\n") + "\n");
        let next = self.connection.command(&next.iter().map(String::as_str).collect::<Vec<_>>());
        told.json["meant"] = json!(meant);
        told.json["next"] = json!(next);
        told.next = Some(next);
    }
}

/// Of these names those that may be meant, the likeliest first: one letter in three may be another, and a part is enough.
fn meant<'a>(said: &str, known: &'a BTreeSet<String>) -> Vec<&'a str> {
    let said = said.to_lowercase();
    let far = |name: &str| {
        let name = name.to_lowercase();
        let letters = strsim::osa_distance(&said, &name);
        let is_part =
            (name.contains(&said) || said.contains(&name)) && said.len().min(name.len()) >= SHORTEST;
        (is_part || letters * 3 <= said.chars().count()).then_some(letters)
    };
    let mut meant: Vec<_> = known.iter().filter_map(|name| Some((far(name)?, name.as_str()))).collect();
    meant.sort_unstable();
    meant.into_iter().take(MAX_MEANT).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_or_a_part_means_those_that_are_near() {
        let known = ["checkout-api", "payment-worker", "prod-mailer", "prod-mailer-eu", "f"];
        let known = known.map(str::to_owned).into();
        for (said, told) in [
            ("payment-wroker", &["payment-worker"][..]),
            ("Payment-Worker", &["payment-worker"]),
            ("chekout_api", &["checkout-api"]),
            ("mailer", &["prod-mailer", "prod-mailer-eu"]),
            ("dev-payment-worker", &["payment-worker"]),
            ("prod", &["prod-mailer", "prod-mailer-eu"]),
            ("api", &["checkout-api"]),
            ("er", &[]),
            ("undertaker", &[]),
            ("", &[]),
        ] {
            assert_eq!(meant(said, &known), told, "{said}");
        }
    }
}
