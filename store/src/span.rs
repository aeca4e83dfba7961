//! A span, read from OTLP.

mod called;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use opentelemetry_proto::tonic::trace::v1::span::{Event as OtlpEvent, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::Serialize;

use crate::time::is_time;

/// How deep a value may be nested.
const MAX_DEPTH: usize = 8;

/// A finished span.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Span {
    /// The trace's id, in hex.
    pub trace_id: String,
    /// The span's id, in hex.
    pub span_id: String,
    /// The parent's id, if it has one.
    pub parent_id: Option<String>,
    /// The function whose span it is.
    pub function: String,
    /// The name.
    pub name: String,
    /// What it is of a call.
    pub kind: Kind,
    /// Start, in nanoseconds since the epoch.
    pub start: u64,
    /// End, in nanoseconds since the epoch.
    pub end: u64,
    /// How it went.
    pub status: Status,
    /// Attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// What happened in it, as it was told.
    pub events: Vec<Event>,
    /// Links to other spans.
    pub links: Vec<Link>,
}

/// What a span is of a call
/// (<https://opentelemetry.io/docs/specs/otel/trace/api/#spankind>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// No call.
    #[default]
    Internal,
    /// The side that was called.
    Server,
    /// The side that calls and waits.
    Client,
    /// The side that sends.
    Producer,
    /// The side that receives.
    Consumer,
}

/// Something that happened in a span: an exception, a log line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The name: `exception`, `log`.
    pub name: String,
    /// When, in nanoseconds since the epoch.
    pub time: u64,
    /// Attributes as text.
    pub attributes: BTreeMap<String, String>,
}

/// How a span went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing said, or well.
    #[default]
    Ok,
    /// An error, with its message.
    Error(String),
}

/// A link to a span of, usually, another trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The trace's id, in hex.
    pub trace_id: String,
    /// The span's id, in hex.
    pub span_id: String,
}

impl Span {
    /// All spans of a request.
    pub fn from_otlp(request: ExportTraceServiceRequest) -> Vec<Self> {
        let mut spans = Vec::new();
        for resource_spans in request.resource_spans {
            let function = function(resource_spans.resource.as_ref());
            for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Self::new(span, function.clone()));
            }
        }
        spans
    }

    pub(crate) fn new(span: OtlpSpan, function: String) -> Self {
        let error = span.status.filter(|status| status.code == StatusCode::Error as i32);
        Self {
            trace_id: hex(&span.trace_id),
            span_id: hex(&span.span_id),
            parent_id: Some(hex(&span.parent_span_id)).filter(|id| id.bytes().any(|digit| digit != b'0')),
            function,
            name: span.name,
            kind: match SpanKind::try_from(span.kind) {
                Ok(SpanKind::Server) => Kind::Server,
                Ok(SpanKind::Client) => Kind::Client,
                Ok(SpanKind::Producer) => Kind::Producer,
                Ok(SpanKind::Consumer) => Kind::Consumer,
                Ok(SpanKind::Internal | SpanKind::Unspecified) | Err(_) => Kind::Internal,
            },
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            status: error.map_or(Status::Ok, |status| Status::Error(status.message)),
            attributes: attributes(span.attributes),
            events: span.events.into_iter().map(Event::new).collect(),
            links: span
                .links
                .into_iter()
                .map(|link| Link { trace_id: hex(&link.trace_id), span_id: hex(&link.span_id) })
                .collect(),
        }
    }

    /// An attribute's value as text.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// What a member of the baggage says, as it stands on spans. Others call the user's id `enduser.id`
    /// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/enduser/>).
    pub fn member(&self, key: &str) -> Option<&str> {
        let of_others = || self.attribute("enduser.id").filter(|_| key == "user.id");
        self.attribute(key).or_else(of_others)
    }

    /// What the function was triggered by, if this span is the run of a function or of a record.
    pub fn source(&self) -> Option<&str> {
        self.attribute("throughline.source")
    }

    /// The request id, if this is the span of an invocation.
    pub fn invocation_id(&self) -> Option<&str> {
        self.attribute("faas.invocation_id")
    }

    /// Whether this is the run of one record of a batch.
    pub fn is_record(&self) -> bool {
        self.source().is_some() && self.invocation_id().is_none()
    }

    /// Whether it had not ended when it was last heard of.
    pub fn is_open(&self) -> bool {
        self.attribute("throughline.partial") == Some("true")
    }

    /// Whether this is one record of the batch that the invocation `outer` was given.
    pub fn is_record_of(&self, outer: &Self) -> bool {
        self.is_record() && self.function == outer.function && self.source() == outer.source()
    }

    /// The error's message, if it failed.
    pub fn error(&self) -> Option<&str> {
        match &self.status {
            Status::Ok => None,
            Status::Error(message) => Some(message),
        }
    }

    /// How many errors it had that it did not fail with: as many as it says, else the exceptions of one that did not fail.
    pub fn swallowed(&self) -> u64 {
        let said = self.attribute("throughline.swallowed_errors").and_then(|count| count.parse().ok());
        said.unwrap_or_else(|| {
            let exceptions = self.events.iter().filter(|event| event.name == "exception");
            if self.error().is_none() { exceptions.count() as u64 } else { 0 }
        })
    }

    /// Milliseconds from start to end, as they are told.
    pub fn millis(&self) -> f64 {
        self.end.saturating_sub(self.start) as f64 / 1e6
    }

    /// Nanoseconds from start to end, as it is counted: none where one of them [can't be](crate::time::is_time).
    pub fn took(&self) -> u64 {
        if is_time(self.start) && is_time(self.end) { self.end.saturating_sub(self.start) } else { 0 }
    }
}

impl Event {
    fn new(event: OtlpEvent) -> Self {
        Self { name: event.name, time: event.time_unix_nano, attributes: attributes(event.attributes) }
    }
}

/// Whose spans and log lines these are.
pub(crate) fn function(resource: Option<&Resource>) -> String {
    named(resource).unwrap_or_else(|| "unknown".to_owned())
}

/// What a resource says whose it is: a function's, else what calls itself a service.
pub(crate) fn named(resource: Option<&Resource>) -> Option<String> {
    let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
    let value = |name| attributes.iter().find(|pair| pair.key == name).and_then(|pair| pair.value.clone());
    value("faas.name").or_else(|| value("service.name")).and_then(|value| text(value, 0))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn attributes(list: Vec<KeyValue>) -> BTreeMap<String, String> {
    list.into_iter().filter_map(|pair| Some((pair.key, text(pair.value?, 0)?))).collect()
}

/// A value as people read it.
pub(crate) fn text(value: AnyValue, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match value.value? {
        any_value::Value::StringValue(text) => text,
        any_value::Value::BoolValue(value) => value.to_string(),
        any_value::Value::IntValue(value) => value.to_string(),
        any_value::Value::DoubleValue(value) => value.to_string(),
        any_value::Value::ArrayValue(array) => {
            let texts = array.values.into_iter().filter_map(|value| text(value, depth + 1));
            texts.collect::<Vec<_>>().join(", ")
        }
        any_value::Value::KvlistValue(list) => {
            let member = |pair: KeyValue| Some(format!("{}={}", pair.key, text(pair.value?, depth + 1)?));
            let members: Vec<String> = list.values.into_iter().filter_map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status as OtlpStatus};

    use super::*;

    fn pair(key: &str, value: any_value::Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    #[test]
    fn reads_ids_resource_and_status() {
        let span = OtlpSpan {
            trace_id: vec![0xab; 16],
            span_id: vec![1, 2, 3, 4, 5, 6, 7, 8],
            parent_span_id: vec![],
            status: Some(OtlpStatus { code: StatusCode::Error as i32, message: "no".into() }),
            attributes: vec![pair("throughline.queue_time_ms", any_value::Value::IntValue(18))],
            ..OtlpSpan::default()
        };
        let name = any_value::Value::StringValue("checkout-api".into());
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes: vec![pair("faas.name", name)], ..Resource::default() }),
                scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            }],
        };
        let spans = Span::from_otlp(request);
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].trace_id, "ab".repeat(16));
        assert_eq!(spans[0].span_id, "0102030405060708");
        assert_eq!((spans[0].parent_id.as_ref(), spans[0].error()), (None, Some("no")));
        assert_eq!(spans[0].function, "checkout-api");
        assert_eq!(spans[0].attribute("throughline.queue_time_ms"), Some("18"));
    }
}
