//! A log line, read from OTLP.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use serde::Serialize;

use crate::run::OF_TRACE;
use crate::span::{attributes, function, hex, text};

/// The attribute of a line that names the request that it is about; spans of invocations have the same.
const REQUEST: &str = "faas.invocation_id";
/// What programs call it in fields of their own: Lambda's format, Powertools', ours.
const REQUESTS: [&str; 5] =
    ["requestId", "request_id", "AWSRequestId", "aws_request_id", "function_request_id"];

/// A log line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it was written, in nanoseconds since the epoch; if it does not say, when it was seen.
    pub time: u64,
    /// The function, or the service.
    pub function: String,
    /// How bad it is: `ERROR`.
    pub level: Option<String>,
    /// What it says.
    pub message: String,
    /// The request that it is about.
    pub request_id: Option<String>,
    /// Its trace, in hex.
    pub trace_id: Option<String>,
    /// Its span, in hex.
    pub span_id: Option<String>,
    /// Its other fields, as text.
    pub attributes: BTreeMap<String, String>,
}

impl LogLine {
    /// All lines of a batch.
    #[must_use]
    pub fn from_otlp(batch: ResourceLogs) -> Vec<Self> {
        let function = function(batch.resource.as_ref());
        let records = batch.scope_logs.into_iter().flat_map(|scope| scope.log_records);
        records.map(|record| Self::new(record, function.clone())).collect()
    }

    fn new(record: LogRecord, function: String) -> Self {
        let time = time(&record);
        let [trace_id, span_id] = [&record.trace_id, &record.span_id].map(|id| named(id));
        let level = Some(record.severity_text).filter(|text| !text.is_empty());
        let mut attributes = attributes(record.attributes);
        let request_id = attributes.remove(REQUEST);
        // Said once is enough.
        let is_said =
            |name: &str, value: &String| REQUESTS.contains(&name) && Some(value) == request_id.as_ref();
        attributes.retain(|name, value| !is_said(name, value));
        Self {
            time,
            function,
            level: level.or_else(|| Some(severity(record.severity_number)?.to_owned())),
            message: record.body.and_then(|body| text(body, 0)).unwrap_or_default(),
            request_id,
            trace_id,
            span_id,
            attributes,
        }
    }
}

/// When a line was written, else when it was seen, in nanoseconds since the epoch.
pub(crate) fn time(record: &LogRecord) -> u64 {
    if record.time_unix_nano > 0 { record.time_unix_nano } else { record.observed_time_unix_nano }
}

/// The run that a line is about, as its card knows it: the request id, else the trace's with `trace:` before it.
pub(crate) fn of_run(record: &LogRecord) -> Option<String> {
    let request = record.attributes.iter().find(|pair| pair.key == REQUEST);
    let request = request.and_then(|pair| text(pair.value.clone()?, 0)).filter(|id| !id.is_empty());
    request.or_else(|| Some(format!("{OF_TRACE}{}", trace(record)?)))
}

/// The trace that a line names, in hex.
pub(crate) fn trace(record: &LogRecord) -> Option<String> {
    named(&record.trace_id)
}

fn named(id: &[u8]) -> Option<String> {
    id.iter().any(|byte| *byte != 0).then(|| hex(id))
}

/// As OpenTelemetry calls its ranges
/// (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>).
fn severity(number: i32) -> Option<&'static str> {
    Some(match number {
        1..=4 => "TRACE",
        5..=8 => "DEBUG",
        9..=12 => "INFO",
        13..=16 => "WARN",
        17..=20 => "ERROR",
        21..=24 => "FATAL",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{line, lines};

    #[test]
    fn a_line_says_what_its_record_says() {
        let told = LogLine::from_otlp(lines("mailer", [line("r-1", 1, 7, "sent")])).remove(0);
        assert_eq!(told.function, "mailer");
        assert_eq!((told.level.as_deref(), &*told.message), (Some("INFO"), "sent"));
        assert_eq!(told.request_id.as_deref(), Some("r-1"));
        assert_eq!(told.trace_id, Some(format!("{:032x}", 1)));
        assert_eq!((told.span_id, told.attributes.len()), (None, 0));
    }

    #[test]
    fn the_request_is_told_once() {
        let mut record = line("r-1", 1, 7, "sent");
        let mut other = line("r-2", 1, 7, "").attributes.remove(0);
        other.key = "aws_request_id".into();
        for name in ["requestId", "request_id"] {
            let mut again = record.attributes[0].clone();
            again.key = name.into();
            record.attributes.push(again);
        }
        record.attributes.push(other);
        let told = LogLine::from_otlp(lines("mailer", [record])).remove(0);
        assert_eq!(told.request_id.as_deref(), Some("r-1"));
        assert_eq!(
            told.attributes,
            [("aws_request_id".to_owned(), "r-2".to_owned())].into(),
            "another is told"
        );
    }

    #[test]
    fn what_is_missing_is_not_told() {
        let record = LogRecord {
            trace_id: vec![0; 16],
            observed_time_unix_nano: 5,
            severity_number: -1,
            ..LogRecord::default()
        };
        assert_eq!(of_run(&record), None);
        let told = LogLine::new(record, "f".into());
        assert_eq!(told, LogLine { time: 5, function: "f".into(), ..LogLine::default() });
    }

    #[test]
    fn a_line_is_about_a_request_or_a_trace() {
        assert_eq!(of_run(&line("r-1", 1, 0, "")), Some("r-1".into()));
        assert_eq!(of_run(&line("", 1, 0, "")), Some(format!("trace:{:032x}", 1)));
        assert_eq!(of_run(&line("", 0, 0, "")), None);
    }
}
