//! Runs the tables in `tests/cases/`: a row for every sample event, and cases for every trigger. Their format is
//! in the README there.

mod build;
mod expect;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::tests::settings;
use super::{Caller, Reading};
use crate::settings::Trust;
use expect::Expect;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    trigger: String,
    source: String,
    kind: String,
    records: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    description: String,
    sample: Option<String>,
    event: Option<Value>,
    event_text: Option<String>,
    merge: Option<Value>,
    #[serde(default)]
    trust: TrustName,
    #[serde(default)]
    custom: BTreeMap<String, Value>,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TrustName {
    None,
    #[default]
    Trace,
    Baggage,
}

impl Case {
    /// The event as it comes.
    fn text(&self) -> String {
        if let Some(text) = &self.event_text {
            return text.clone();
        }
        let mut event = match (&self.sample, &self.event) {
            (Some(name), None) => serde_json::from_str(&sample(name)).unwrap(),
            (None, Some(event)) => build::value(event),
            _ => panic!("one of sample, event and event_text"),
        };
        if let Some(patch) = &self.merge {
            build::merge(&mut event, &build::value(patch));
        } else if let Some(name) = &self.sample {
            return sample(name);
        }
        event.to_string()
    }

    fn read(&self, event: &str) -> Reading {
        let trust = match self.trust {
            TrustName::None => Trust::None,
            TrustName::Trace => Trust::Trace,
            TrustName::Baggage => Trust::Baggage,
        };
        let text = |value: &Value| build::value(value).as_str().unwrap().to_owned();
        let custom: HashMap<String, String> =
            self.custom.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        let custom = (!custom.is_empty()).then_some(&custom);
        let caller = Caller { custom, request_id: Some("request-1") };
        super::read(&event.to_owned().into(), &caller, &settings(trust))
    }

    /// What is not as the case says.
    fn faults(&self) -> Vec<String> {
        let event = self.text();
        let reading = self.read(&event);
        let mut faults = self.expect.faults(&event, &reading);
        if self.expect.handler_sees.is_none() && reading.stripped.is_some() {
            faults.push("the handler sees a changed event".to_owned());
        }
        faults
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn sample(name: &str) -> String {
    let path = folder("fixtures/samples").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The JSON files in a folder.
fn files(name: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_sample_is_read_as_its_row_says_and_reaches_the_handler_unchanged() {
    let table = std::fs::read_to_string(folder("cases/samples.json")).unwrap();
    let rows: BTreeMap<String, Row> = serde_json::from_str(&table).unwrap();
    let names: BTreeSet<String> = files("fixtures/samples").iter().map(|path| file_name(path)).collect();
    let with_row: BTreeSet<String> = rows.keys().cloned().collect();
    assert_eq!(with_row, names, "a row for every sample");
    let mut faults = Vec::new();
    for (name, row) in rows {
        let reading = super::tests::read_bytes(sample(&name));
        let expected = (row.trigger, row.source, row.kind, row.records);
        let kind = format!("{:?}", reading.kind).to_lowercase();
        let found = (reading.trigger.to_owned(), reading.source.clone(), kind, reading.records.len());
        if expected != found {
            faults.push(format!("{name}: expected {expected:?}, found {found:?}"));
        }
        if reading.stripped.is_some() {
            faults.push(format!("{name}: the handler sees a changed event"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_case_is_read_as_it_says() {
    let mut faults = Vec::new();
    for path in files("cases").iter().filter(|path| file_name(path) != "samples.json") {
        let file = file_name(path);
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!cases.is_empty(), "{file}");
        let mut known = BTreeSet::new();
        for case in &cases {
            assert!(known.insert(&case.description), "{file}: twice {}", case.description);
            faults.extend(case.faults().iter().map(|fault| format!("{file}: {}: {fault}", case.description)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_case_that_says_something_else_fails() {
    let faults = |expect: Value| {
        let case = serde_json::json!({
            "description": "a queue",
            "sample": "example-sqs-event.json",
            "merge": {"Records": {"0": {"messageAttributes": {
                "traceparent": {"stringValue": super::tests::TRACEPARENT},
                "baggage": {"stringValue": "a=1"},
            }}}},
            "expect": {"records": [expect]},
        });
        serde_json::from_value::<Case>(case).unwrap().faults()
    };
    let (this, other) = (super::tests::TRACEPARENT, super::tests::OTHER);
    let right = serde_json::json!({"parent": this, "baggage": {"a": "1"}});
    assert_eq!(faults(right), Vec::<String>::new());
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({"parent": this}),
        serde_json::json!({"link": this, "baggage": {"a": "1"}}),
        serde_json::json!({"parent": other, "baggage": {"a": "1"}}),
        serde_json::json!({"ids": true, "baggage": {"a": "1"}}),
        serde_json::json!({"parent": this, "baggage": {"a": "1"}, "source": "sqs other"}),
        serde_json::json!({"parent": this, "baggage": {"a": "1"}, "attributes": {"messaging.system": "aws.sns"}}),
        serde_json::json!({"parent": this, "baggage": {"a": "1"}, "attributes": {"messaging.system": null}}),
    ] {
        assert_eq!(faults(wrong.clone()).len(), 1, "{wrong}");
    }
}
