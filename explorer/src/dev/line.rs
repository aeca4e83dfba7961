//! A transaction in a line, when its first span comes in.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use throughline_store::span::Span;

use crate::ask::{cut, harmless};
use crate::trace::{Style, duration, trigger};

/// The columns of a name, and of what an error says. All of it is told by `throughline trace`.
const MAX_NAME: usize = 60;
const MAX_ERROR: usize = 120;

/// A line for each transaction that begins in this request, `most` at most.
pub(super) fn lines(request: ExportTraceServiceRequest, most: usize, style: Style) -> String {
    let spans = Span::from_otlp(request);
    let begun: Vec<&Span> = spans.iter().filter(|span| span.parent_id.is_none()).collect();
    let mut text = String::new();
    for span in begun.iter().take(most) {
        let _ = writeln!(text, "{}", line(span, style));
    }
    if begun.len() > most {
        let _ = writeln!(text, "{}", style.dim(&format!("and {} more", begun.len() - most)));
    }
    text
}

fn line(span: &Span, style: Style) -> String {
    let what = span.source().map_or_else(|| span.name.clone(), trigger);
    let outcome = match span.error() {
        None => style.green("ok"),
        Some("") => style.red("✗"),
        Some(error) => {
            style.red(&format!("✗ {}", cut(&harmless(error.lines().next().unwrap_or_default()), MAX_ERROR)))
        }
    };
    let trace = style.dim(&format!("trace {}", harmless(&span.trace_id)));
    let (time, took) = (time_of_day(span.start), duration(span.millis()));
    let named = |name: &str| cut(&harmless(name), MAX_NAME);
    format!("{time}  {}  {}  {took}  {outcome}  {trace}", named(&span.function), named(&what))
}

/// `01:47:03`, in UTC, of nanoseconds since 1970.
fn time_of_day(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Otlp, Status};

    use super::*;

    const PLAIN: Style = Style { width: 100, colour: false };

    fn span(name: &str, parent: bool, error: Option<&str>) -> Otlp {
        Otlp {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            parent_span_id: if parent { vec![2; 8] } else { vec![] },
            name: name.to_owned(),
            start_time_unix_nano: 6_423_000_000_000,
            end_time_unix_nano: 6_423_041_000_000,
            status: error.map(|message| Status { message: message.to_owned(), code: 2 }),
            ..Otlp::default()
        }
    }

    fn told(spans: Vec<Otlp>, most: usize) -> String {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        lines(ExportTraceServiceRequest { resource_spans }, most, PLAIN)
    }

    #[test]
    fn a_line_for_each_that_begins() {
        let text = told(vec![span("GET /carts", false, None), span("query", true, None)], 9);
        let trace = "ab".repeat(16);
        assert!(text.starts_with("01:47:03  "), "{text}");
        assert!(text.ends_with(&format!("  GET /carts  41 ms  ok  trace {trace}\n")), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn what_fails_says_so_and_nothing_harms_the_terminal() {
        let text = told(vec![span("\u{1b}[2J", false, Some("no\u{1b}\nmore"))], 9);
        assert!(
            text.contains("✗ no\u{fffd}") && !text.contains('\u{1b}') && !text.contains("more"),
            "{text}"
        );
    }

    #[test]
    fn a_line_stays_one() {
        let text = told(vec![span(&"n".repeat(100_000), false, Some(&"e".repeat(100_000)))], 9);
        assert!(text.contains('…') && text.chars().count() < 300, "{} characters", text.chars().count());
    }

    #[test]
    fn many_at_once_are_counted() {
        let text = told((0..25).map(|_| span("GET /", false, None)).collect(), 20);
        assert_eq!((text.lines().count(), text.lines().last()), (21, Some("and 5 more")));
    }
}
