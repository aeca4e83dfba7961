//! Spans on stdout: each line one OTLP JSON request that is small enough for one log event.

use std::io::Write;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};

use super::instrumentation;
use crate::logs;
use crate::settings::Env;
use crate::span::EndedSpan;

/// The most bytes of encoded spans in a line. CloudWatch cuts an event at 256 KiB, and JSON takes up to three times
/// what protobuf does (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>).
const MAX_ENCODED: usize = 64 * 1024;

/// How spans are written down.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What a line claims to be, or Lambda would take it for INFO and, where less is asked for, leave it out.
    level: Option<&'static str>,
}

impl Lines {
    pub(super) fn from_env(env: &Env<'_>) -> Self {
        Self { level: logs::let_through(env) }
    }

    /// Writes spans of `resource` down, as one line or as several.
    pub(super) fn write(&self, resource: &Resource, spans: &[EndedSpan]) {
        for portion in portions(spans) {
            if let Some(line) = self.line(&request(resource, portion)) {
                // A closed stdout is no reason to disturb the function.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
        }
    }

    /// OTLP JSON, whose readers pass over members that they don't know
    /// (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).
    fn line(&self, request: &ExportTraceServiceRequest) -> Option<String> {
        let mut line = serde_json::to_string(request).ok()?;
        if let Some(level) = self.level {
            line.pop();
            line.extend([",\"timestamp\":\"", &logs::timestamp(), "\",\"level\":\"", level, "\"}"]);
        }
        Some(line)
    }
}

/// Spans in portions of the size of a line, in order. A span that is larger has one of its own.
fn portions(mut spans: &[EndedSpan]) -> impl Iterator<Item = &[EndedSpan]> {
    std::iter::from_fn(move || {
        let mut room = MAX_ENCODED;
        let fit = |span: &EndedSpan| room.checked_sub(span.size()).map(|left| room = left);
        let count = spans.iter().map_while(fit).count().max(1);
        let portion;
        (portion, spans) = spans.split_at_checked(count)?;
        Some(portion)
    })
}

/// Spans of `resource` as a request.
pub(super) fn request(resource: &Resource, spans: &[EndedSpan]) -> ExportTraceServiceRequest {
    let spans = spans.iter().map(EndedSpan::decode).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(instrumentation()), spans, ..ScopeSpans::default() }];
    let resource = Some(resource.clone());
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::attribute;
    use crate::testing::{ended, env as env_of};

    fn span(number: usize, attributes: usize, text: &str) -> EndedSpan {
        let attribute = |n: usize| attribute(&format!("an.attribute.{n}"), text);
        ended(&number.to_string(), (0..attributes).map(attribute))
    }

    #[test]
    fn a_line_is_one_log_event_and_no_span_is_missing() {
        let spans: Vec<_> = (0..600).map(|n| span(n, 12, "and its value, not short")).collect();
        let resource = Resource::default();
        let parts: Vec<_> = portions(&spans).map(|portion| request(&resource, portion)).collect();
        assert!(parts.len() > 1);
        let lines = parts.iter().map(|part| serde_json::to_string(part).unwrap());
        assert!(lines.max_by_key(String::len).unwrap().len() < 256 * 1024);
        let written =
            parts.into_iter().flat_map(|part| part.resource_spans).flat_map(|spans| spans.scope_spans);
        let written: Vec<_> = written.flat_map(|scope| scope.spans).collect();
        assert_eq!(written, spans.iter().map(EndedSpan::decode).collect::<Vec<_>>());
    }

    #[test]
    fn where_lambda_filters_a_line_says_that_it_passes_and_stays_otlp() {
        let request = request(&Resource::default(), &[span(0, 1, "")]);
        for (format, level) in [("JSON", Some("ERROR")), ("Text", None)] {
            let env = [("AWS_LAMBDA_LOG_FORMAT", format), ("AWS_LAMBDA_LOG_LEVEL", "error")];
            let line = Lines::from_env(&env_of(&env)).line(&request).unwrap();
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["level"].as_str(), level, "{line}");
            assert_eq!(read["timestamp"].is_string(), level.is_some(), "{line}");
            assert_eq!(serde_json::from_str::<ExportTraceServiceRequest>(&line).unwrap(), request);
        }
    }

    #[test]
    fn a_span_larger_than_a_line_has_one_of_its_own() {
        let spans = [span(0, 1, ""), span(1, 20, &"x".repeat(8 * 1024)), span(2, 1, "")];
        assert_eq!(portions(&spans).map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 1]);
    }
}
