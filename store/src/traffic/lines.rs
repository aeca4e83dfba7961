//! The log lines of one invocation: what it is about, what came of each call, and how it ended.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// Two lines and one for each call: two to five, of reports and batches more.
pub(super) fn lines(resource: Resource, spans: &[Span]) -> ResourceLogs {
    let mut log_records = Vec::new();
    if let Some((head, calls)) = spans.split_first() {
        let named = |pair: &&KeyValue| pair.key == "faas.invocation_id";
        let request: Vec<KeyValue> = head.attributes.iter().find(named).cloned().into_iter().collect();
        let mut say = |span: &Span, at: u64, text: String| {
            let failed = span.status.as_ref().filter(|_| at == span.end_time_unix_nano);
            let level = failed.map_or(SeverityNumber::Info, |_| SeverityNumber::Error);
            let text = failed.map(|status| format!("{text}: {}", status.message)).unwrap_or(text);
            log_records.push(LogRecord {
                time_unix_nano: at,
                severity_number: level as i32,
                body: Some(AnyValue { value: Some(Value::StringValue(text)) }),
                attributes: request.clone(),
                trace_id: span.trace_id.clone(),
                span_id: span.span_id.clone(),
                ..LogRecord::default()
            });
        };
        say(head, head.start_time_unix_nano, format!("{} is handled", head.name));
        for call in calls {
            let millis = call.end_time_unix_nano.saturating_sub(call.start_time_unix_nano) / 1_000_000;
            say(call, call.end_time_unix_nano, format!("{} was answered after {millis} ms", call.name));
        }
        say(head, head.end_time_unix_nano, "done".to_owned());
    }
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() }
}
