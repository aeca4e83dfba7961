//! Log lines that carry the ids of the transaction.
//!
//! JSON, unless `AWS_LAMBDA_LOG_FORMAT` asks for text. `timestamp`, `level`, `message` and `requestId` are called as
//! Lambda's own runtimes call them, so that its log levels work and one query serves functions in several languages
//! (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>); then come the event's
//! fields, the ids, and of the baggage what was chosen. Fields of the spans around are not said again: `span_id` leads
//! to them, and to keep them at hand for each line would cost every span.

mod level;
mod line;
mod output;
#[cfg(test)]
mod tests;

use tracing::Event;
use tracing::field::{Field, Visit};

use crate::invocation::Ids;
use crate::mask::Keys;
use crate::propagation::Baggage;
use crate::scope::Scope;
use crate::settings::Env;
use crate::subscriber;
pub(crate) use level::{Format, filter, let_through};
pub(crate) use line::timestamp;
use line::{Line, Value};
pub(crate) use output::write;

/// The most bytes of a DEBUG line that may be kept, or written though the level doesn't ask for it.
const MAX_DEBUG_LINE: usize = 16 * 1024;
/// What of that the program may fill: the rest is for the ids and the baggage.
const MAX_DEBUG_FIELDS: usize = 14 * 1024;

/// Members of ours: no field of the program's may stand for one of them.
const OURS: [&str; 10] = [
    "timestamp",
    "level",
    "severity_text",
    "message",
    "target",
    "requestId",
    "request_id",
    "trace_id",
    "span_id",
    "correlation_id",
];

/// Members of the baggage that are on every line.
const BAGGAGE: [&str; 2] = [Baggage::USER_ID, Baggage::ACCOUNT_ID];
/// Marks that are, where they are set.
const MARKS: [&str; 2] = [Baggage::DEBUG, Baggage::DRY_RUN];

/// How lines are written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logs {
    format: Format,
    /// The members of the baggage that are on every line; `THROUGHLINE_LOG_BAGGAGE` names more.
    baggage: Vec<String>,
    /// See [`level::let_through`].
    debug_level: Option<&'static str>,
    keys: Keys,
}

impl Logs {
    pub(crate) fn from_env(env: &Env<'_>, keys: Keys) -> Self {
        let mut baggage: Vec<String> = BAGGAGE.map(str::to_owned).into();
        for key in env("THROUGHLINE_LOG_BAGGAGE").unwrap_or_default().split(',').map(str::trim) {
            // The id has a member of its own, and a mark is one where it is set.
            let is_there = key == Baggage::CORRELATION_ID || MARKS.contains(&key);
            if !key.is_empty() && !is_there && !baggage.iter().any(|known| known == key) {
                baggage.push(key.to_owned());
            }
        }
        Self { format: Format::from_env(env), baggage, debug_level: level::let_through(env), keys }
    }

    /// An event as one line.
    pub(crate) fn line(&self, event: &Event<'_>, scope: Option<&Scope>) -> String {
        let line = Line::new(self.format, usize::MAX, event.metadata().level().as_str());
        self.fill(line, usize::MAX, event, scope)
    }

    /// A DEBUG line that the log level takes out, for when it is wanted after all.
    pub(crate) fn debug_line(&self, event: &Event<'_>, scope: &Scope) -> String {
        let level = event.metadata().level().as_str();
        let mut line = Line::new(self.format, MAX_DEBUG_FIELDS, self.debug_level.unwrap_or(level));
        if self.debug_level.is_some() {
            line.member("severity_text", Value::Text(level));
        }
        self.fill(line, MAX_DEBUG_LINE, event, Some(scope))
    }

    fn fill(&self, mut line: Line, limit: usize, event: &Event<'_>, scope: Option<&Scope>) -> String {
        let baggage = scope.map(Scope::baggage).unwrap_or_default();
        let mut message = Message { line: &line, said: None };
        event.record(&mut message);
        let said = message.said;
        line.say(event.metadata().target(), said.as_deref().map(|said| self.keys.text(said)).as_deref());
        event.record(&mut Fields { line: &mut line, logs: self, baggage: &baggage });
        if let Some(scope) = scope {
            line.extend_to(limit);
            let span = subscriber::entered_span(scope).unwrap_or_else(|| scope.span().clone());
            let request_id = scope.invocation().request_id();
            let correlation_id = baggage.get(Baggage::CORRELATION_ID);
            add_ids(&mut line, &self.keys, Ids { request_id, span: &span, correlation_id });
            for key in &self.baggage {
                if let Some(value) = baggage.get(key) {
                    let masked = self.keys.field(key, value);
                    line.member(key, Value::Text(masked.as_deref().unwrap_or(value)));
                }
            }
            for mark in MARKS.into_iter().filter(|mark| baggage.marked(mark)) {
                line.member(mark, Value::Plain(format_args!("true")));
            }
        }
        line.end()
    }

    /// Whether a field of that name would hide a member of ours.
    fn is_ours(&self, name: &str, baggage: &Baggage) -> bool {
        OURS.contains(&name)
            || MARKS.contains(&name)
            || (self.baggage.iter().any(|key| key == name) && baggage.get(name).is_some())
    }
}

/// A warning of our own, about an invocation if those are its ids.
pub(crate) fn own_line(format: Format, keys: &Keys, ids: Option<Ids<'_>>, message: &str) -> String {
    let mut line = Line::new(format, usize::MAX, "WARN");
    line.say("throughline", Some(&keys.text(message)));
    if let Some(ids) = ids {
        add_ids(&mut line, keys, ids);
    }
    line.end()
}

fn add_ids(line: &mut Line, keys: &Keys, ids: Ids<'_>) {
    line.member("requestId", Value::Text(ids.request_id));
    line.member("request_id", Value::Text(ids.request_id));
    line.member("trace_id", Value::Text(&ids.span.trace_id().to_string()));
    line.member("span_id", Value::Text(&ids.span.span_id().to_string()));
    if let Some(id) = ids.correlation_id {
        line.member("correlation_id", Value::Text(&keys.id(id)));
    }
}

/// The message alone.
struct Message<'a> {
    line: &'a Line,
    said: Option<String>,
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.said = Some(self.line.written(value));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.said = Some(value.to_owned());
        }
    }
}

/// All other fields, as members.
struct Fields<'a> {
    line: &'a mut Line,
    logs: &'a Logs,
    baggage: &'a Baggage,
}

impl Fields<'_> {
    fn add(&mut self, field: &Field, value: Value<'_>) {
        let name = field.name();
        let masked = match value {
            Value::Text(text) | Value::Debug(text) => self.logs.keys.field(name, text),
            Value::Plain(_) => None,
        };
        let value = masked.as_deref().map_or(value, Value::Text);
        if self.logs.is_ours(name, self.baggage) {
            self.line.member(&["field.", name].concat(), value);
        } else {
            self.line.member(name, value);
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != "message" {
            let text = self.line.written(value);
            self.add(field, Value::Debug(&text));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            self.add(field, Value::Text(value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match self.logs.keys.number(field.name(), value) {
            Some(mask) => self.add(field, Value::Text(mask)),
            None => self.add(field, Value::Plain(format_args!("{value}"))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            // Longer than any card's.
            Err(_) => self.add(field, Value::Plain(format_args!("{value}"))),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.add(field, Value::Plain(format_args!("{value:?}"))),
            // JSON has no number for it.
            false => self.add(field, Value::Debug(&value.to_string())),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Plain(format_args!("{value}")));
    }
}
