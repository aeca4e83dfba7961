//! One log line in the making, as JSON or as text, on one line whatever stands in it.

use std::fmt::{self, Debug, Write as _};

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::Format;

/// What a line begins with: most need no more.
const USUAL: usize = 512;
/// How much more than there is room for is asked of a value: what may be a secret is looked at whole.
const AHEAD: usize = 512;

/// What a member says.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// A text of the program's.
    Text(&'a str),
    /// What a value's `Debug` wrote.
    Debug(&'a str),
    /// A number or a truth.
    Plain(fmt::Arguments<'a>),
}

/// The time, as Lambda wants it in a line.
pub(crate) fn timestamp() -> String {
    let mut out = String::new();
    write_time(&mut out);
    out
}

fn write_time(out: &mut String) {
    // It fails if the writer does, and a string doesn't.
    let _ = SystemTime.format_time(&mut Writer::new(out));
}

pub(super) struct Line {
    out: String,
    format: Format,
    limit: usize,
}

impl Line {
    /// A line of now. Past `limit` bytes texts are cut, and further members left out.
    pub(super) fn new(format: Format, limit: usize, level: &str) -> Self {
        let mut out = String::with_capacity(USUAL.min(limit));
        out.push_str(if format == Format::Json { "{\"timestamp\":\"" } else { "" });
        write_time(&mut out);
        match format {
            Format::Json => out.extend(["\",\"level\":\"", level, "\""]),
            Format::Text => out.extend([" ", level]),
        }
        Self { out, format, limit }
    }

    /// What the line says, and where it is from.
    pub(super) fn say(&mut self, target: &str, message: Option<&str>) {
        match self.format {
            Format::Json => {
                match message {
                    Some(message) => self.member("message", Value::Text(message)),
                    None => self.out.push_str(",\"message\":null"),
                }
                self.member("target", Value::Text(target));
            }
            Format::Text => {
                self.out.push(' ');
                self.push(target, false);
                self.out.push(':');
                if let Some(message) = message {
                    self.out.push(' ');
                    self.push(message, false);
                }
            }
        }
    }

    pub(super) fn member(&mut self, key: &str, value: Value<'_>) {
        if self.room() == 0 {
            return;
        }
        let is_json = self.format == Format::Json;
        self.out.push_str(if is_json { ",\"" } else { " " });
        self.push(key, is_json);
        self.out.push_str(if is_json { "\":" } else { "=" });
        match value {
            Value::Debug(text) if !is_json => self.push(text, false),
            Value::Text(text) | Value::Debug(text) => {
                self.out.push('"');
                self.push(text, true);
                self.out.push('"');
            }
            // A string takes whatever is written.
            Value::Plain(value) => _ = self.out.write_fmt(value),
        }
    }

    /// What `value` writes of itself, as much as there is room for.
    pub(super) fn written(&self, value: &dyn Debug) -> String {
        let mut bounded = Bounded { out: String::new(), room: self.room().saturating_add(AHEAD) };
        // Cut short is an error to whom writes.
        let _ = write!(bounded, "{value:?}");
        bounded.out
    }

    /// From here on there is room for as much.
    pub(super) fn extend_to(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn end(mut self) -> String {
        self.out.push_str(if self.format == Format::Json { "}\n" } else { "\n" });
        self.out
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }

    /// Adds `text`, its control characters escaped, and with `quoted` what would end a string as well.
    fn push(&mut self, text: &str, quoted: bool) {
        let is_escaped = |byte: u8| byte.is_ascii_control() || (quoted && matches!(byte, b'"' | b'\\'));
        let mut rest = text;
        loop {
            let end = rest.bytes().position(is_escaped).unwrap_or(rest.len());
            let fits = rest.floor_char_boundary(end.min(self.room()));
            self.out.push_str(&rest[..fits]);
            if fits < end {
                self.out.push('…');
                return;
            }
            match rest.as_bytes().get(end) {
                None => return,
                Some(b'"') => self.out.push_str("\\\""),
                Some(b'\\') => self.out.push_str("\\\\"),
                Some(b'\n') => self.out.push_str("\\n"),
                Some(b'\r') => self.out.push_str("\\r"),
                Some(b'\t') => self.out.push_str("\\t"),
                Some(control) => _ = write!(self.out, "\\u{control:04x}"),
            }
            rest = &rest[end + 1..];
        }
    }
}

/// A text that takes no more than there is room for.
struct Bounded {
    out: String,
    room: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // One more than fits, so that it is seen to have been cut.
        let room = self.room.saturating_add('…'.len_utf8()).saturating_sub(self.out.len());
        let fits = text.floor_char_boundary(room);
        self.out.push_str(&text[..fits]);
        if fits < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    fn line(format: Format, limit: usize, message: &str, members: &[(&str, Value<'_>)]) -> String {
        let mut line = Line::new(format, limit, "INFO");
        line.say("shop", Some(message));
        members.iter().for_each(|(key, value)| line.member(key, *value));
        line.end()
    }

    #[test]
    fn text_is_for_people() {
        let members = [
            ("sku", Value::Text("a mug")),
            ("items", Value::Debug("[1, \"2\"]")),
            ("n", Value::Plain(format_args!("3"))),
        ];
        let text = line(Format::Text, usize::MAX, "two\nlines", &members);
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.len() == 27, "{time}");
        assert_eq!(rest, "INFO shop: two\\nlines sku=\"a mug\" items=[1, \"2\"] n=3\n");
    }

    #[test]
    fn what_a_value_writes_is_bounded() {
        let line = Line::new(Format::Json, 100, "INFO");
        let written = line.written(&"é".repeat(1_000_000));
        assert!((20..=103 + AHEAD).contains(&written.len()), "{written}");
    }

    proptest! {
        #[test]
        fn json_says_what_it_was_given(message in any::<String>(), key in "[a-z\"\\\\]{1,8}", value in any::<String>()) {
            let text = line(Format::Json, usize::MAX, &message, &[(&key, Value::Text(&value))]);
            let read: Json = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read["message"], &json!(message));
            prop_assert_eq!(&read[&key], &json!(value));
            prop_assert_eq!((text.matches('\n').count(), &read["target"]), (1, &json!("shop")));
        }

        #[test]
        fn a_cut_line_is_whole_and_bounded(message in any::<String>(), value in any::<String>(), limit in 80_usize..400) {
            let members = [("a", Value::Text(value.as_str())), ("b", Value::Debug(&value)), ("c", Value::Text("x"))];
            for format in [Format::Json, Format::Text] {
                let text = line(format, limit, &message, &members);
                prop_assert!(text.len() <= limit + 32, "{} of {}: {}", text.len(), limit, text);
                prop_assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
                prop_assert!(format == Format::Text || serde_json::from_str::<Json>(&text).is_ok(), "{}", text);
            }
        }
    }
}
