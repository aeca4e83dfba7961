//! Log lines for people.

use serde_json::{Map, Value};
use throughline_store::log::LogLine;

use super::words::harmless;
use crate::columns::{BETWEEN, Look, Piece, cut, flowed, padded, width};
use crate::trace::Style;

/// How bad a level is, from 1 to 6, by the names that programs give it.
const LEVELS: [&[&str]; 6] = [
    &["trace", "verbose"],
    &["debug"],
    &["info", "information", "notice"],
    &["warn", "warning"],
    &["error", "err", "severe"],
    &["fatal", "critical", "panic", "emergency", "alert"],
];
const ERROR: u8 = 5;
/// What is to be done where lines were written and none are in the store.
pub(super) const NOT_KEPT: &str = "none of their log lines is in the store: functions send them there from when THROUGHLINE_LOGS=on is set on them";
/// Fields that are the same on all lines of a run, and told beside them or above.
const SAME: [&str; 8] = [
    "target",
    "trace_id",
    "span_id",
    "request_id",
    "requestId",
    "correlation_id",
    "correlation.id",
    "user.id",
];
/// Where in the program a line was written, which its logger tells of each: <https://opentelemetry.io/docs/specs/semconv/registry/attributes/code/>.
const PLACE: &str = "code.";
/// The columns of most levels.
const LEVEL: usize = 5;
/// What a line says is not cut to less to stand beside when it was said.
const LEAST: usize = 24;

pub(super) fn level(text: &str) -> Option<u8> {
    let is_of = |names: &&[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(text));
    u8::try_from(LEVELS.iter().position(is_of)? + 1).ok()
}

/// How bad a line is; 0 if it does not say.
pub(super) fn severity(line: &LogLine) -> u8 {
    line.level.as_deref().and_then(level).unwrap_or_default()
}

pub(super) fn is_bad(line: &LogLine) -> bool {
    severity(line) >= ERROR
}

/// A line as the function wrote it: of one of JSON its level, message and fields, any other as it is. `time` in
/// nanoseconds since 1970.
pub(super) fn read(original: &str, time: u64) -> LogLine {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(original) else {
        return LogLine { time, message: original.to_owned(), ..LogLine::default() };
    };
    fields.remove("timestamp");
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let level = fields.remove("level").map(text);
    let message = fields.remove("message").map(text).unwrap_or_default();
    let attributes = fields.into_iter().map(|(name, value)| (name, text(value))).collect();
    LogLine { time, level, message, attributes, ..LogLine::default() }
}

/// A line: when, how bad, what it says and its fields; as wide as the terminal unless all of it is asked for. `before`
/// stands before what it says. In a narrow terminal what it says is on a line of its own.
pub(super) fn told(
    line: &LogLine,
    indent: &str,
    before: &[String],
    style: Style,
    whole: bool,
) -> Vec<String> {
    let level = padded(&harmless(line.level.as_deref().unwrap_or_default()), LEVEL);
    let mut said = line.message.trim_end().to_owned();
    let is_told = |name: &str| whole || !(SAME.contains(&name) || name.starts_with(PLACE));
    for (name, value) in line.attributes.iter().filter(|(name, _)| is_told(name)) {
        said += &format!("  {name}={value}");
    }
    // A line feed within a line is one of its words.
    let said = harmless(&said.replace('\n', " ⏎ "));
    let look = if is_bad(line) { Style::red } else { Style::plain };
    let start = [clock(line.time), level].into_iter().chain(before.iter().cloned());
    let start: Vec<String> = start.collect();
    let beside = format!("{indent}{}{BETWEEN}", start.join(BETWEEN));
    let room = style.width.saturating_sub(width(&beside));
    if whole || room >= LEAST.min(width(&said)) {
        let said = if whole { said } else { cut(&said, room) };
        return vec![format!("{beside}{}", look(style, &said))];
    }
    let start: Vec<Piece> =
        start.into_iter().map(|text| (text.trim_end().to_owned(), Style::plain as Look)).collect();
    let narrower = Style { width: style.width.saturating_sub(indent.len()), ..style };
    let mut lines = flowed(&start, BETWEEN, narrower);
    lines
        .push(format!("{BETWEEN}{}", look(style, &cut(&said, narrower.width.saturating_sub(BETWEEN.len())))));
    lines.into_iter().map(|line| format!("{indent}{line}")).collect()
}

/// The time of day to the millisecond.
fn clock(nanos: u64) -> String {
    let millis = nanos / 1_000_000;
    let (seconds, millis) = (millis / 1000 % 86_400, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_fits() {
        let line = LogLine {
            time: 1_795_139_223_112_000_000,
            level: Some("error".into()),
            message: "no\nanswer\x1b[2J ".into(),
            attributes: [("host".to_owned(), "mx1".to_owned())].into(),
            ..LogLine::default()
        };
        let told = |line: &LogLine, indent: &str, width, whole| {
            told(line, indent, &[], Style { width, colour: false }, whole)
        };
        assert_eq!(told(&line, "  ", 60, false), ["  01:47:03.112  error  no ⏎ answer\u{fffd}[2J  host=mx1"]);
        let line = LogLine { attributes: [("host".to_owned(), "mx1.example".to_owned())].into(), ..line };
        assert_eq!(told(&line, "", 46, false), ["01:47:03.112  error  no ⏎ answer\u{fffd}[2J  host=mx…"]);
        assert_eq!(
            told(&line, "  ", 30, false),
            ["  01:47:03.112  error", "    no ⏎ answer\u{fffd}[2J  host=mx1…"]
        );
        let long = LogLine { message: "x".repeat(99), ..line };
        assert!(told(&long, "", 60, true)[0].len() > 99);
    }

    #[test]
    fn where_in_the_program_it_was_written_is_told_if_all_is_asked_for() {
        let attributes =
            [("code.lineno", "12"), ("host", "mx1")].map(|(name, value)| (name.into(), value.into()));
        let line = LogLine { message: "sent".into(), attributes: attributes.into(), ..LogLine::default() };
        let told = |whole| told(&line, "", &[], Style { width: 60, colour: false }, whole);
        assert_eq!(told(false), ["00:00:00.000         sent  host=mx1"]);
        assert_eq!(told(true), ["00:00:00.000         sent  code.lineno=12  host=mx1"]);
    }

    #[test]
    fn a_line_of_json_is_read() {
        let json = r#"{"timestamp":"2026-11-20T01:47:03Z","level":"DEBUG","message":"to be paid","target":"f","receives":2}"#;
        let told = told(&read(json, 5_000_000), "", &[], Style { width: 60, colour: false }, false);
        assert_eq!(told, ["00:00:00.005  DEBUG  to be paid  receives=2"]);
        assert_eq!(
            read("no {json", 5),
            LogLine { time: 5, message: "no {json".into(), ..LogLine::default() }
        );
    }

    #[test]
    fn what_stands_before_a_line_gives_way_too() {
        let line = LogLine { message: "order to be paid".into(), ..LogLine::default() };
        let before = ["payment-worker".to_owned(), "6b02be5d".to_owned()];
        let told = |width| told(&line, "", &before, Style { width, colour: false }, false);
        assert_eq!(told(64), ["00:00:00.000         payment-worker  6b02be5d  order to be paid"]);
        assert_eq!(told(40), ["00:00:00.000  payment-worker  6b02be5d", "  order to be paid"]);
        assert_eq!(told(30), ["00:00:00.000  payment-worker", "  6b02be5d", "  order to be paid"]);
    }
}
