//! The spans of one invocation.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::hops::Trip;
use super::lines::lines;

/// An invocation while it runs: its own span first.
#[derive(Debug)]
pub(super) struct Run {
    spans: Vec<Span>,
    /// When it began, in milliseconds since 1970. Its own clock may say otherwise.
    at: u64,
    /// How long it has taken so far, in microseconds.
    taken: u64,
}

impl Run {
    /// An invocation that begins at `at` and says that it did at `clock`, both in milliseconds since 1970.
    pub(super) fn begin(trip: &Trip, id: u64, parent: Option<u64>, name: &str, at: u64, clock: u64) -> Self {
        let head = Span {
            trace_id: trip.trace.to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            parent_span_id: parent.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
            name: name.to_owned(),
            kind: SpanKind::Consumer as i32,
            start_time_unix_nano: clock.saturating_mul(1_000_000),
            ..Span::default()
        };
        Self { spans: vec![head], at, taken: 1000 }
    }

    pub(super) fn head(&mut self) -> &mut Span {
        // It is made with its own.
        &mut self.spans[0]
    }

    /// A call of so many microseconds, below the invocation's own span.
    pub(super) fn call(&mut self, id: u64, kind: SpanKind, name: &str, micros: u64) -> &mut Span {
        let start = self.clock();
        self.taken += micros;
        let end = self.clock();
        let head = self.head();
        let span = Span {
            trace_id: head.trace_id.clone(),
            parent_span_id: head.span_id.clone(),
            span_id: id.to_be_bytes().to_vec(),
            name: name.to_owned(),
            kind: kind as i32,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            ..Span::default()
        };
        let at = self.spans.len();
        self.spans.push(span);
        &mut self.spans[at]
    }

    /// When it has come to, in milliseconds since 1970.
    pub(super) fn until(&self) -> u64 {
        self.at + self.taken / 1000
    }

    /// The same in nanoseconds, as its own clock says.
    fn clock(&mut self) -> u64 {
        let taken = self.taken * 1000;
        self.head().start_time_unix_nano.saturating_add(taken)
    }

    /// What it hands over, after so many more microseconds: its spans, and its log lines.
    pub(super) fn end(
        mut self,
        function: &str,
        sandbox: &str,
        micros: u64,
    ) -> (ExportTraceServiceRequest, ResourceLogs) {
        self.taken += micros;
        self.head().end_time_unix_nano = self.clock();
        let attributes = vec![text("faas.name", function), text("faas.instance", sandbox)];
        let resource = Resource { attributes, ..Resource::default() };
        let logs = lines(resource.clone(), &self.spans);
        let scope = InstrumentationScope { name: "throughline".to_owned(), ..Default::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: self.spans, ..ScopeSpans::default() }];
        let spans = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
        (ExportTraceServiceRequest { resource_spans: vec![spans] }, logs)
    }
}

/// What is said of a span.
pub(super) trait Say {
    fn say(&mut self, key: &str, value: &str) -> &mut Self;
    /// A list of one.
    fn list(&mut self, key: &str, value: &str) -> &mut Self;
    fn link(&mut self, trace: u128, span: u64) -> &mut Self;
    fn fail(&mut self, kind: &str, message: &str) -> &mut Self;
}

impl Say for Span {
    fn say(&mut self, key: &str, value: &str) -> &mut Self {
        self.attributes.push(text(key, value));
        self
    }

    fn list(&mut self, key: &str, value: &str) -> &mut Self {
        let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
        self.attributes.push(pair(key, Value::ArrayValue(ArrayValue { values: vec![value] })));
        self
    }

    fn link(&mut self, trace: u128, span: u64) -> &mut Self {
        let (trace_id, span_id) = (trace.to_be_bytes().to_vec(), span.to_be_bytes().to_vec());
        self.links.push(Link { trace_id, span_id, ..Link::default() });
        self
    }

    fn fail(&mut self, kind: &str, message: &str) -> &mut Self {
        self.status = Some(Status { code: StatusCode::Error as i32, message: message.to_owned() });
        let attributes = vec![text("exception.type", kind), text("exception.message", message)];
        self.events.push(Event { name: "exception".to_owned(), attributes, ..Event::default() });
        self.say("error.type", kind)
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
