//! What one run says of itself: its error with where it comes from, calls that failed, attributes that matter, payloads,
//! log lines.

use std::collections::BTreeSet;

use throughline_store::Failure;
use throughline_store::log::LogLine;
use throughline_store::span::Event;

use super::chapters::Chapter;
use crate::ask::lines;
use crate::ask::words::harmless;
use crate::columns::{Look, Piece, cut, flowed, folded, padded, width};
use crate::trace::{Span, Style, duration};

/// As much as is told unless all is asked for: lines of a message or a stack, calls, log lines.
const MAX_LINES: usize = 5;
/// The newest log lines of a run.
const MAX_LOGS: usize = 20;
/// The columns of a program's name before its log lines.
const MAX_NAME: usize = 24;
/// Columns of a payload, on as many lines as that takes.
const MAX_PAYLOAD: usize = 400;
/// Before all lines of a text but the first.
const HANGING: &str = "  ";
/// What is the same on every span, or told elsewhere, or only tells how something was carried.
const NOISE: [&str; 20] = [
    "faas.",
    "cloud.",
    "aws.",
    "code.",
    "client.",
    "user_agent.",
    "network.",
    "telemetry.",
    "throughline.",
    "rpc.",
    "messaging.",
    "server.",
    "url.",
    "http.",
    "error.",
    "exception.",
    "correlation.",
    "user.",
    "account.",
    "db.",
];
/// What of that matters all the same.
const TOLD: [&str; 21] = [
    "http.response.status_code",
    "http.route",
    "http.request.resend_count",
    "server.address",
    "url.full",
    "db.collection.name",
    "aws.dynamodb.table_names",
    "messaging.destination.name",
    "messaging.message.id",
    "throughline.redriven",
    "throughline.dead_letter.source",
    "throughline.partial",
    "throughline.client_gone",
    "throughline.deadline",
    "throughline.remaining_ms",
    "throughline.throttled",
    "throughline.loop",
    "throughline.hops",
    "throughline.batch.failed",
    "throughline.dropped_spans",
    "throughline.dry_run",
];
/// The kind of an error that has none
/// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/#error-type>).
const OTHER: &str = "_OTHER";
const FLAG: &str = "feature_flag.evaluation";

/// How much is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) style: Style,
    /// All of everything.
    pub(super) full: bool,
    /// All log lines.
    pub(super) logs: bool,
}

/// The lines of a run.
pub(super) fn detail(chapter: &Chapter<'_>, how: How) -> Vec<String> {
    let How { style, .. } = how;
    let run = chapter.run;
    let mut title: Vec<Piece> = vec![match &run.error {
        Some(_) => (format!("✗ {}", harmless(&run.function)), Style::red),
        None => (harmless(&run.function), Style::bold),
    }];
    title.extend(chapter.attempt.map(|attempt| (format!("attempt {attempt}"), Style::plain as Look)));
    title
        .extend(run.build.as_ref().map(|build| (format!("build {}", harmless(build)), Style::plain as Look)));
    title.push((format!("request {}", harmless(&run.request_id)), Style::dim));
    let mut told = flowed(&title, "  ", style);
    if let Some(error) = &run.error {
        let whole = Failure { message: whole_message(chapter, &error.message).to_owned(), ..error.clone() };
        // A kind that says nothing, as a boxed error has.
        let said = if error.kind == OTHER { whole.message } else { whole.said() };
        told.extend(message(&said, how));
    }
    for exception in exceptions(chapter) {
        told.extend(of_exception(exception, run.error.is_some(), how));
    }
    let calls: Vec<&Span> = chapter.failed_calls().collect();
    let shown = if how.full { calls.len() } else { MAX_LINES.min(calls.len()) };
    calls.iter().take(shown).for_each(|call| told.extend(of_call(call, how)));
    if calls.len() > shown {
        let more = format!("… and {} failed calls more (--full)", calls.len() - shown);
        told.extend(block("  ", &more, Style::plain, how));
    }
    told.extend(attributes(chapter.heads(), how).flat_map(|line| block("  ", &line, Style::plain, how)));
    for (name, attribute) in [("event", "throughline.event"), ("result", "throughline.response")] {
        told.extend(chapter.said(attribute).into_iter().flat_map(|text| payload(name, text, "  ", how)));
    }
    told.extend(log_lines(chapter, how));
    told
}

/// What the span says, of which the card has a part.
fn whole_message<'a>(chapter: &'a Chapter<'_>, cut: &'a str) -> &'a str {
    let whole = chapter.heads().filter_map(Span::error).find(|message| message.starts_with(cut));
    whole.unwrap_or(cut)
}

/// Some lines of a text.
fn message(text: &str, how: How) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let shown = if how.full { lines.len() } else { MAX_LINES.min(lines.len()) };
    let told = lines.iter().take(shown);
    let mut told: Vec<String> =
        told.flat_map(|line| block("  ", &fit(line, how, MAX_PAYLOAD), Style::red, how)).collect();
    if lines.len() > shown {
        told.push(format!("  … {} lines more (--full)", lines.len() - shown));
    }
    told
}

fn exceptions<'a>(chapter: &'a Chapter<'_>) -> Vec<&'a Event> {
    let events = chapter.heads().flat_map(|span| &span.events).filter(|event| event.name == "exception");
    let mut events: Vec<&Event> = events.collect();
    // A record and its invocation tell of the same.
    events.dedup_by(|a, b| a.attributes == b.attributes);
    events
}

/// What a stack begins with whose last frame is where it failed
/// (<https://docs.python.org/3/library/traceback.html>).
const LAST_FIRST: &str = "most recent call last";

fn of_exception(event: &Event, failed: bool, how: How) -> Vec<String> {
    let said = |name: &str| event.attributes.get(name).map(String::as_str).unwrap_or_default();
    let mut told = Vec::new();
    if said("throughline.swallowed") == "true" || !failed {
        let error = format!("swallowed {}", of_kind(said("exception.type"), said("exception.message")));
        told.extend(block("  ", &fit(&error, how, MAX_PAYLOAD), Style::amber, how));
    }
    let most = if how.full { usize::MAX } else { MAX_LINES };
    let stack = frames(said("exception.stacktrace"), most);
    let stack = stack.into_iter().map(|line| fit(line.trim(), how, MAX_PAYLOAD / 2));
    told.extend(stack.flat_map(|line| block("    ", &line, Style::dim, how)));
    told
}

/// The lines of a stack nearest to where it failed.
pub(super) fn frames(stack: &str, most: usize) -> Vec<&str> {
    let lines: Vec<&str> = stack.lines().collect();
    let last_first = lines.first().is_some_and(|line| line.contains(LAST_FIRST));
    let first = if last_first { lines.len().saturating_sub(most) } else { 0 };
    lines.into_iter().skip(first).take(most).collect()
}

/// `503`, or `SmtpRejected: 550 sender unverified`.
fn of_kind(kind: &str, message: &str) -> String {
    if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") }
}

fn of_call(call: &Span, how: How) -> Vec<String> {
    let name = call.attribute("rpc.method").filter(|method| *method != call.name);
    let mut words = vec![format!("✗ {}", call.name)];
    words.extend(name.map(str::to_owned));
    words.push(duration(call.millis()));
    let kind = call.attribute("error.type").unwrap_or_default();
    let error = call.error().unwrap_or_default();
    words.push(if error.contains(kind) { error.to_owned() } else { of_kind(kind, error) });
    let mut told = block("  ", &fit(&words.join("  "), how, MAX_PAYLOAD), Style::red, how);
    let attributes = attributes(std::iter::once(call), how);
    told.extend(attributes.flat_map(|line| block("    ", &line, Style::plain, how)));
    for (name, attribute) in [("request", "throughline.request"), ("response", "throughline.response")] {
        told.extend(call.attribute(attribute).into_iter().flat_map(|text| payload(name, text, "    ", how)));
    }
    told
}

/// Attributes that matter and flags, on one line; all of them, one on each, if all is asked for.
fn attributes<'a>(spans: impl Iterator<Item = &'a Span>, how: How) -> impl Iterator<Item = String> {
    let (mut told, mut seen) = (Vec::new(), BTreeSet::new());
    for span in spans {
        let flags = span.events.iter().filter(|event| event.name == FLAG).map(|event| {
            let said = |name: &str| event.attributes.get(name).map(String::as_str).unwrap_or_default();
            format!("flag {}={}", said("feature_flag.key"), said("feature_flag.result.variant"))
        });
        let shown = span.attributes.iter().filter(|(name, _)| how.full && !is_payload(name) || matters(name));
        for one in flags.chain(shown.map(|(name, value)| format!("{name}={value}"))) {
            let one = fit(&one, how, MAX_PAYLOAD / 2);
            if seen.insert(one.clone()) {
                told.push(one);
            }
        }
    }
    if !how.full && !told.is_empty() {
        told = vec![fit(&told.join("  "), how, MAX_PAYLOAD)];
    }
    told.into_iter()
}

fn is_payload(name: &str) -> bool {
    let payloads = ["event", "request", "response"];
    name.strip_prefix("throughline.").is_some_and(|name| payloads.contains(&name))
}

pub(super) fn matters(name: &str) -> bool {
    TOLD.contains(&name) || !NOISE.iter().any(|noise| name.starts_with(noise))
}

fn payload(name: &str, text: &str, indent: &str, how: How) -> Vec<String> {
    block(indent, &format!("{name:<8} {}", fit(text, how, MAX_PAYLOAD)), Style::plain, how)
}

/// A text on as many lines as it takes; on one if all is asked for, for then it is copied.
fn block(indent: &str, text: &str, look: Look, how: How) -> Vec<String> {
    let room = how.style.width.saturating_sub(indent.len());
    if how.full || width(text) <= room {
        return vec![format!("{indent}{}", look(how.style, text))];
    }
    let told = folded(text, room.saturating_sub(HANGING.len()).max(1)).into_iter().enumerate();
    let hanging = |at: usize| if at == 0 { "" } else { HANGING };
    told.map(|(at, line)| format!("{indent}{}{}", hanging(at), look(how.style, &line))).collect()
}

/// Harmless, and no longer than that.
fn fit(text: &str, how: How, most: usize) -> String {
    if how.full {
        return harmless(text);
    }
    // Of 10 MB only the beginning is looked at.
    let start = text.get(..text.floor_char_boundary(most * 4)).unwrap_or_default();
    harmless(&cut(start, most))
}

/// Log lines of programs that have no run; nothing where there are none.
pub(super) fn of_no_run(all: &[&LogLine], how: How) -> Vec<String> {
    if all.is_empty() {
        return Vec::new();
    }
    let mut told = block("", "log lines of programs that have no run here", Style::bold, how);
    let widest = all.iter().map(|line| width(&line.function)).max().unwrap_or_default().min(MAX_NAME);
    let name = |line: &LogLine| vec![padded(&cut(&harmless(&line.function), widest), widest)];
    told.extend(newest(all, name, how));
    told
}

/// All lines, or the newest. `before` says what stands before one.
fn newest(all: &[&LogLine], before: impl Fn(&LogLine) -> Vec<String>, how: How) -> Vec<String> {
    let shown = if how.logs { all.len() } else { MAX_LOGS.min(all.len()) };
    let mut told = Vec::new();
    if shown < all.len() {
        let some = format!("the last {shown} of {} log lines (--logs tells all)", all.len());
        told.extend(block("  ", &some, Style::dim, how));
    }
    let newest = all.iter().skip(all.len() - shown);
    told.extend(newest.flat_map(|line| lines::told(line, "  ", &before(line), how.style, how.full)));
    told
}

fn log_lines(chapter: &Chapter<'_>, how: How) -> Vec<String> {
    let all = &chapter.lines;
    let mut told = newest(all, |_| Vec::new(), how);
    // What a process left behind that was killed: its last lines, if no others have come.
    let left =
        chapter.heads().flat_map(|span| &span.events).filter(|event| event.name == "log" && all.is_empty());
    let left =
        left.filter_map(|event| Some(lines::read(event.attributes.get("log.record.original")?, event.time)));
    told.extend(left.flat_map(|line| lines::told(&line, "  ", &[], how.style, how.full)));
    told
}
