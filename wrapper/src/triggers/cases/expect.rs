//! What a case expects, and how that is compared with what was read.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use smallvec::SmallVec;

use super::build;
use crate::propagation::{Baggage, Context};
use crate::span::attribute;
use crate::triggers::tests::lines;
use crate::triggers::{Join, Reading, Record, Sender};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    trigger: Option<String>,
    request_id: Option<String>,
    trace: Option<String>,
    records: Option<Vec<ExpectRecord>>,
    pub(super) handler_sees: Option<Value>,
    // What a record has too; `flatten` would take unknown members.
    source: Option<String>,
    parent: Option<String>,
    link: Option<String>,
    #[serde(default)]
    ids: bool,
    tracestate: Option<String>,
    #[serde(default)]
    baggage: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "said")]
    join: Option<Option<String>>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectRecord {
    id: Option<String>,
    source: Option<String>,
    parent: Option<String>,
    link: Option<String>,
    #[serde(default)]
    ids: bool,
    tracestate: Option<String>,
    #[serde(default)]
    baggage: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "said")]
    join: Option<Option<String>>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    /// Only of a record.
    #[serde(default)]
    links: Vec<String>,
}

/// A member that is there, `null` or not.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Expect {
    pub(super) fn faults(&self, event: &str, reading: &Reading) -> Vec<String> {
        let mut faults = Faults::default();
        faults.text("trigger", self.trigger.as_deref(), reading.trigger);
        faults.text(
            "request_id",
            self.request_id.as_deref(),
            reading.request_id.as_deref().unwrap_or("none"),
        );
        if let Some(trace) = &self.trace {
            faults.same("trace", Some(trace), reading.trace.map(|trace| trace.to_string()).as_ref());
        }
        // The event as a whole is looked at as a record is.
        let whole = Record {
            id: String::new(),
            source: reading.source.as_str().into(),
            sender: reading.sender.clone(),
            links: Vec::new(),
            join: reading.join.clone().map(Join::Id),
            sent: None,
            shared: reading.attributes.clone().into(),
            attributes: SmallVec::new(),
        };
        self.as_record().faults("", &whole, &mut faults);
        if let Some(records) = &self.records {
            faults.same("number of records", records.len(), reading.records.len());
            for (n, (expected, record)) in records.iter().zip(&reading.records).enumerate() {
                expected.faults(&format!("record {n}: "), record, &mut faults);
            }
        }
        if let Some(expected) = &self.handler_sees {
            let seen = reading.stripped.as_ref().map_or(event, |bytes| std::str::from_utf8(bytes).unwrap());
            faults.text("the handler sees", Some(&handler_sees(expected, event)), seen);
        }
        faults.0
    }

    fn as_record(&self) -> ExpectRecord {
        ExpectRecord {
            id: None,
            source: self.source.clone(),
            parent: self.parent.clone(),
            link: self.link.clone(),
            ids: self.ids,
            tracestate: self.tracestate.clone(),
            baggage: self.baggage.clone(),
            join: self.join.clone(),
            attributes: self.attributes.clone(),
            links: Vec::new(),
        }
    }
}

fn handler_sees(expected: &Value, event: &str) -> String {
    match expected {
        Value::String(text) if text == "unchanged" => event.to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(members) if members.len() == 1 && members.contains_key("merge") => {
            let mut event: Value = serde_json::from_str(event).unwrap();
            build::merge(&mut event, &build::value(&members["merge"]));
            event.to_string()
        }
        other => build::value(other).to_string(),
    }
}

impl ExpectRecord {
    fn faults(&self, at: &str, record: &Record, faults: &mut Faults) {
        if let Some(id) = &self.id {
            faults.text(&format!("{at}id"), Some(id), &record.id);
        }
        faults.text(&format!("{at}source"), self.source.as_deref(), &record.source);
        faults.same(&format!("{at}sender"), self.sender(), sorted_sender(record.sender.clone()));
        if let Some(join) = &self.join {
            faults.same(&format!("{at}join"), join.clone(), record.join());
        }
        let links = self.links.iter().map(|link| Context::from_headers(link, None, None).unwrap().span);
        faults.same(&format!("{at}links"), links.collect(), record.links.clone());
        let found = record.attributes().map(|(key, value)| attribute(key, value));
        faults.attributes(at, &self.attributes, found);
    }

    fn sender(&self) -> Option<Sender> {
        let mut baggage = Baggage::default();
        for (key, value) in &self.baggage {
            assert!(baggage.set(key, value), "baggage {key}");
        }
        let context = |traceparent: &String| {
            let context = Context::from_headers(traceparent, self.tracestate.as_deref(), None);
            Context { baggage: sorted(&baggage), ..context.expect("a traceparent") }
        };
        match (&self.parent, &self.link, self.ids) {
            (None, None, false) => None,
            (Some(parent), None, false) => Some(Sender::Parent(context(parent))),
            (None, Some(link), false) => Some(Sender::Link(context(link))),
            (None, None, true) => Some(Sender::Ids(sorted(&baggage))),
            _ => panic!("one of parent, link and ids"),
        }
    }
}

/// The order of members has no meaning.
fn sorted(baggage: &Baggage) -> Baggage {
    let header = baggage.header().unwrap_or_default();
    let mut members: Vec<&str> = header.split(',').collect();
    members.sort_unstable();
    Baggage::parse(&members.join(","))
}

fn sorted_sender(sender: Option<Sender>) -> Option<Sender> {
    sender.map(|sender| match sender {
        Sender::Parent(context) => Sender::Parent(Context { baggage: sorted(&context.baggage), ..context }),
        Sender::Link(context) => Sender::Link(Context { baggage: sorted(&context.baggage), ..context }),
        Sender::Ids(ids) => Sender::Ids(sorted(&ids)),
    })
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn text(&mut self, what: &str, expected: Option<&str>, found: &str) {
        if expected.is_some_and(|expected| expected != found) {
            self.0.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: T, found: T) {
        if expected != found {
            self.0.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    fn attributes(
        &mut self,
        at: &str,
        expected: &BTreeMap<String, Value>,
        found: impl Iterator<Item = KeyValue>,
    ) {
        let found = lines(found);
        for (key, value) in expected {
            let line = found.iter().find_map(|line| line.strip_prefix(&format!("{key}=")));
            let value = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            self.same(&format!("{at}attribute {key}"), value.as_deref(), line);
        }
    }
}
