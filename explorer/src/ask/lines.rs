//! Log lines for people.

use throughline_store::log::LogLine;

use super::words::{cut, harmless};
use crate::trace::Style;

/// The levels that one looks for, as they are called.
const BAD: [&str; 4] = ["ERROR", "FATAL", "CRITICAL", "SEVERE"];

/// A line: when, how bad, what it says and its fields; as wide as the terminal unless all of it is asked for. `before`
/// stands before what it says.
pub(super) fn told(line: &LogLine, indent: &str, before: &str, style: Style, whole: bool) -> String {
    let level = harmless(line.level.as_deref().unwrap_or_default());
    let is_bad = BAD.iter().any(|bad| level.eq_ignore_ascii_case(bad));
    let mut said = line.message.trim_end().to_owned();
    for (name, value) in &line.attributes {
        said += &format!("  {name}={value}");
    }
    let start = format!("{indent}{}  {level:<5}  {before}", clock(line.time));
    let room = style.width.saturating_sub(start.chars().count()).max(20);
    // A line feed within a line is one of its words.
    let said = harmless(&said.replace('\n', " ⏎ "));
    let said = if whole { said } else { cut(&said, room) };
    if is_bad { format!("{start}{}", style.red(&said)) } else { format!("{start}{said}") }
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
