//! `--check`: what the extension would do in an environment, and whether its backends answer.

use crate::config::{self, Config, Export, Notice};
use crate::endpoint::mask;
use crate::export::{Step, probe};
use crate::variables::{OF_ONE_DESTINATION, VARIABLES, Variable};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;

/// How to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Connect to nothing.
    pub offline: bool,
    /// One JSON object instead of text.
    pub json: bool,
}

/// How grave something is; the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// All is as it should be.
    Fine,
    /// Something else is used than what is set.
    Warning,
    /// Telemetry would be lost, or go where it was not meant to.
    Error,
}

/// What is known of an environment.
#[derive(Debug)]
pub struct Report {
    variables: Vec<Told>,
    notices: Vec<Notice>,
    /// The destinations, and the steps to each.
    destinations: Vec<(String, Vec<Step>)>,
    config: Config,
}

/// A variable as it stands, without secrets.
#[derive(Debug)]
struct Told {
    name: &'static str,
    value: String,
    set: bool,
}

/// Checks an environment; beside a `collector`, as [`config::parse`] has it.
pub async fn check(env: &HashMap<String, String>, collector: bool, how: How) -> Report {
    let (mut config, mut notices) = config::parse(env, collector);
    notices.extend(config.refuse_own_listener(([127, 0, 0, 1], config.listen).into()));
    let mut destinations = Vec::new();
    for export in &config.exports {
        let steps =
            if how.offline || !config.enabled { Vec::new() } else { probe(export, config.listen).await };
        let name = match export {
            Export::Stdout => "stdout, as lines of OTLP JSON".to_owned(),
            Export::Otlp { .. } | Export::Aws(_) | Export::Store(_) => export.to_string(),
        };
        destinations.push((name, steps));
    }
    let of_one = OF_ONE_DESTINATION.iter().filter(|name| env.contains_key(**name));
    let of_one = of_one.map(|name| Variable { name, default: "", meaning: "" });
    let variables = VARIABLES.iter().copied().chain(of_one).map(|one| told(one, env, &config)).collect();
    Report { variables, notices, destinations, config }
}

fn told(variable: Variable, env: &HashMap<String, String>, config: &Config) -> Told {
    let name = variable.name;
    let Some(value) = env.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()) else {
        let value = match name {
            "THROUGHLINE_LISTEN" => format!("127.0.0.1:{}", config.listen),
            _ => variable.default.to_owned(),
        };
        return Told { name, value, set: false };
    };
    let parts = value.split(',').map(str::trim);
    let value = if name.contains("HEADERS") {
        let key =
            |pair: &str| pair.split_once('=').map_or("***".into(), |(key, _)| format!("{}=***", key.trim()));
        parts.map(key).collect::<Vec<_>>().join(",")
    } else {
        parts.map(mask).collect::<Vec<_>>().join(",")
    };
    Told { name, value: value.chars().filter(|letter| !letter.is_control()).collect(), set: true }
}

fn grade(notice: &Notice) -> Grade {
    match notice.variable {
        _ if !notice.warning => Grade::Fine,
        name if name.starts_with("THROUGHLINE_EXPORT_") || name == "THROUGHLINE_STORE_TABLE" => Grade::Error,
        _ => Grade::Warning,
    }
}

// === impl Report ===

impl Report {
    /// The gravest of all.
    pub fn grade(&self) -> Grade {
        let notices = self.notices.iter().map(grade);
        let failed = self.failed().next().map(|_| Grade::Error);
        let off = (!self.config.enabled).then_some(Grade::Warning);
        notices.chain(failed).chain(off).max().unwrap_or(Grade::Fine)
    }

    fn failed(&self) -> impl Iterator<Item = &Step> {
        self.destinations.iter().flat_map(|(_, steps)| steps).filter(|step| step.outcome.is_err())
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = self.variables.iter().map(|told| told.name.len()).max().unwrap_or_default();
        for told in &self.variables {
            let from = if told.set { "set" } else { "default" };
            let _ = writeln!(text, "{:width$}  {} ({from})", told.name, told.value);
            for notice in self.notices.iter().filter(|notice| notice.variable == told.name) {
                let _ = writeln!(text, "  {}: {}", word(grade(notice)), sentence(notice));
            }
        }
        let known = |notice: &&Notice| self.variables.iter().all(|told| told.name != notice.variable);
        for notice in self.notices.iter().filter(known) {
            let _ = writeln!(text, "{}\n  {}: {}", notice.variable, word(grade(notice)), sentence(notice));
        }
        if !self.config.enabled {
            text.push_str("\nwarning: it is switched off; everything is taken and nothing is kept\n");
        }
        for (name, steps) in &self.destinations {
            let _ = writeln!(text, "\nto {name}");
            for step in steps {
                let (word, what) = match &step.outcome {
                    Ok(what) => ("ok", what),
                    Err(why) => ("error", why),
                };
                let _ = writeln!(text, "  {word}: {}: {what}", step.name);
            }
        }
        let _ = write!(text, "\n{}", word(self.grade()));
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let variable = |told: &Told| json!({ "name": told.name, "value": told.value, "set": told.set });
        let notice = |notice: &Notice| {
            let (value, message) = (&notice.value, &notice.message);
            json!({ "grade": word(grade(notice)), "variable": notice.variable, "value": value, "message": message })
        };
        let step = |step: &Step| {
            let (what, ok) = match &step.outcome {
                Ok(what) => (what, true),
                Err(why) => (why, false),
            };
            json!({ "step": step.name, "ok": ok, "outcome": what })
        };
        let destination = |(name, steps): &(String, Vec<Step>)| json!({ "to": name, "steps": steps.iter().map(step).collect::<Vec<_>>() });
        json!({
            "grade": word(self.grade()),
            "enabled": self.config.enabled,
            "variables": self.variables.iter().map(variable).collect::<Vec<_>>(),
            "notices": self.notices.iter().map(notice).collect::<Vec<_>>(),
            "destinations": self.destinations.iter().map(destination).collect::<Vec<_>>(),
        })
    }
}

fn sentence(notice: &Notice) -> String {
    let value = if notice.value.is_empty() { String::new() } else { format!("{} ", notice.value) };
    format!("{value}{}", notice.message)
}

fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Fine => "fine",
        Grade::Warning => "warning",
        Grade::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::{Grade, How, Report, check};
    use std::collections::HashMap;

    async fn report(pairs: &[(&str, &str)], offline: bool) -> Report {
        let env: HashMap<_, _> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(&env, false, How { offline, json: false }).await
    }

    #[tokio::test]
    async fn grades_are_those_of_what_would_be_lost() {
        let endpoint = ("THROUGHLINE_EXPORT_ENDPOINT", "https://api.example.com");
        for (pairs, grade) in [
            (&[][..], Grade::Fine),
            (&[endpoint], Grade::Fine),
            (&[endpoint, ("THROUGHLINE_BUDGET_MS", "soon")], Grade::Warning),
            (&[endpoint, ("THROUGHLINE_BUGET_MS", "10")], Grade::Warning),
            (&[endpoint, ("THROUGHLINE_ENABLED", "false")], Grade::Warning),
            (&[("THROUGHLINE_EXPORT_ENDPOINT", "nonsense")], Grade::Error),
            (&[("THROUGHLINE_EXPORT_ENDPIONT", "https://x")], Grade::Error),
            (&[("THROUGHLINE_EXPORT_ENDPOINT", "http://localhost:4318")], Grade::Error),
            (&[endpoint, ("THROUGHLINE_EXPORT_HEADERS", "nonsense")], Grade::Error),
        ] {
            let report = report(pairs, true).await;
            assert_eq!(report.grade(), grade, "{pairs:?}\n{}", report.text());
        }
    }

    #[tokio::test]
    async fn everything_is_told_but_secrets() {
        let report = report(
            &[
                ("THROUGHLINE_EXPORT_ENDPOINT", "https://api.example.com/x?key=hunter2"),
                ("THROUGHLINE_EXPORT_HEADERS", "x-key=hunter2, x-team=hunter2"),
                ("THROUGHLINE_BUDGET_MS", "soon"),
                ("THROUGHLINE_BUGET_MS", "hunter2"),
            ],
            true,
        );
        let report = report.await;
        let (text, json) = (report.text(), report.json());
        for told in [
            "THROUGHLINE_EXPORT_ENDPOINT  https://api.example.com/x?*** (set)",
            "x-key=***,x-team=*** (set)",
            "soon is not a whole number from 1 to 60000; 250 is used",
            "THROUGHLINE_BUGET_MS",
            "4194304 (default)",
            "to https://api.example.com:443/x?***",
        ] {
            assert!(text.contains(told), "no {told} in\n{text}");
        }
        assert!(!format!("{text}{json}").contains("hunter2"), "{text}\n{json}");
        assert_eq!(
            (&json["grade"], &json["destinations"][0]["steps"]),
            (&"warning".into(), &serde_json::json!([]))
        );
    }

    #[tokio::test]
    async fn nobody_there_is_an_error() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound");
        let report = report(&[("THROUGHLINE_EXPORT_ENDPOINT", &format!("http://{gone}"))], false).await;
        assert_eq!(report.grade(), Grade::Error);
        let steps: Vec<_> =
            report.destinations[0].1.iter().map(|step| (step.name, step.outcome.is_ok())).collect();
        assert_eq!(steps, [("name", true), ("connect", false)]);
    }
}
