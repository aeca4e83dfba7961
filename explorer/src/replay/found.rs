//! A request as it is written down: OTLP JSON, or a part of one that was too long for a line.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::otlp::{Rejected, Request, from_value};

/// The members by which a request is known.
pub(super) const NAMES: [&str; 4] = ["resourceSpans", "resourceMetrics", "resourceLogs", "otlpPart"];

/// What a line holds, and what of it is no OTLP.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Traces(Vec<ResourceSpans>, Rejected),
    Metrics(Vec<ResourceMetrics>, Rejected),
    Logs(Vec<ResourceLogs>, Rejected),
    Part(Part),
}

/// A part of a request, compressed, in base64: what the extension writes of a span longer than a log line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Part {
    pub(super) id: String,
    pub(super) signal: String,
    pub(super) part: usize,
    pub(super) of: usize,
    pub(super) gzip: String,
}

/// Why what began as a request is none.
#[derive(Debug)]
pub(super) enum Failure {
    /// The text ends before it does.
    Ended,
    /// It is no JSON.
    Torn(String),
    /// It is no OTLP.
    Foreign(String),
}

/// Reads a request from its name on, and tells where its value ends. `None`: nothing under that name.
pub(super) fn read(text: &[u8]) -> Result<Option<(Found, usize)>, Failure> {
    let name = NAMES.into_iter().find(|name| {
        let quoted = text.strip_prefix(b"\"").and_then(|text| text.strip_prefix(name.as_bytes()));
        quoted.is_some_and(|rest| rest.starts_with(b"\"") || rest.is_empty())
    });
    let Some(name) = name else { return Ok(None) };
    let value = text[name.len() + 1..].trim_ascii_start();
    if value.is_empty() {
        return Err(Failure::Ended);
    }
    let value = value[1..].trim_ascii_start();
    let value = match value.split_first() {
        None => return Err(Failure::Ended),
        Some((b':', value)) => value.trim_ascii_start(),
        Some(_) => return Ok(None),
    };
    match value.first() {
        None => return Err(Failure::Ended),
        Some(b'[' | b'{') => {}
        Some(_) => return Ok(None),
    }
    let (found, length) = match name {
        "resourceSpans" => groups(value, |r: ExportTraceServiceRequest| r.resource_spans, Found::Traces),
        "resourceMetrics" => {
            groups(value, |r: ExportMetricsServiceRequest| r.resource_metrics, Found::Metrics)
        }
        "resourceLogs" => groups(value, |r: ExportLogsServiceRequest| r.resource_logs, Found::Logs),
        _ => value_of(value).map(|(part, length)| (Found::Part(part), length)),
    }?;
    Ok(Some((found, text.len() - value.len() + length)))
}

fn groups<R: Request, G: DeserializeOwned>(
    text: &[u8],
    groups: fn(R) -> Vec<G>,
    found: fn(Vec<G>, Rejected) -> Found,
) -> Result<(Found, usize), Failure> {
    match value_of(text) {
        Ok((groups, length)) => Ok((found(groups, Rejected::default()), length)),
        Err(Failure::Foreign(_)) => {
            let (list, length) = value_of::<Value>(text)?;
            let request = Value::Object(Map::from_iter([(R::NAMES[0].to_owned(), list)]));
            let (request, rejected) = from_value(request).map_err(foreign)?;
            Ok((found(groups(request), rejected), length))
        }
        Err(failure) => Err(failure),
    }
}

fn value_of<T: DeserializeOwned>(text: &[u8]) -> Result<(T, usize), Failure> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => Ok((value, values.byte_offset())),
        None => Err(Failure::Ended),
        Some(Err(error)) => Err(match error.classify() {
            Category::Eof => Failure::Ended,
            Category::Data => foreign(error),
            Category::Syntax | Category::Io => Failure::Torn(error.to_string()),
        }),
    }
}

fn foreign(error: serde_json::Error) -> Failure {
    Failure::Foreign(format!("is no OTLP: {error}"))
}
