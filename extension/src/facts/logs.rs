//! Lines that the function logged, as OTLP log records that belong to its traces.
//!
//! The platform delivers them while the invocation still runs, and most say nothing of a trace. So they wait until its
//! span is there, which tells the trace, or until it is over; bounded by bytes. The extension's own lines are another type of
//! telemetry, to which nobody subscribes: what is sent can't come back as a line.

use super::spans::{attribute, text};
use super::xray::hex;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use serde_json::{Map, Value as Json};

/// Bytes of lines that wait for the trace of their invocation.
const WAITING: usize = 256 * 1024;
/// Longer bodies and values are cut; CloudWatch has 256 KB for a line.
const MAX_TEXT: usize = 64 * 1024;
/// Fields of a JSON line that become attributes.
const MAX_FIELDS: usize = 32;
/// What JSON lines call these things: Lambda's own format, Powertools', OpenTelemetry's, ours.
const TRACE: [&str; 3] = ["trace_id", "traceId", "trace.id"];
const SPAN: [&str; 3] = ["span_id", "spanId", "span.id"];
const REQUEST: [&str; 5] =
    ["requestId", "AWSRequestId", "aws_request_id", "function_request_id", "request_id"];
const LEVEL: [&str; 4] = ["level", "severity", "severity_text", "log.level"];
const MESSAGE: [&str; 2] = ["message", "msg"];
/// Its own time, which the platform gives too.
const TIME: &str = "timestamp";

/// A line, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The request that it is about, if it says so.
    pub request_id: Option<String>,
    record: LogRecord,
    size: usize,
}

/// Lines that wait for their trace.
#[derive(Debug, Default)]
pub struct Lines {
    waiting: Vec<Line>,
    size: usize,
}

// === impl Line ===

impl Line {
    /// Reads a line, the record of a `function` event: a text or an object. `None`, if it is telemetry itself, which a
    /// function without a backend writes as OTLP JSON.
    pub fn read(time: u64, record: &str) -> Option<Self> {
        match serde_json::from_str(record).ok()? {
            Json::String(line) => {
                let line = line.trim_end();
                match serde_json::from_str(line) {
                    Ok(Json::Object(fields)) => Self::of_fields(time, fields, line.len()),
                    _ if line.is_empty() => None,
                    _ => Some(Self::of_text(time, line)),
                }
            }
            Json::Object(fields) => Self::of_fields(time, fields, record.len()),
            _ => None,
        }
    }

    /// `2026-01-02T03:04:05.678Z\t<request id>\tINFO\tmessage` (Node), `[ERROR]\t<time>\t<request id>\tmessage` (Python).
    fn of_text(time: u64, line: &str) -> Self {
        let parts: Vec<&str> = line.splitn(4, '\t').collect();
        let (request_id, level, message) = match parts.as_slice() {
            [level, _, id, message] if level.starts_with('[') && is_id(id) => {
                (Some(*id), level.trim_matches(['[', ']']), *message)
            }
            [_, id, level, message] if is_id(id) => (Some(*id), *level, *message),
            _ => (None, "", line),
        };
        let record = LogRecord { body: Some(string(message)), ..of_level(time, level) };
        Self { request_id: request_id.map(str::to_owned), record, size: line.len() }
    }

    fn of_fields(time: u64, mut fields: Map<String, Json>, size: usize) -> Option<Self> {
        if ["resourceSpans", "resourceLogs", "resourceMetrics", "otlpPart"]
            .iter()
            .any(|key| fields.contains_key(*key))
        {
            return None;
        }
        let trace_id = id::<16>(&mut fields, &TRACE);
        let span_id = id::<8>(&mut fields, &SPAN).filter(|_| trace_id.is_some());
        let named = |fields: &Map<String, Json>, names: &[&str]| {
            names.iter().find_map(|name| Some(fields.get(*name)?.as_str()?.to_owned()))
        };
        let request_id = named(&fields, &REQUEST).filter(|id| is_id(id));
        let level = named(&fields, &LEVEL).unwrap_or_default();
        let body = match named(&fields, &MESSAGE) {
            Some(message) => message,
            None => Json::Object(fields.clone()).to_string(),
        };
        let told = |name: &str| [&LEVEL[..], &MESSAGE[..]].concat().contains(&name) || name == TIME;
        let others = fields.into_iter().filter(|(name, _)| !told(name)).take(MAX_FIELDS);
        let attributes = others.filter_map(|(name, value)| field(&name, value)).collect();
        let record = LogRecord {
            body: Some(string(&body)),
            trace_id: trace_id.map(Vec::from).unwrap_or_default(),
            span_id: span_id.map(Vec::from).unwrap_or_default(),
            attributes,
            ..of_level(time, &level)
        };
        Some(Self { request_id, record, size })
    }
}

// === impl Lines ===

impl Lines {
    /// Adds a line, which is about this request if it does not say so itself.
    pub fn push(&mut self, mut line: Line, request_id: Option<&str>) {
        line.request_id = line.request_id.or_else(|| request_id.map(str::to_owned));
        self.size += line.size;
        self.waiting.push(line);
    }

    /// Takes those of which nothing more will be known, each with the trace that `of` tells of its request, unless it tells
    /// its own; all, if they are too many, or if nothing will follow. So an invocation's leave together.
    pub fn take(&mut self, all: bool, of: impl Fn(&str) -> Fate) -> Vec<LogRecord> {
        let all = all || self.size > WAITING;
        let mut records = Vec::new();
        for mut line in std::mem::take(&mut self.waiting) {
            let fate = line.request_id.as_deref().map_or(Fate::Unknown, &of);
            match fate {
                Fate::Waits(_) if !all => {
                    self.waiting.push(line);
                    continue;
                }
                Fate::Waits(Some(trace_id)) | Fate::Known(trace_id) if line.record.trace_id.is_empty() => {
                    line.record.trace_id = trace_id.to_vec();
                }
                _ => {}
            }
            if let Some(request_id) = &line.request_id {
                line.record.attributes.push(text("faas.invocation_id", request_id));
            }
            records.push(line.record);
        }
        self.size = self.waiting.iter().map(|line| line.size).sum();
        records
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What is known of the trace of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its span is there, or none will come and X-Ray has it in this trace.
    Known([u8; 16]),
    /// Its span may still come; X-Ray has it in this trace.
    Waits(Option<[u8; 16]>),
    /// Nothing.
    Unknown,
}

/// The records as a request to any backend.
pub fn request(function: &super::FunctionInfo, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs =
        vec![ScopeLogs { scope: Some(super::spans::scope()), log_records, ..ScopeLogs::default() }];
    let resource = Some(super::spans::resource(function));
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }],
    }
}

fn of_level(time: u64, level: &str) -> LogRecord {
    let number = match level.to_ascii_uppercase().as_str() {
        "TRACE" => SeverityNumber::Trace,
        "DEBUG" => SeverityNumber::Debug,
        "INFO" => SeverityNumber::Info,
        "WARN" | "WARNING" => SeverityNumber::Warn,
        "ERROR" => SeverityNumber::Error,
        "FATAL" | "CRITICAL" => SeverityNumber::Fatal,
        _ => SeverityNumber::Unspecified,
    };
    // What is no level is not told as one.
    let severity_text = if number == SeverityNumber::Unspecified { "" } else { level }.to_owned();
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time,
        severity_number: number as i32,
        severity_text,
        ..LogRecord::default()
    }
}

/// Takes the first of these fields that holds an id.
fn id<const N: usize>(fields: &mut Map<String, Json>, names: &[&str]) -> Option<[u8; N]> {
    let (name, id) = names.iter().find_map(|name| Some((name, hex::<N>(fields.get(*name)?.as_str()?)?)))?;
    fields.remove(*name);
    Some(id)
}

/// Request ids are UUIDs.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn field(name: &str, value: Json) -> Option<KeyValue> {
    let value = match value {
        Json::Null => return None,
        Json::Bool(yes) => Value::BoolValue(yes),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::IntValue(whole),
            None => Value::DoubleValue(number.as_f64()?),
        },
        Json::String(text) => Value::StringValue(cut(&text)),
        nested => Value::StringValue(cut(&nested.to_string())),
    };
    Some(attribute(name, value))
}

fn string(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(cut(text))) }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
