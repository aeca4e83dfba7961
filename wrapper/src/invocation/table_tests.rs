//! Holds the spans of every common trigger against the table in `tests/spans/triggers.json`: a row a sample event,
//! with the attributes of its invocation span, beside those that all have, and of its first record's span.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::*;
use crate::testing::{self, Expected, close};
use crate::triggers::{self, Caller};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The attributes of every invocation span.
    every: Vec<String>,
    /// By sample.
    rows: BTreeMap<String, Row>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    span: Expected,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Expected>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What the event makes: the invocation's span, and the record's if it has one.
fn row(sample: &str) -> Row {
    let event = std::fs::read(folder("fixtures/samples").join(sample)).unwrap();
    let env = |key: &str| (key == "THROUGHLINE_BUILD_ID").then(|| "4f2c1ab".to_owned());
    let tracer = Tracer::new(&env, testing::now);
    let call = Call { tenant_id: Some("acme".to_owned()), ..testing::call() };
    let reading = triggers::read(&event.into(), &Caller::default(), tracer.settings());
    let first = reading.records.first().map(|record| record.id.clone());
    let (invocation, scope) = Invocation::open(tracer, call, reading);
    invocation.reach("shop::handle");
    if let Some(id) = &first {
        invocation.open_record(id, &scope).end_record();
    }
    let mut spans = close(&invocation);
    let span = spans.pop().unwrap();
    Row { span: Expected::from(&span), record: spans.first().map(Expected::from) }
}

#[test]
fn every_trigger_has_the_spans_of_its_row() {
    let table = std::fs::read_to_string(folder("spans/triggers.json")).unwrap();
    let Table { every, rows } = serde_json::from_str(&table).unwrap();
    let found = rows.keys().map(|sample| {
        let mut row = row(sample);
        for attribute in &every {
            let at = row.span.attributes.iter().position(|known| known == attribute);
            row.span.attributes.remove(at.unwrap_or_else(|| panic!("{sample}: no {attribute}")));
        }
        (sample, row)
    });
    let wrong: BTreeMap<_, _> = found.filter(|(sample, row)| rows[*sample] != *row).collect();
    assert!(wrong.is_empty(), "found {}", serde_json::to_string_pretty(&wrong).unwrap());
}
