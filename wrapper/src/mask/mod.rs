//! Payloads as people may see them: without what is secret in them, and no longer than asked for.
//!
//! A payload is passed through once, member by member, until there is enough of it: nothing is built of it, and of six
//! megabytes only the beginning is looked at. What a member is called decides first ([`Keys`]), then what a text looks like
//! (`text.rs`). A text that is JSON itself, in Base64 or not, is treated as JSON.

mod keys;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use base64_simd::STANDARD;

use crate::triggers::scan::{self, Scanner};
pub(crate) use keys::Keys;

/// What stands in the place of a secret.
const MASK: &str = "***";
/// What follows where there was more.
const MORE: char = '…';
/// How deep objects, and JSON in texts, are followed; deeper ones are left out.
const MAX_DEPTH: usize = 24;
/// The shortest text that is tried as Base64: a shorter one has room for no secret.
const MIN_BASE64: usize = 12;

/// As much of `payload` as `limit` bytes hold, masked.
pub(crate) fn masked(payload: &str, keys: &Keys, limit: usize) -> String {
    let mut writer = Writer { out: String::new(), keys, limit, depth: 0 };
    writer.any(payload);
    writer.finish()
}

/// What is written of a payload.
struct Writer<'k> {
    out: String,
    keys: &'k Keys,
    limit: usize,
    depth: usize,
}

impl Writer<'_> {
    /// Writes JSON, or what is none as text.
    fn any(&mut self, payload: &str) {
        let before = self.out.len();
        let is_json = payload.trim_ascii_start().starts_with(['{', '[', '"']);
        if is_json && (scan::whole(payload, |scanner| self.value(scanner)).is_some() || self.is_full()) {
            return;
        }
        let shown = if is_json {
            // Torn further on: what was passed through until there is right, and of the rest nobody knows what it is.
            self.out.len() == before
        } else {
            let beginning = head(payload, self.room());
            let is_all = beginning.len() == payload.len();
            let beginning = if is_all { beginning } else { text::without_half_a_secret(beginning) };
            self.out.push_str(&text::masked(beginning, self.keys));
            is_all
        };
        if !shown {
            self.out.push(MORE);
        }
    }

    /// Writes the value that begins here; `None` if it is torn, or there is enough.
    fn value(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        if self.is_full() {
            return None;
        }
        if scanner.begins_with(b'{') {
            return self.nested('{', '}', scanner, |writer, scanner| {
                let mut is_first = true;
                scanner.object(|name, scanner| {
                    writer.separate(&mut is_first);
                    writer.quoted(&name);
                    writer.out.push(':');
                    if writer.keys.are_secret(&name) {
                        writer.secret(scanner.value()?);
                        Some(())
                    } else {
                        writer.value(scanner)
                    }
                })
            });
        }
        if scanner.begins_with(b'[') {
            return self.nested('[', ']', scanner, |writer, scanner| {
                let mut is_first = true;
                scanner.list(|scanner| {
                    writer.separate(&mut is_first);
                    writer.value(scanner)
                })
            });
        }
        let Some(raw) = scanner.value() else {
            if let Some(torn) = scanner.rest_text().strip_prefix('"') {
                self.string(torn);
                self.out.push(MORE);
            }
            return None;
        };
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(inner) => self.string(inner),
            // A number may be a card's.
            None if text::is_secret(raw) => self.quoted(MASK),
            None => self.out.push_str(raw),
        }
        Some(())
    }

    fn nested(
        &mut self,
        begin: char,
        end: char,
        scanner: &mut Scanner<'_>,
        read: impl FnOnce(&mut Self, &mut Scanner<'_>) -> Option<()>,
    ) -> Option<()> {
        if self.depth == MAX_DEPTH {
            scanner.value()?;
            self.quoted(&MORE.to_string());
            return Some(());
        }
        self.out.push(begin);
        self.depth += 1;
        let read = read(self, scanner);
        self.depth -= 1;
        read?;
        self.out.push(end);
        Some(())
    }

    /// Writes a secret: that there is one, and nothing of it. What is empty tells nothing.
    fn secret(&mut self, raw: &str) {
        match raw {
            "null" | "\"\"" | "{}" | "[]" => self.out.push_str(raw),
            _ => self.quoted(MASK),
        }
    }

    /// Writes a text, by what stands between its quotes.
    fn string(&mut self, inner: &str) {
        // What becomes of an escape is shorter than it.
        let beginning = whole_escapes(head(inner, self.room() * 6));
        let Some(text) = scan::string(&["\"", beginning, "\""].concat()).map(Cow::into_owned) else {
            return self.quoted(MASK);
        };
        let decoded = (text.len() >= MIN_BASE64).then(|| decoded(&text)).flatten();
        let shown = match decoded.as_deref().filter(|decoded| self.inner(decoded) != *decoded) {
            Some(decoded) => self.inner(decoded),
            None => self.inner(&text),
        };
        self.quoted(&shown);
        if beginning.len() < inner.len() {
            self.out.push(MORE);
        }
    }

    /// A text within the payload, masked.
    fn inner(&self, text: &str) -> String {
        let mut inner =
            Writer { out: String::new(), keys: self.keys, limit: self.room(), depth: self.depth + 1 };
        if inner.depth > MAX_DEPTH {
            return MORE.to_string();
        }
        inner.any(text);
        inner.out
    }

    fn quoted(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push(',');
        }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }

    fn is_full(&self) -> bool {
        self.out.len() >= self.limit
    }

    fn finish(mut self) -> String {
        if self.out.len() > self.limit {
            self.out.truncate(self.out.floor_char_boundary(self.limit.saturating_sub(MORE.len_utf8())));
            self.out.push(MORE);
        }
        self.out
    }
}

/// As much of a text as so many bytes hold.
fn head(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

/// A text between quotes without the escape in whose midst it was cut.
fn whole_escapes(cut: &str) -> &str {
    let tail = cut.len().saturating_sub(12);
    match cut.get(cut.floor_char_boundary(tail)..).and_then(|tail| tail.rfind('\\')) {
        Some(_) if scan::string(&["\"", cut, "\""].concat()).is_none() => {
            cut.rfind('\\').and_then(|at| cut.get(..at)).map_or("", |cut| cut.trim_end_matches('\\'))
        }
        _ => cut,
    }
}

/// What a text is in Base64, if that is text again; it may be cut anywhere.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = STANDARD.decode_to_vec(text.get(..text.len() / 4 * 4)?).ok()?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        // Cut in the midst of a character.
        error.error_len().is_none().then(|| bytes.truncate(error.valid_up_to()))?;
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(|c| c.is_control() && !c.is_whitespace())).then_some(text)
}
