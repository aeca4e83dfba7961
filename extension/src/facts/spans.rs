//! What the platform's facts become: spans of plain OTLP.

use super::{FunctionInfo, event::Phase};
use crate::sandbox::fnv1a;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use throughline_recorder::Failure;

/// Who made these spans.
const SCOPE: &str = "throughline-extension";

/// Where a span stands.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its trace.
    pub trace_id: [u8; 16],
    /// Its parent; zeros for none.
    pub parent: [u8; 8],
}

/// A span from `start` to `end`, in nanoseconds since 1970. Its id is made from what it is about: whoever tells the same
/// twice tells it under the same id.
pub fn span(place: Place, about: &str, name: &str, start: u64, end: u64) -> Span {
    let parent_span_id = if place.parent == [0; 8] { Vec::new() } else { place.parent.to_vec() };
    Span {
        trace_id: place.trace_id.to_vec(),
        span_id: id(about, name, start).to_be_bytes().to_vec(),
        parent_span_id,
        name: name.to_owned(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: end.max(start),
        ..Span::default()
    }
}

/// A phase of an invocation.
pub fn phase(place: Place, about: &str, phase: &Phase) -> Span {
    let name = match phase.name.as_str() {
        "responseLatency" => "handler",
        "responseDuration" => "response",
        "runtimeOverhead" => "after the response",
        other => other,
    };
    let nanos = u64::try_from(phase.duration.as_nanos()).unwrap_or(u64::MAX);
    span(place, about, name, phase.start, phase.start.saturating_add(nanos))
}

/// Says how it failed.
pub fn fail(span: &mut Span, failure: &Failure) {
    span.status = Some(Status { code: StatusCode::Error as i32, message: failure.message.clone() });
    span.attributes.push(text("error.type", &failure.error_type));
    span.events.push(Event {
        time_unix_nano: span.end_time_unix_nano,
        name: "exception".into(),
        attributes: vec![
            text("exception.type", &failure.error_type),
            text("exception.message", &failure.message),
        ],
        ..Event::default()
    });
}

/// The spans as a request to any backend.
pub fn request(function: &FunctionInfo, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }];
    let resource = Some(resource(function));
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

/// Says how much memory this request used, on its invocation's span.
pub fn add_memory(request: &mut ExportTraceServiceRequest, request_id: &str, bytes: i64) {
    let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    let about = text("faas.invocation_id", request_id);
    let invocation = scopes.flat_map(|scope| &mut scope.spans).find(|span| span.attributes.contains(&about));
    if let Some(span) = invocation {
        span.attributes.push(attribute("faas.mem_usage", Value::IntValue(bytes)));
    }
}

/// Who tells this.
pub fn scope() -> InstrumentationScope {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    InstrumentationScope { name: SCOPE.into(), version, ..InstrumentationScope::default() }
}

/// The function, as the wrapper describes it too.
pub fn resource(function: &FunctionInfo) -> Resource {
    let texts = [
        ("service.name", &function.service),
        ("cloud.region", &function.region),
        ("faas.name", &function.name),
        ("faas.version", &function.version),
        ("faas.instance", &function.instance),
    ];
    let mut attributes = vec![text("cloud.provider", "aws"), text("cloud.platform", "aws_lambda")];
    attributes
        .extend(texts.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| text(key, value)));
    attributes.extend(function.memory.map(|bytes| attribute("faas.max_memory", Value::IntValue(bytes))));
    Resource { attributes, ..Resource::default() }
}

/// A text attribute.
pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// An attribute.
pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A number for what is told: FNV-1a, 64 bits, never 0.
pub fn id(about: &str, name: &str, start: u64) -> u64 {
    let parts = [about.as_bytes(), &[0], name.as_bytes(), &start.to_be_bytes()].concat();
    fnv1a(&parts).max(1)
}
