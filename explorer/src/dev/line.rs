//! A transaction in a line, when its first span comes in; and in another, when it fails after that.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan};
use throughline_store::span::Span;
use throughline_store::time::believable;

use crate::ask::{counted, harmless, when};
use crate::columns::cut;
use crate::intake::Signal;
use crate::otlp::Rejected;
use crate::trace::{Style, duration, trigger};

/// The columns of a name, and of what an error says. All of it is told by `throughline trace`.
const MAX_NAME: usize = 60;
const MAX_ERROR: usize = 120;
/// Transactions of which it is known how they were told, the newest.
const MAX_KNOWN: usize = 1000;

/// What a request is told of by: spans with which a service or a function begins something.
pub(super) fn heard(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let resource_spans = request.resource_spans.iter().map(|resource| {
        let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
        let spans = spans.filter(|span| is_root(span) || is_called(span)).cloned().collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        ResourceSpans { resource: resource.resource.clone(), scope_spans, ..ResourceSpans::default() }
    });
    Span::from_otlp(ExportTraceServiceRequest { resource_spans: resource_spans.collect() })
}

fn is_root(span: &OtlpSpan) -> bool {
    span.parent_span_id.iter().all(|byte| *byte == 0)
}

fn is_called(span: &OtlpSpan) -> bool {
    matches!(span.kind(), SpanKind::Server | SpanKind::Consumer)
}

/// What was told so far.
#[derive(Debug)]
pub(super) struct Lines {
    style: Style,
    /// Transactions of one request that are told one by one.
    most: usize,
    /// How long they are kept, in milliseconds.
    kept: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    traces: HashMap<String, Trace>,
    order: VecDeque<String>,
    /// Why something was not taken the last time.
    rejected: String,
}

/// What is known of one.
#[derive(Debug, Default)]
struct Trace {
    /// How it was told, unless that it failed was told then.
    well: Option<Line>,
    /// Who failed first, and what it says.
    error: Option<String>,
}

/// A line, but for its end.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    trace: String,
}

impl Lines {
    pub(super) fn new(most: usize, kept: Duration, style: Style) -> Self {
        let kept = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
        Self { style, most, kept, known: Mutex::default() }
    }

    /// A line for each transaction that begins among these, and for each that was told as well and has failed now.
    /// `now` in milliseconds since 1970.
    pub(super) fn told(&self, heard: &[Span], now: u64) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for span in heard {
            let Some(error) = span.error() else { continue };
            let trace = known.of(&span.trace_id);
            let error = trace.error.get_or_insert_with(|| said(span, error)).clone();
            lines.extend(trace.well.take().map(|line| (line, Some(error))));
        }
        for root in heard.iter().filter(|span| span.parent_id.is_none()) {
            let (line, trace) =
                (Line::of(root, believable(root.start, now, self.kept)), known.of(&root.trace_id));
            // Where it only says that it failed, who failed before it may say why.
            let own = root.error().map(first_line).filter(|error| !error.is_empty());
            let error = own.or_else(|| trace.error.clone());
            if error.is_none() {
                trace.well.get_or_insert_with(|| line.clone());
            }
            lines.push((line, error));
        }
        drop(known);
        let more = lines.len().saturating_sub(self.most);
        let told = lines.iter().take(self.most).map(|(line, error)| line.told(error.as_deref(), self.style));
        let more = (more > 0).then(|| self.style.dim(&format!("and {more} more")));
        told.chain(more).map(|line| line + "\n").collect()
    }
}

impl Lines {
    /// A line that not all of a request was taken. Nothing, if it is for the same reason as the last time: a program that
    /// is to be mended sends more of the same. `now` in milliseconds since 1970.
    pub(super) fn not_taken(&self, signal: Signal, rejected: &Rejected, now: u64) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.rejected == rejected.why {
            return String::new();
        }
        known.rejected.clone_from(&rejected.why);
        drop(known);
        let what = match signal {
            Signal::Traces => counted(rejected.items, "span", "spans"),
            Signal::Logs => counted(rejected.items, "log line", "log lines"),
            Signal::Metrics => counted(rejected.items, "metric", "metrics"),
        };
        let told = self.style.red(&format!("✗ {what} not taken: {}", first_line(&rejected.why)));
        format!("{}  {told}\n", when::clock(now))
    }
}

impl Known {
    fn of(&mut self, trace: &str) -> &mut Trace {
        if !self.traces.contains_key(trace) {
            self.order.push_back(trace.to_owned());
            if self.order.len() > MAX_KNOWN
                && let Some(oldest) = self.order.pop_front()
            {
                self.traces.remove(&oldest);
            }
        }
        self.traces.entry(trace.to_owned()).or_default()
    }
}

impl Line {
    /// `at`: when it began, in milliseconds since 1970.
    fn of(root: &Span, at: u64) -> Self {
        let what = root.source().map_or_else(|| root.name.clone(), trigger);
        let named = |name: &str| cut(&harmless(name), MAX_NAME);
        let (time, took) = (when::clock(at), duration(root.took() as f64 / 1e6));
        let text = format!("{time}  {}  {}  {took}", named(&root.function), named(&what));
        Self { text, trace: named(&root.trace_id) }
    }

    fn told(&self, error: Option<&str>, style: Style) -> String {
        let outcome = match error {
            None => style.green("ok"),
            Some("") => style.red("✗"),
            Some(error) => style.red(&format!("✗ {error}")),
        };
        format!("{}  {outcome}  {}", self.text, style.dim(&format!("trace {}", self.trace)))
    }
}

/// What is said where another span's line is told.
fn said(span: &Span, error: &str) -> String {
    if span.parent_id.is_none() {
        return first_line(error);
    }
    let function = cut(&harmless(&span.function), MAX_NAME);
    format!("{function}: {}", first_line(error)).trim_end_matches([':', ' ']).to_owned()
}

fn first_line(error: &str) -> String {
    cut(&harmless(error.lines().next().unwrap_or_default()), MAX_ERROR)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::Status;

    use super::*;

    /// 2026-11-20, 01:47:03.
    const NOW: u64 = 1_795_139_223_000;
    const KEPT: Duration = Duration::from_secs(3600);
    const PLAIN: Style = Style { width: 100, colour: false };

    fn span(name: &str, parent: bool, error: Option<&str>) -> OtlpSpan {
        OtlpSpan {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            parent_span_id: if parent { vec![2; 8] } else { vec![] },
            kind: SpanKind::Server as i32,
            name: name.to_owned(),
            start_time_unix_nano: NOW * 1_000_000,
            end_time_unix_nano: (NOW + 41) * 1_000_000,
            status: error.map(|message| Status { message: message.to_owned(), code: 2 }),
            ..OtlpSpan::default()
        }
    }

    fn request(service: &str, spans: Vec<OtlpSpan>) -> ExportTraceServiceRequest {
        let value = Some(AnyValue { value: Some(Value::StringValue(service.to_owned())) });
        let name = KeyValue { key: "service.name".to_owned(), value, ..KeyValue::default() };
        let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
        }
    }

    fn told(spans: Vec<OtlpSpan>, most: usize) -> String {
        Lines::new(most, KEPT, PLAIN).told(&heard(&request("web", spans)), NOW)
    }

    #[test]
    fn a_line_for_each_that_begins() {
        let text = told(vec![span("GET /carts", false, None), span("query", true, None)], 9);
        let trace = "ab".repeat(16);
        assert!(text.starts_with("01:47:03  web  "), "{text}");
        assert!(text.ends_with(&format!("  GET /carts  41 ms  ok  trace {trace}\n")), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn who_fails_later_is_told_again_and_once() {
        let lines = Lines::new(9, KEPT, PLAIN);
        let hear = |service, spans| lines.told(&heard(&request(service, spans)), NOW);
        assert!(hear("web", vec![span("GET /carts", false, None)]).contains("  ok  "));
        assert_eq!(hear("cart", vec![span("GET /items", true, None)]), "");
        let failed = hear("cart", vec![span("GET /items", true, Some("no database\nat all"))]);
        assert!(failed.contains("  web  GET /carts  41 ms  ✗ cart: no database  trace ab"), "{failed}");
        assert_eq!(hear("cart", vec![span("GET /items", true, Some("no database"))]), "");
        // A call that failed may have been tried again.
        let call = OtlpSpan { kind: SpanKind::Client as i32, ..span("query", true, Some("refused")) };
        assert_eq!(heard(&request("cart", vec![call])), []);
    }

    #[test]
    fn what_failed_before_its_root_came_is_known() {
        let lines = Lines::new(9, KEPT, PLAIN);
        assert_eq!(lines.told(&heard(&request("cart", vec![span("GET /items", true, Some(""))])), NOW), "");
        let text = lines.told(&heard(&request("web", vec![span("GET /carts", false, None)])), NOW);
        assert!(text.contains("  ✗ cart  "), "{text}");
        lines.told(&heard(&request("cart", vec![span("GET /items", true, Some("no"))])), NOW);
        let text = lines.told(&heard(&request("web", vec![span("GET /carts", false, Some(""))])), NOW);
        assert!(text.contains("  ✗ cart  "), "{text}");
        let both = vec![span("GET /carts", false, None), span("GET /items", true, Some("no"))];
        assert!(told(both, 9).contains("  ✗ web: no  "));
    }

    #[test]
    fn what_is_known_is_bounded() {
        let lines = Lines::new(9, KEPT, PLAIN);
        for at in 0..2 * MAX_KNOWN {
            let one = OtlpSpan { trace_id: at.to_be_bytes().to_vec(), ..span("GET /", false, None) };
            lines.told(&heard(&request("web", vec![one])), NOW);
        }
        let known = lines.known.lock().unwrap();
        assert_eq!((known.traces.len(), known.order.len()), (MAX_KNOWN, MAX_KNOWN));
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
    fn what_can_not_have_been_is_told_as_of_now() {
        for (start, end) in [(0, u64::MAX), (u64::MAX, u64::MAX), ((NOW + 4_000_000) * 1_000_000, 7)] {
            let times =
                OtlpSpan { start_time_unix_nano: start, end_time_unix_nano: end, ..span("op", false, None) };
            let text = told(vec![times], 9);
            assert!(text.starts_with("01:47:03  web  op  0.0 ms  ok"), "{text}");
        }
    }

    #[test]
    fn what_was_not_taken_is_told_with_its_reason_once() {
        let lines = Lines::new(9, KEPT, PLAIN);
        let not_taken =
            |items, why: &str| lines.not_taken(Signal::Traces, &Rejected { items, why: why.into() }, NOW);
        assert_eq!(not_taken(2, "traceId: no\u{1b}"), "01:47:03  ✗ 2 spans not taken: traceId: no\u{fffd}\n");
        assert_eq!(not_taken(1, "traceId: no\u{1b}"), "");
        assert!(not_taken(1, "spanId: no").contains("✗ 1 span not taken: spanId: no"));
    }

    #[test]
    fn many_at_once_are_counted() {
        let many = (0..25_u8).map(|at| OtlpSpan { trace_id: vec![at; 16], ..span("GET /", false, None) });
        let text = told(many.collect(), 20);
        assert_eq!((text.lines().count(), text.lines().last()), (21, Some("and 5 more")));
    }
}
