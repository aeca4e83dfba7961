//! One recorder as people read it: what the invocation was doing, how far it had come, and its last words.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value};
use throughline_host::rfc3339;
use throughline_recorder::{Opened, Recording};

use super::so_far;
use crate::ask::harmless;
use crate::columns::cut;
use crate::trace::{NOT_ENDED, Row, Span, Style, duration, paint, trigger};

/// Debug lines shown; the last are the nearest to the end.
const LINES: usize = 16;
/// Columns of branches; what lies deeper stands in the same column.
const DEEPEST: usize = 96;

/// What a recorder says.
pub(super) struct Story {
    path: PathBuf,
    recording: Recording,
    spans: Vec<Span>,
}

// === impl Story ===

impl Story {
    pub(super) fn new(path: &Path, opened: Opened) -> Self {
        let request = opened.recording.clone().into_request(&so_far(&opened));
        Self { path: path.to_owned(), recording: opened.recording, spans: Span::from_otlp(request) }
    }

    pub(super) fn text(&self, style: Style) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}", self.title(style));
        for line in paint(&self.rows(), style) {
            let _ = writeln!(text, "{line}");
        }
        if self.recording.is_full() {
            let count = Some(self.recording.missing()).filter(|missing| *missing > 0);
            let count = count.map(|missing| format!(": {missing}")).unwrap_or_default();
            let full = format!("the journal ran full, older spans that had ended are missing{count}");
            let _ = writeln!(text, "{}", style.amber(&full));
        }
        if let Some(event) = self.recording.event() {
            let _ = writeln!(
                text,
                "{}  {}",
                style.dim("event"),
                cut(&shown(event), style.width.saturating_sub(7))
            );
        }
        let lines = self.recording.lines();
        let skipped = lines.len().saturating_sub(LINES);
        if skipped > 0 {
            let _ = writeln!(text, "{}  {skipped} lines before these", style.dim("log  "));
        }
        for line in &lines[skipped..] {
            let line = cut(&shown(&log_line(line)), style.width.saturating_sub(7));
            let _ = writeln!(text, "{}  {line}", style.dim("log  "));
        }
        let all = format!("all of it as OTLP: throughline recorder --json {}", self.path.display());
        let _ = writeln!(text, "{}\n", style.dim(&all));
        text
    }

    fn title(&self, style: Style) -> String {
        let invocation =
            self.spans.iter().find(|span| span.invocation_id() == Some(self.recording.request_id()));
        let name =
            invocation.or(self.spans.first()).map_or("an invocation without spans", |span| &span.function);
        let request = format!("request {}", shown(self.recording.request_id()));
        let mut title = vec![style.bold(&shown(name)), request];
        if let Some(invocation) = invocation {
            title.push(format!("began {}", rfc3339(UNIX_EPOCH + Duration::from_nanos(invocation.start))));
            // Ended and not handed over: its process was killed in between.
            title.push(match invocation.is_open() {
                true => {
                    style.red(&format!("not ended, last heard of after {}", duration(invocation.millis())))
                }
                false => style.amber("ended, not handed over"),
            });
            title.push(style.dim(&format!("trace {}", invocation.trace_id)));
        }
        title.join("  ")
    }

    /// The spans as a tree. What hangs below nothing here, as a record does whose sender is another function, hangs below
    /// the invocation.
    fn rows(&self) -> Vec<Row> {
        let place: HashMap<&str, usize> =
            self.spans.iter().enumerate().map(|(place, span)| (span.span_id.as_str(), place)).collect();
        let root =
            self.spans.iter().position(|span| span.invocation_id() == Some(self.recording.request_id()));
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.spans.len()];
        let mut roots = Vec::new();
        for (at, span) in self.spans.iter().enumerate() {
            let parent = span.parent_id.as_deref().and_then(|id| place.get(id).copied());
            match parent.or(root) {
                Some(parent) if parent != at && Some(at) != root => children[parent].push(at),
                _ => roots.push(at),
            }
        }
        Tree { spans: &self.spans, children }.rows(roots)
    }
}

/// What hangs below what.
struct Tree<'a> {
    spans: &'a [Span],
    /// Each span's children. A span in a ring of parents is below none that is written, and is left out.
    children: Vec<Vec<usize>>,
}

impl Tree<'_> {
    /// The rows of `roots` and of all below them. Not by recursion: a function that calls itself leaves a tree as deep.
    fn rows(mut self, roots: Vec<usize>) -> Vec<Row> {
        let start = self.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let mut rows = Vec::new();
        // Of each level what is still to be written, the last first, and what stands before it.
        let mut levels = vec![(self.last_first(roots), String::new())];
        while let Some((left, indent)) = levels.last_mut() {
            let Some(at) = left.pop() else {
                levels.pop();
                continue;
            };
            let (branch, beside) = if left.is_empty() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            rows.push(row(&self.spans[at], format!("{indent}{branch}"), start));
            let beside = if indent.chars().count() < DEEPEST { beside } else { "" };
            let below = format!("{indent}{beside}");
            let children = std::mem::take(&mut self.children[at]);
            levels.push((self.last_first(children), below));
        }
        rows
    }

    fn last_first(&self, mut spans: Vec<usize>) -> Vec<usize> {
        spans.sort_by_key(|at| self.spans[*at].start);
        spans.reverse();
        spans
    }
}

fn row(span: &Span, branch: String, start: u64) -> Row {
    Row {
        branch,
        label: shown(&span.name),
        trigger: span.source().map(|source| shown(&trigger(source))).unwrap_or_default(),
        waited: span.attribute("throughline.queue_time_ms").and_then(|ms| ms.parse().ok()),
        start: span.start.saturating_sub(start) as f64 / 1e6,
        millis: span.millis(),
        note: span.is_open().then(|| NOT_ENDED.to_owned()),
        error: span.error().map(shown),
        is_call: span.source().is_none(),
    }
}

/// A line of JSON as time of day, level, message, and what the program added; any other as it is.
fn log_line(line: &str) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_str::<Map<String, Value>>(line).map(Value::Object)
    else {
        return line.to_owned();
    };
    let mut take = |key: &str| match members.remove(key) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (time, level, message) = (take("timestamp"), take("level"), take("message"));
    // The same on every line, and told above.
    for key in ["target", "trace_id", "span_id", "request_id", "requestId", "correlation_id"] {
        members.remove(key);
    }
    let time = time.split_once('T').map_or("", |(_, time)| time.get(..12).unwrap_or(time));
    let mut words = vec![time.to_owned(), level, message];
    words.extend(members.iter().map(|(key, value)| format!("{key}={value}")));
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

/// On one line, and harmless: what is in an event is anybody's.
fn shown(text: &str) -> String {
    harmless(&text.replace(char::is_control, " "))
}

#[cfg(test)]
#[path = "story_tests.rs"]
mod tests;
