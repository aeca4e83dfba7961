//! Log lines for people.

use throughline_store::log::LogLine;

use super::words::{cut, harmless};
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

/// A line: when, how bad, what it says and its fields; as wide as the terminal unless all of it is asked for. `before`
/// stands before what it says.
pub(super) fn told(line: &LogLine, indent: &str, before: &str, style: Style, whole: bool) -> String {
    let level = harmless(line.level.as_deref().unwrap_or_default());
    let mut said = line.message.trim_end().to_owned();
    for (name, value) in &line.attributes {
        said += &format!("  {name}={value}");
    }
    let start = format!("{indent}{}  {level:<5}  {before}", clock(line.time));
    let room = style.width.saturating_sub(start.chars().count()).max(20);
    // A line feed within a line is one of its words.
    let said = harmless(&said.replace('\n', " ⏎ "));
    let said = if whole { said } else { cut(&said, room) };
    if is_bad(line) { format!("{start}{}", style.red(&said)) } else { format!("{start}{said}") }
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
        let style = Style { width: 60, colour: false };
        assert_eq!(
            told(&line, "  ", "", style, false),
            "  01:47:03.112  error  no ⏎ answer\u{fffd}[2J  host=mx1"
        );
        assert_eq!(
            told(&line, "", "", Style { width: 30, ..style }, false),
            "01:47:03.112  error  no ⏎ answer\u{fffd}[2J  ho…"
        );
        assert!(told(&LogLine { message: "x".repeat(99), ..line }, "", "", style, true).len() > 99);
    }
}
