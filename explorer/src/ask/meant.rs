//! Which function is meant by a name that none has.

use std::collections::BTreeSet;

use serde_json::json;

use super::filters::{Narrow, Reads};
use super::words::harmless;
use super::{Asked, Told};
use crate::columns::wrapped;

/// How many are named.
const MAX_MEANT: usize = 3;
/// What is shorter is a part of too many names.
const SHORTEST: usize = 3;

impl Asked<'_> {
    /// Adds to an answer that nothing was found for `function`, if none of that name ran, which one may be meant: asked for
    /// in the next command.
    pub(super) async fn hint(
        &self,
        told: &mut Told,
        question: &str,
        function: &str,
        narrow: &Narrow,
    ) -> anyhow::Result<()> {
        let known = self.answered(self.reader.known(narrow.window(self.now)?).await)?;
        told.json["requests"] = json!(told.json["requests"].as_u64().unwrap_or_default() + known.requests);
        if known.found.is_empty() || known.found.contains(function) || known.at_least {
            return Ok(());
        }
        let meant = meant(function, &known.found);
        let (question, hint) = match meant.as_slice() {
            [] => ("functions", "throughline functions tells which did".to_owned()),
            names => (question, format!("did you mean {}?", names.join(" or "))),
        };
        let hint = harmless(&format!("no function {function} ran in that time; {hint}"));
        told.text += &(wrapped(&hint, self.style.width).join("\n") + "\n");
        let mut next = vec![question.to_owned()];
        let mut but = vec!["--function"];
        match meant.first() {
            Some(name) => next.extend(["--function".to_owned(), (*name).to_owned()]),
            None => but.extend(["--entry", "--build", "--failed"]),
        }
        let reads = if meant.is_empty() { Reads::Counts } else { Reads::Runs };
        next.extend(narrow.words_but(reads, &but));
        let next = self.connection.command(&next.iter().map(String::as_str).collect::<Vec<_>>());
        told.json["meant"] = json!(meant);
        told.json["next"] = json!(next);
        told.next = Some(next);
        Ok(())
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
