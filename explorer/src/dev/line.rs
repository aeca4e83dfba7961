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
        let what = match signal {
            Signal::Traces => counted(rejected.items, "span", "spans"),
            Signal::Logs => counted(rejected.items, "log line", "log lines"),
            Signal::Metrics => counted(rejected.items, "metric", "metrics"),
        };
        self.refused(&format!("{what} not taken: {}", first_line(&rejected.why)), &rejected.why, now)
    }

    /// A line that a program speaks what is not understood. Nothing, as above.
    pub(super) fn not_spoken(&self, now: u64) -> String {
        let told = "gRPC is not taken: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf where it comes from";
        self.refused(told, told, now)
    }

    fn refused(&self, told: &str, why: &str, now: u64) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.rejected == why {
            return String::new();
        }
        why.clone_into(&mut known.rejected);
        drop(known);
        format!("{}  {}\n", when::clock(now), self.style.red(&format!("✗ {told}")))
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
#[path = "line_tests.rs"]
mod tests;
