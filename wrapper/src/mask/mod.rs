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
/// How deep objects and lists are followed; deeper ones are left out.
const MAX_DEPTH: usize = 24;
/// The same of texts within texts. Each doubles the backslashes of those inside.
const MAX_TEXTS: usize = 5;
/// The longest that one character is as an escape, in bytes.
const LONGEST_ESCAPE: usize = 6;
/// The shortest text that is tried as Base64: a shorter one has room for no secret.
const MIN_BASE64: usize = 12;

/// As much of `payload` as `limit` bytes hold, masked.
pub(crate) fn masked(payload: &str, keys: &Keys, limit: usize) -> String {
    let mut writer = Writer { out: String::new(), keys, limit, depth: 0, texts: 0 };
    writer.any(payload);
    writer.finish()
}

/// What is written of a payload.
struct Writer<'k> {
    out: String,
    keys: &'k Keys,
    limit: usize,
    /// In how many objects and lists what is written stands.
    depth: usize,
    /// In how many texts.
    texts: usize,
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
        let beginning = head(inner, self.room() * LONGEST_ESCAPE);
        // It may end in the midst of an escape, which is as long as two when it is a pair of surrogates.
        let text = (0..2 * LONGEST_ESCAPE)
            .find_map(|less| unescaped(head(beginning, beginning.len().saturating_sub(less))));
        match text {
            Some(text) => {
                let decoded = decoded(&text).map(|decoded| (self.inner(&decoded), decoded));
                let hides = decoded.filter(|(shown, decoded)| shown != decoded);
                let shown = hides.map_or_else(|| self.inner(&text), |(shown, _)| shown);
                self.quoted(&shown);
            }
            None => self.quoted(MASK),
        }
        if beginning.len() < inner.len() {
            self.out.push(MORE);
        }
    }

    /// A text within the payload, masked.
    fn inner(&self, text: &str) -> String {
        if self.texts == MAX_TEXTS {
            return MORE.to_string();
        }
        let (limit, texts) = (self.room(), self.texts + 1);
        let mut inner = Writer { out: String::new(), keys: self.keys, limit, depth: self.depth, texts };
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

/// The value of a string, by what stands between its quotes.
fn unescaped(inner: &str) -> Option<String> {
    scan::string(&["\"", inner, "\""].concat()).map(Cow::into_owned)
}

/// What a text is in Base64, if that is text again; it may be cut anywhere.
fn decoded(text: &str) -> Option<String> {
    if text.len() < MIN_BASE64 {
        return None;
    }
    let mut bytes = STANDARD.decode_to_vec(text.get(..text.len() / 4 * 4)?).ok()?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        // Cut in the midst of a character.
        error.error_len().is_none().then(|| bytes.truncate(error.valid_up_to()))?;
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(|c| c.is_control() && !c.is_whitespace())).then_some(text)
}
