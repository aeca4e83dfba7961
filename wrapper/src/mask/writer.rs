//! A payload, passed through member by member and written without its secrets, until there is enough of it.

use std::borrow::Cow;

use memchr::memchr2;

use super::encoded::{self, Decoded};
use super::pairs::{self, Pair, Part};
use super::spelling::{self, head, unescaped};
use super::{Keys, MASK, MORE, begins_as_json, card, text};
use crate::triggers::scan::Scanner;

/// How deep objects and lists are followed; deeper ones are left out.
const MAX_DEPTH: usize = 24;
/// The same of texts within texts. Each doubles the backslashes of those inside.
const MAX_TEXTS: usize = 5;
/// How much of a text is looked at beyond what there is room for: a secret is known for one only if it is seen whole.
const AHEAD: usize = 512;

/// What is written of a payload.
pub(super) struct Writer<'k> {
    out: String,
    keys: &'k Keys,
    limit: usize,
    /// In how many objects and lists what is written stands.
    depth: usize,
    /// In how many texts.
    texts: usize,
    /// Something was left out.
    pub(super) hides: bool,
}

impl<'k> Writer<'k> {
    pub(super) fn passed(payload: &str, keys: &'k Keys, limit: usize) -> Self {
        let out = String::with_capacity(payload.len().min(limit) + 2 * MORE.len_utf8());
        let mut writer = Self { out, keys, limit, depth: 0, texts: 0, hides: false };
        writer.any(payload, false);
        writer
    }

    /// Writes JSON, or what is none as text; `is_cut` where there was more of it.
    fn any(&mut self, payload: &str, is_cut: bool) {
        if begins_as_json(payload) {
            self.json(payload, is_cut);
            return;
        }
        let room = self.room().saturating_add(AHEAD);
        let shown = head(payload, room);
        let is_cut = is_cut || shown.len() < payload.len();
        if self.decoded(shown, is_cut).is_none() {
            self.words(shown, is_cut);
        }
        if shown.len() < payload.len() {
            self.more();
        }
    }

    /// Writes one or more values of JSON; from where it is none any more, text.
    fn json(&mut self, payload: &str, is_cut: bool) {
        let mut scanner = Scanner::new(payload);
        let mut is_json = true;
        while is_json && self.value(&mut scanner).is_some() {
            let rest = scanner.rest_text();
            let next = rest.trim_ascii_start();
            if next.is_empty() {
                return;
            }
            is_json = next.starts_with(['{', '[']);
            if is_json {
                self.out.push_str(rest.strip_suffix(next).unwrap_or_default());
                scanner = Scanner::new(next);
            }
        }
        let rest = scanner.rest_text();
        // What is torn is neither.
        if self.is_full() || rest.is_empty() || rest.starts_with(['"', '{', '[']) {
            self.more();
        } else if self.decoded(rest, is_cut).is_none() {
            self.words(rest, is_cut);
        }
    }

    /// Writes what a text stands for if that hides something; `None` if it says nothing else than it seems to.
    fn decoded(&mut self, text: &str, is_cut: bool) -> Option<()> {
        match encoded::decoded(text)? {
            Decoded::Text(decoded) => {
                let inner = self.inner(&decoded, is_cut);
                if !inner.hides {
                    return None;
                }
                self.hides = true;
                self.out.push_str(&inner.out);
            }
            Decoded::Binary(text) => {
                if matches!(text::masked(&text, self.keys), Cow::Borrowed(_)) {
                    return None;
                }
                self.hides = true;
                self.out.push_str(MASK);
            }
        }
        Some(())
    }

    /// Writes a text that is no JSON.
    fn words(&mut self, text: &str, is_cut: bool) {
        let text = if is_cut { text::without_half_a_secret(text) } else { text };
        let shown = text::masked(text, self.keys);
        self.hides |= matches!(shown, Cow::Owned(_));
        self.out.push_str(&shown);
    }

    /// Writes the value that begins here; `None` if it is torn, or there is enough.
    fn value(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        if self.is_full() {
            return None;
        }
        if scanner.begins_with(b'{') {
            return self.nested('{', '}', scanner, Self::members);
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
                self.string(torn, true);
            }
            return None;
        };
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(inner) => self.string(inner, false),
            None if card::is_in(raw) => self.mask(),
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
            self.hides = true;
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

    /// Writes what stands in an object.
    fn members(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        let (mut is_first, mut pair) = (true, Pair::default());
        scanner.object(|name, scanner| {
            self.separate(&mut is_first);
            let part = Part::of(&name);
            let is_secret = self.keys.are_secret(&name) || pair.hides(part);
            self.name(name);
            if is_secret {
                return self.secret(scanner);
            }
            if part == Some(Part::Name) && pairs::is_secret(scanner.rest_text(), self.keys) {
                self.hides |= pair.is_secret(&mut self.out);
            }
            let begin = self.out.len();
            self.value(scanner)?;
            pair.told(part, begin..self.out.len());
            Some(())
        })
    }

    fn name(&mut self, name: Cow<'_, str>) {
        match name {
            // Without escapes, as most are.
            Cow::Borrowed(name) => self.out.extend(["\"", name, "\":"]),
            Cow::Owned(name) => {
                self.quoted(&name);
                self.out.push(':');
            }
        }
    }

    /// Writes a secret: that there is one, and nothing of it. What is empty tells nothing.
    fn secret(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        match scanner.value() {
            Some(nothing @ ("null" | "\"\"" | "{}" | "[]")) => self.out.push_str(nothing),
            Some(_) => self.mask(),
            None => {
                self.mask();
                // Nobody knows where it ends.
                *scanner = Scanner::new("");
                return None;
            }
        }
        Some(())
    }

    /// Writes a text, by what stands between its quotes.
    fn string(&mut self, inner: &str, is_torn: bool) {
        let beginning = head(inner, self.room().saturating_add(AHEAD));
        let is_cut = is_torn || beginning.len() < inner.len();
        // Most texts are what they seem to be, and have no escapes.
        let is_spelled = memchr2(b'\\', b'%', beginning.as_bytes()).is_some();
        let text = if is_spelled { unescaped(beginning) } else { Some(Cow::Borrowed(beginning)) };
        match text {
            Some(text) if is_cut || is_spelled || begins_as_json(&text) || encoded::is_base64_all(&text) => {
                let inner = self.inner(&text, is_cut);
                self.hides |= inner.hides;
                self.quoted(&inner.out);
            }
            Some(text) => match text::masked(&text, self.keys) {
                Cow::Borrowed(shown) => self.out.extend(["\"", shown, "\""]),
                Cow::Owned(shown) => {
                    self.hides = true;
                    self.quoted(&shown);
                }
            },
            None => self.mask(),
        }
        if is_cut {
            self.more();
        }
    }

    /// A text within the payload, masked.
    fn inner(&self, text: &str, is_cut: bool) -> Self {
        let (limit, texts) = (self.room(), self.texts + 1);
        let out = String::with_capacity(text.len());
        let mut inner = Self { out, keys: self.keys, limit, depth: self.depth, texts, hides: false };
        if texts > MAX_TEXTS {
            inner.more()
        } else {
            inner.any(text, is_cut)
        }
        inner
    }

    fn mask(&mut self) {
        self.hides = true;
        self.quoted(MASK);
    }

    fn quoted(&mut self, text: &str) {
        spelling::quote(text, &mut self.out);
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push(',');
        }
    }

    /// Says that there was more, once.
    fn more(&mut self) {
        self.hides = true;
        if !self.out.ends_with(MORE) {
            self.out.push(MORE);
        }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }

    fn is_full(&self) -> bool {
        self.out.len() >= self.limit
    }

    pub(super) fn finish(mut self) -> String {
        if self.out.len() > self.limit {
            self.out.truncate(self.out.floor_char_boundary(self.limit.saturating_sub(MORE.len_utf8())));
            self.out.push(MORE);
        }
        self.out
    }
}
