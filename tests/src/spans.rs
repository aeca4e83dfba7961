//! Spans as they arrived, and the ledger of those that should.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

/// The attribute that only invocation spans carry.
const INVOCATION_ID: &str = "faas.invocation_id";

/// A span that arrived somewhere, with what its resource says.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The span.
    pub span: Span,
    /// The attributes of its resource.
    pub resource: Vec<KeyValue>,
}

impl Arrived {
    /// All spans of an export request.
    pub fn all_of(request: ExportTraceServiceRequest) -> Vec<Self> {
        let mut arrived = Vec::new();
        for of_resource in request.resource_spans {
            let resource = of_resource.resource.unwrap_or_default().attributes;
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                arrived.push(Self { span, resource: resource.clone() });
            }
        }
        arrived
    }

    /// The spans in a line of output; `None` if the line is no export request.
    pub fn in_line(line: &str) -> Option<Vec<Self>> {
        if !line.starts_with(r#"{"resourceSpans""#) {
            return None;
        }
        serde_json::from_str(line).ok().map(Self::all_of)
    }

    /// An attribute of the span, as text.
    pub fn attribute(&self, key: &str) -> Option<String> {
        value_of(&self.span.attributes, key)
    }

    /// An attribute of the resource, as text.
    pub fn of_resource(&self, key: &str) -> Option<String> {
        value_of(&self.resource, key)
    }

    /// Whether this is the span of an invocation.
    pub fn is_invocation(&self) -> bool {
        self.attribute(INVOCATION_ID).is_some()
    }

    /// Type and message of the exception on the span.
    pub fn exception(&self) -> Option<(String, String)> {
        let event = self.span.events.iter().find(|event| event.name == "exception")?;
        Some((
            value_of(&event.attributes, "exception.type")?,
            value_of(&event.attributes, "exception.message")?,
        ))
    }

    /// Everything that each exception on the span says.
    pub fn exceptions(&self) -> Vec<BTreeMap<String, String>> {
        let told = |attribute: &KeyValue| Some((attribute.key.clone(), text_of(attribute.value.as_ref()?)?));
        let exceptions = self.span.events.iter().filter(|event| event.name == "exception");
        exceptions.map(|event| event.attributes.iter().filter_map(told).collect()).collect()
    }

    /// What identifies the span across runs: the request and its place in it.
    pub(crate) fn key(&self) -> String {
        match (self.attribute(INVOCATION_ID), self.attribute("request_id"), self.attribute("n")) {
            (Some(id), ..) => invocation_key(&id),
            (None, Some(id), Some(n)) => step_key(&id, &n),
            _ => format!("a stranger called {:?}", self.span.name),
        }
    }
}

fn value_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    text_of(found.value.as_ref()?)
}

/// A value as text; an array as its values with commas between them.
fn text_of(value: &AnyValue) -> Option<String> {
    match value {
        AnyValue { value: Some(Value::StringValue(text)) } => Some(text.clone()),
        AnyValue { value: Some(Value::IntValue(number)) } => Some(number.to_string()),
        AnyValue { value: Some(Value::BoolValue(yes)) } => Some(yes.to_string()),
        AnyValue { value: Some(Value::ArrayValue(array)) } => {
            let texts: Option<Vec<_>> = array.values.iter().map(text_of).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

fn invocation_key(request_id: &str) -> String {
    format!("invocation of {request_id}")
}

fn step_key(request_id: &str, n: &str) -> String {
    format!("step {n} of {request_id}")
}

/// The spans that should have arrived, each once.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    due: Vec<String>,
}

impl Ledger {
    /// Expects the span of this invocation and of so many steps in it.
    pub fn expect(&mut self, request_id: &str, steps: u32) {
        self.due.push(invocation_key(request_id));
        self.due.extend((0..steps).map(|n| step_key(request_id, &n.to_string())));
    }

    /// What identifies the expected spans.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.due.iter()
    }

    /// How many spans are expected.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// What is wrong with the spans that arrived: lost ones, ones that came twice, strangers, and
    /// steps that do not hang under their invocation's span.
    pub fn faults(&self, arrived: &[Arrived]) -> Option<String> {
        let mut counts: BTreeMap<String, usize> = self.due.iter().map(|key| (key.clone(), 0)).collect();
        let mut faults = String::new();
        for span in arrived {
            match counts.get_mut(&span.key()) {
                Some(count) => *count += 1,
                None => _ = writeln!(faults, "not expected: {}", span.key()),
            }
        }
        for (key, count) in counts {
            match count {
                0 => _ = writeln!(faults, "lost: {key}"),
                1 => {}
                n => _ = writeln!(faults, "{n} times: {key}"),
            }
        }
        for orphan in arrived.iter().filter(|span| !span.is_invocation() && !hangs(span, arrived)) {
            _ = writeln!(faults, "not under its invocation: {}", orphan.key());
        }
        (!faults.is_empty()).then_some(faults)
    }

    /// Nothing lost, nothing twice.
    ///
    /// # Panics
    ///
    /// When something is, naming it.
    #[track_caller]
    pub fn assert(&self, arrived: &[Arrived]) {
        if let Some(faults) = self.faults(arrived) {
            panic!("{} spans of {} arrived:\n{faults}", arrived.len(), self.len());
        }
    }
}

/// Whether the span's parent is the invocation span of its own request, in the same trace.
fn hangs(step: &Arrived, arrived: &[Arrived]) -> bool {
    let request_id = step.attribute("request_id");
    arrived.iter().any(|other| {
        other.attribute(INVOCATION_ID) == request_id
            && other.span.span_id == step.span.parent_span_id
            && other.span.trace_id == step.span.trace_id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(id: u8, parent: u8, attributes: &[(&str, &str)]) -> Arrived {
        let attributes = attributes.iter().map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(Value::StringValue((*value).to_owned())) }),
            ..KeyValue::default()
        });
        let span = Span {
            span_id: vec![id; 8],
            parent_span_id: vec![parent; 8],
            attributes: attributes.collect(),
            ..Span::default()
        };
        Arrived { span, resource: Vec::new() }
    }

    #[test]
    fn finds_what_is_lost_twice_strange_or_astray() {
        let mut ledger = Ledger::default();
        ledger.expect("r", 1);
        let invocation = arrived(1, 0, &[(INVOCATION_ID, "r")]);
        let step = arrived(2, 1, &[("request_id", "r"), ("n", "0")]);
        assert_eq!(ledger.faults(&[invocation.clone(), step.clone()]), None);

        let faults = |spans: &[Arrived]| ledger.faults(spans).unwrap();
        assert_eq!(faults(std::slice::from_ref(&invocation)), "lost: step 0 of r\n");
        let twice = [invocation.clone(), step.clone(), step.clone()];
        assert_eq!(faults(&twice), "2 times: step 0 of r\n");
        let strange = [invocation.clone(), step, arrived(3, 1, &[(INVOCATION_ID, "s")])];
        assert_eq!(faults(&strange), "not expected: invocation of s\n");
        let astray = [invocation, arrived(2, 9, &[("request_id", "r"), ("n", "0")])];
        assert_eq!(faults(&astray), "not under its invocation: step 0 of r\n");
    }
}
