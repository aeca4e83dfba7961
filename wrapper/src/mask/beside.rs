//! Pairs of which one says what the other is called, in a text that is no JSON as a whole: `env was {"name": "DB_PASSWORD",
//! "value": …}`, `KeyValuePair { name: Some("DB_PASSWORD"), value: Some("…") }`, `name=DB_PASSWORD&value=…`. `pairs.rs` has
//! those of JSON.
//!
//! Only what stands beside the value is looked at, before and behind it: a text has no members.

use std::ops::Range;

use super::Keys;
use super::named::{MAX_NAME, value};
use super::pairs::Part;
use super::text::{is_separator, table};

/// What may stand between two words of a pair, besides the sign.
static GLUE: [bool; 256] = table(b" \t\n\r,;&\"'`\\()-");
/// How far a value may reach before a name that stands behind it.
const MAX_VALUE: usize = 1024;

/// What is behind the sign at `at`, if `called` is before it and what stands beside it names a secret.
pub(super) fn value_at(text: &str, at: usize, called: Range<usize>, keys: &Keys) -> Option<Range<usize>> {
    let name = text.get(called.clone())?;
    let word = name.rsplit(' ').next()?;
    if Part::of(word) != Some(Part::Value) {
        return None;
    }
    let is_secret = |word: Range<usize>| text.get(word).is_some_and(|word| keys.are_secret(word));
    let bytes = text.as_bytes();
    if name_before(text, called.end - word.len()).is_some_and(is_secret) {
        return value(bytes, at + 1, word);
    }
    let near = bytes.get(..bytes.len().min(at + MAX_VALUE))?;
    let found = value(near, at + 1, word)?;
    name_behind(text, found.end).is_some_and(is_secret).then_some(found)
}

/// What the name in front of the member that begins at `end` says.
fn name_before(text: &str, end: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let said = word_before(bytes, glue_before(bytes, end));
    let mut end = glue_before(bytes, said.start);
    if bytes[..end].ends_with(b"Some") {
        end = glue_before(bytes, end - 4);
    }
    let sign = end.checked_sub(1).filter(|at| is_sign(bytes[*at]))?;
    let called = word_before(bytes, glue_before(bytes, sign));
    (Part::of(text.get(called)?) == Some(Part::Name)).then_some(said)
}

/// What the name behind the value that ends at `at` says.
fn name_behind(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let called = word_behind(bytes, glue_behind(bytes, at));
    let sign = glue_behind(bytes, called.end);
    bytes.get(sign).filter(|byte| is_sign(**byte))?;
    if Part::of(text.get(called)?) != Some(Part::Name) {
        return None;
    }
    let mut at = glue_behind(bytes, sign + 1);
    if bytes[at..].starts_with(b"Some(") {
        at = glue_behind(bytes, at + 4);
    }
    Some(word_behind(bytes, at))
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b':' | b'=')
}

/// Where what is between two words begins that ends here; a line may end as JSON and Debug spell it.
fn glue_before(bytes: &[u8], mut end: usize) -> usize {
    loop {
        end = match bytes[..end] {
            [.., b'\\', b'n' | b'r' | b't'] => end - 2,
            [.., last] if GLUE[usize::from(last)] => end - 1,
            _ => return end,
        }
    }
}

/// Where what is between two words ends that begins here.
fn glue_behind(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += match bytes.get(at..) {
            Some([b'\\', b'n' | b'r' | b't', ..]) => 2,
            Some([first, ..]) if GLUE[usize::from(*first)] => 1,
            _ => return at,
        }
    }
}

fn word_before(bytes: &[u8], end: usize) -> Range<usize> {
    let word = bytes[..end].iter().rev().take(MAX_NAME).take_while(|byte| !is_separator(**byte));
    end - word.count()..end
}

fn word_behind(bytes: &[u8], at: usize) -> Range<usize> {
    let word = bytes[at..].iter().take(MAX_NAME).take_while(|byte| !is_separator(**byte));
    at..at + word.count()
}

#[cfg(test)]
mod tests {
    use crate::mask::Keys;
    use crate::mask::text::masked;

    #[test]
    fn what_is_called_secret_beside_it_is_hidden() {
        for (text, expected) in [
            (
                r#"env was {"name": "DB_PASSWORD", "value": "hunter2"} so"#,
                r#"env was {"name": "DB_PASSWORD", "value": "***"} so"#,
            ),
            (
                r#"was {"value":"hunter2","name":"DB_PASSWORD"}"#,
                r#"was {"value":"***","name":"DB_PASSWORD"}"#,
            ),
            (
                r#"was "{\"Value\": \"hunter2\", \"Key\": \"DB_PASSWORD\"}""#,
                r#"was "{\"Value\": \"***\", \"Key\": \"DB_PASSWORD\"}""#,
            ),
            (
                r#"was {\n  \"name\": \"token\",\n  \"value\": \"hunter2\"\n}"#,
                r#"was {\n  \"name\": \"token\",\n  \"value\": \"***\"\n}"#,
            ),
            (r#"was {"name": "token", "value": "hunter2"#, r#"was {"name": "token", "value": "***"#),
            (
                r#"Env { name: "DB_PASSWORD", value: "hunter2" }"#,
                r#"Env { name: "DB_PASSWORD", value: "***" }"#,
            ),
            (
                r#"Env { value: "hunter2", name: "DB_PASSWORD" }"#,
                r#"Env { value: "***", name: "DB_PASSWORD" }"#,
            ),
            (
                r#"Pair { name: Some("DB_PASSWORD"), value: Some("hunter2") }"#,
                r#"Pair { name: Some("DB_PASSWORD"), value: *** }"#,
            ),
            (
                r#"Pair { value: Some("hunter2"), name: Some("DB_PASSWORD") }"#,
                r#"Pair { value: ***, name: Some("DB_PASSWORD") }"#,
            ),
            ("{'name': 'password', 'value': 'hunter2'}", "{'name': 'password', 'value': '***'}"),
            ("name=DB_PASSWORD&value=hunter2&x=1", "name=DB_PASSWORD&value=***&x=1"),
            ("value=hunter2&name=DB_PASSWORD", "value=***&name=DB_PASSWORD"),
            ("- name: DB_PASSWORD\n  value: hunter2", "- name: DB_PASSWORD\n  value: ***"),
        ] {
            assert_eq!(masked(text, &Keys::default()), expected);
        }
    }

    #[test]
    fn what_is_called_otherwise_stays() {
        for text in [
            r#"env was {"name": "HOST", "value": "db-1"}"#,
            r#"env was [{"name": "HOST", "value": "db-1"}, {"name": "DB_PASSWORD", "value": null}]"#,
            r#"env was [{"name": "DB_PASSWORD", "value": ""}, {"value": "db-1", "name": "HOST"}]"#,
            r#"was {"type": "password", "value": "db-1"}"#,
            "the value: 7, the name: é",
            "value:",
            "value=",
            "name: value: ",
        ] {
            assert_eq!(masked(text, &Keys::default()), text);
        }
    }
}
