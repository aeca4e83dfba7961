//! What the frames say, and how it becomes a request with spans that have ended.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

use crate::frames::{Frames, kind};
use crate::{Unreadable, time};

/// Spans read of one file: what backends take in one request. A journal of real spans has no room for more.
const MAX_SPANS: usize = 10_000;
/// Request ids are UUIDs; anything much longer is not one.
const MAX_ID_BYTES: usize = 128;
/// The longest that a function runs: 15 minutes.
const LONGEST: u64 = 15 * 60 * 1_000_000_000;

/// What a flight recorder says about the invocation under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    request_id: String,
    full: bool,
    missing: u64,
    resource: Option<Resource>,
    spans: Vec<Span>,
    event: Option<String>,
    lines: Vec<String>,
}

/// When and how the invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// What went wrong, if that is known.
    pub failure: Option<Failure>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The value of `error.type`, such as `Runtime.ExitError`.
    pub error_type: String,
    /// A sentence for people.
    pub message: String,
}

/// Reads a file's bytes.
///
/// # Errors
///
/// If they are no flight recorder's, nothing was under way, or they end before they say what was.
pub fn read(bytes: &[u8]) -> Result<Recording, Unreadable> {
    let frames = Frames::new(bytes)?;
    let mut journal = frames.journal();
    let first = journal.next().filter(|frame| frame.kind == kind::REQUEST_ID).ok_or(Unreadable::Torn)?;
    let request_id = std::str::from_utf8(first.payload)
        .ok()
        .filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES)
        .ok_or(Unreadable::Torn)?;
    let mut recording = Recording {
        request_id: request_id.to_owned(),
        full: frames.is_overwritten(),
        missing: 0,
        resource: None,
        spans: Vec::new(),
        event: None,
        lines: frames.lines().into_iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
    };
    let mut places = HashMap::new();
    for frame in journal {
        match frame.kind {
            kind::RESOURCE => {
                recording.resource = Resource::decode(frame.payload).ok().or(recording.resource)
            }
            kind::SPAN => {
                let Some(span) = span(frame.payload) else { continue };
                match places.get(&span.span_id) {
                    Some(&place) => recording.spans[place] = span,
                    None if places.len() == MAX_SPANS => recording.full = true,
                    None => {
                        places.insert(span.span_id.clone(), recording.spans.len());
                        recording.spans.push(span);
                    }
                }
            }
            kind::EVENT => recording.event = Some(String::from_utf8_lossy(frame.payload).into_owned()),
            kind::FULL => {
                recording.full = true;
                recording.missing = frame.payload.try_into().map_or(0, u64::from_le_bytes);
            }
            _ => {}
        }
    }
    Ok(recording)
}

/// A span that every backend takes: one with a wrong id would have it refuse the others with it.
fn span(bytes: &[u8]) -> Option<Span> {
    let span = Span::decode(bytes).ok()?;
    let is_id = |id: &[u8], length| id.len() == length && id.iter().any(|byte| *byte != 0);
    let is_valid = is_id(&span.trace_id, 16)
        && is_id(&span.span_id, 8)
        && (span.parent_span_id.is_empty() || span.parent_span_id.len() == 8)
        && span.links.iter().all(|link| is_id(&link.trace_id, 16) && is_id(&link.span_id, 8));
    is_valid.then_some(span)
}

// === impl Recording ===

impl Recording {
    /// The invocation's request id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Whether the journal ran full, so that spans are missing: all but the newest of those that had ended.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// How many spans are missing, as far as that is known.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// The last state of each span, in the order in which they were written down. Without an end it was open.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The masked beginning of the event.
    pub fn event(&self) -> Option<&str> {
        self.event.as_deref()
    }

    /// The last debug lines, oldest first.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The invocation's own span.
    pub fn invocation(&self) -> Option<&Span> {
        self.spans.iter().find(|span| is_invocation(span, &self.request_id))
    }

    /// The last moment, in nanoseconds since 1970, of which the recorder knows. `modified` is when its file was last
    /// written to, which is that moment unless the file was copied or touched since.
    pub fn last_moment(&self, modified: u64) -> u64 {
        let Some(first) = self.spans.iter().map(|span| span.start_time_unix_nano).min() else {
            return modified;
        };
        let told = self.last_told();
        if (told..=first.saturating_add(LONGEST)).contains(&modified) { modified } else { told }
    }

    /// The last moment that is written in it.
    fn last_told(&self) -> u64 {
        let moments = self.spans.iter().flat_map(|span| {
            let events = span.events.iter().map(|event| event.time_unix_nano);
            [span.start_time_unix_nano, span.end_time_unix_nano].into_iter().chain(events)
        });
        moments.chain(self.lines.iter().filter_map(|line| time::of_line(line))).max().unwrap_or_default()
    }

    /// The spans as a request to any OTLP backend; those that were open end with the invocation.
    pub fn into_request(self, ending: &Ending) -> ExportTraceServiceRequest {
        // An invocation does not end before what happened in it.
        let end = ending.time_unix_nano.max(self.last_told()).max(1);
        let Self { request_id, full, missing, resource, mut spans, event, lines } = self;
        for span in &mut spans {
            let is_invocation = is_invocation(span, &request_id);
            if is_invocation && full {
                set(span, "throughline.recorder.full", Value::BoolValue(true));
                if missing > 0 {
                    set(
                        span,
                        "throughline.dropped_spans",
                        Value::IntValue(missing.min(i64::MAX as u64) as i64),
                    );
                }
            }
            // What ended keeps what it has.
            if span.end_time_unix_nano != 0 {
                continue;
            }
            span.end_time_unix_nano = end;
            set(span, "throughline.partial", Value::BoolValue(true));
            if is_invocation {
                if let Some(event) = &event {
                    set(span, "throughline.event", text(event));
                }
                span.events.extend(lines.iter().map(|line| log(line, end)));
                if let Some(failure) = &ending.failure {
                    fail(span, failure);
                }
            }
        }
        let version =
            resource.as_ref().and_then(|resource| find(&resource.attributes, "telemetry.sdk.version"));
        let version = version.unwrap_or_default().to_owned();
        let scope =
            InstrumentationScope { name: "throughline".into(), version, ..InstrumentationScope::default() };
        let scope_spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans: vec![scope_spans],
                ..ResourceSpans::default()
            }],
        }
    }
}

fn is_invocation(span: &Span, request_id: &str) -> bool {
    find(&span.attributes, "faas.invocation_id") == Some(request_id)
}

/// The text of an attribute.
fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Says how the invocation failed. What its span says already, such as a panic's message, was nearer to the cause.
fn fail(span: &mut Span, failure: &Failure) {
    span.events.push(Event {
        time_unix_nano: span.end_time_unix_nano,
        name: "exception".into(),
        attributes: vec![
            attribute("exception.type", text(&failure.error_type)),
            attribute("exception.message", text(&failure.message)),
        ],
        ..Event::default()
    });
    if span.status.as_ref().is_none_or(|status| status.code != StatusCode::Error as i32) {
        span.status = Some(Status { code: StatusCode::Error as i32, message: failure.message.clone() });
        set(span, "error.type", text(&failure.error_type));
    }
}

/// A log line as a span event.
fn log(line: &str, end: u64) -> Event {
    Event {
        time_unix_nano: time::of_line(line).unwrap_or(end),
        name: "log".into(),
        attributes: vec![attribute("log.record.original", text(line))],
        ..Event::default()
    }
}

fn set(span: &mut Span, key: &str, value: Value) {
    span.attributes.retain(|attribute| attribute.key != key);
    span.attributes.push(attribute(key, value));
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(value: &str) -> Value {
    Value::StringValue(value.into())
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
