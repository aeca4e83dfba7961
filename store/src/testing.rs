//! Spans for tests.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// When the tests take place, in milliseconds since 1970: 2026-11-20, 01:47.
pub(crate) const NOW: u64 = 1_795_139_220_000;

/// A span that began now and took a millisecond.
pub(crate) fn span(trace: u64, id: u64, parent: Option<u64>) -> Span {
    Span {
        trace_id: u128::from(trace).to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: parent.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
        name: format!("span {id}"),
        start_time_unix_nano: NOW * 1_000_000,
        end_time_unix_nano: (NOW + 1) * 1_000_000,
        ..Span::default()
    }
}

/// That of an invocation.
pub(crate) fn invocation(trace: u64, id: u64, request: &str) -> Span {
    span(trace, id, None).attribute("faas.invocation_id", request)
}

/// A request of one function.
pub(crate) fn otlp(function: &str, spans: impl IntoIterator<Item = Span>) -> ExportTraceServiceRequest {
    let resource = Resource { attributes: vec![text("faas.name", function)], ..Resource::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { spans: spans.into_iter().collect(), ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

/// A line about a request and a trace, if they are told, so many milliseconds after now.
pub(crate) fn line(request: &str, trace: u64, after: u64, message: &str) -> LogRecord {
    let body = AnyValue { value: Some(Value::StringValue(message.to_owned())) };
    LogRecord {
        time_unix_nano: (NOW + after) * 1_000_000,
        severity_number: 9,
        body: Some(body),
        attributes: if request.is_empty() { vec![] } else { vec![text("faas.invocation_id", request)] },
        trace_id: if trace == 0 { vec![] } else { u128::from(trace).to_be_bytes().to_vec() },
        ..LogRecord::default()
    }
}

/// A batch of lines of one function.
pub(crate) fn lines(function: &str, log_records: impl IntoIterator<Item = LogRecord>) -> ResourceLogs {
    let resource = Resource { attributes: vec![text("faas.name", function)], ..Resource::default() };
    let log_records = log_records.into_iter().collect();
    ResourceLogs {
        resource: Some(resource),
        scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    }
}

/// The same of a function that was given so much memory, in bytes.
pub(crate) fn of_memory(mut request: ExportTraceServiceRequest, bytes: u64) -> ExportTraceServiceRequest {
    let resources = request.resource_spans.iter_mut().filter_map(|spans| spans.resource.as_mut());
    let limit = pair("faas.max_memory", Value::IntValue(i64::try_from(bytes).unwrap()));
    resources.for_each(|resource| resource.attributes.push(limit.clone()));
    request
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// What is said of a span.
pub(crate) trait Told: Sized {
    fn attribute(self, key: &str, value: &str) -> Self;
    fn list(self, key: &str, value: &str) -> Self;
    fn link(self, trace: u64, id: u64) -> Self;
    fn child_of(self, parent: u64) -> Self;
    fn at(self, start_ms: u64, length_ms: u64) -> Self;
    fn failed(self, kind: &str, message: &str) -> Self;
}

impl Told for Span {
    fn attribute(mut self, key: &str, value: &str) -> Self {
        self.attributes.push(text(key, value));
        self
    }

    fn list(mut self, key: &str, value: &str) -> Self {
        let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
        self.attributes.push(pair(key, Value::ArrayValue(ArrayValue { values: vec![value] })));
        self
    }

    fn link(mut self, trace: u64, id: u64) -> Self {
        let Span { trace_id, span_id, .. } = span(trace, id, None);
        self.links.push(Link { trace_id, span_id, ..Link::default() });
        self
    }

    fn child_of(mut self, parent: u64) -> Self {
        self.parent_span_id = parent.to_be_bytes().to_vec();
        self
    }

    fn at(mut self, start_ms: u64, length_ms: u64) -> Self {
        self.start_time_unix_nano = start_ms * 1_000_000;
        self.end_time_unix_nano = (start_ms + length_ms) * 1_000_000;
        self
    }

    fn failed(self, kind: &str, message: &str) -> Self {
        let status = Status { code: StatusCode::Error as i32, message: message.to_owned() };
        Self { status: Some(status), ..self.attribute("error.type", kind) }
    }
}
