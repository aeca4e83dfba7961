//! JSON that is passed over: objects and lists member by member, each a slice of the text, and no more of it validated
//! than must be to find where it ends.
//!
//! An event may have six megabytes, and the handler's own parser reads them all anyway. What is not asked for is
//! passed over 64 bytes at a time (`scan/blocks.rs`), however it is nested: brackets are counted, nothing recurses.
//! So a malformed value that nobody asked for goes unnoticed here. What is given out is a whole value between its
//! own quotes or brackets, at least. That is harmless: no handler can read such an event, and of a text in it that
//! is no JSON further inside, at most a member of our name is cut.

mod blocks;
#[cfg(test)]
pub(super) mod tests;

use std::borrow::Cow;

use memchr::memchr;

/// The most items of a list that are read, which is the largest batch that Lambda sends. A longer list is not
/// read at all: six megabytes of `{},{},…` must not become hundreds.
pub(super) const MAX_ITEMS: usize = 10_000;

/// Reads a whole text; `None` if there is more in it than `read` takes.
pub(crate) fn whole<'a, T>(text: &'a str, read: impl FnOnce(&mut Scanner<'a>) -> Option<T>) -> Option<T> {
    let mut scanner = Scanner::new(text);
    let value = read(&mut scanner)?;
    scanner.skip_space();
    (scanner.at == text.len()).then_some(value)
}

/// The first item of a list, which is not read to its end.
pub(super) fn first_item(list: &str) -> Option<&str> {
    let mut scanner = Scanner::new(list);
    scanner.take(b'[')?;
    scanner.value()
}

/// The value of a string, from its text.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = unquoted(text)?;
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    unescaped(text)
}

/// The value of a string that has escapes. Few have: whoever reads one that has none doesn't pay for this one's registers.
#[cold]
#[inline(never)]
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str(text).ok().map(Cow::Owned)
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// A place in a JSON text. Whatever is read moves it behind that; what is not there, or is torn, gives `None`, and
/// nothing can be read after it.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Where the first value of a text begins.
    pub(crate) fn new(text: &'a str) -> Self {
        let mut scanner = Self { text, at: 0 };
        scanner.skip_space();
        scanner
    }

    /// The text of the value that begins here, whatever it is.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let end = match self.peek()? {
            b'"' => blocks::string_end(bytes, self.at)?.0,
            b'{' | b'[' => blocks::container_end(bytes, self.at)?,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                self.at + bytes.get(self.at..)?.iter().take_while(is_part).count()
            }
            _ => return None,
        };
        let value = self.text.get(self.at..end)?;
        self.at = end;
        Some(value)
    }

    /// The text from here on.
    pub(crate) fn rest_text(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// How many bytes of the text come after here.
    pub(super) fn rest(&self) -> usize {
        self.text.len() - self.at
    }

    /// The text of what `read` takes.
    pub(super) fn text_of(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<&'a str> {
        let begin = self.at;
        read(self)?;
        self.text.get(begin..self.at)
    }

    /// Whether what begins here begins so.
    pub(crate) fn begins_with(&self, byte: u8) -> bool {
        self.peek() == Some(byte)
    }

    /// The object that begins here: `member` is given each of its names in order, and reads the value from here.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(Cow<'a, str>, &mut Self) -> Option<()>,
    ) -> Option<()> {
        self.between(b'{', b'}', |scanner| {
            let name = scanner.string()?;
            scanner.skip_space();
            scanner.take(b':')?;
            member(name, scanner)
        })
    }

    /// The list that begins here: `item` reads each of its items in order.
    pub(crate) fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let mut items = 0;
        self.between(b'[', b']', |scanner| {
            items += 1;
            if items <= MAX_ITEMS { item(scanner) } else { None }
        })
    }

    /// What stands between two brackets, separated by commas.
    fn between(&mut self, begin: u8, end: u8, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(begin)?;
        if self.peek()? != end {
            one(self)?;
            self.skip_space();
            while self.peek()? != end {
                self.take(b',')?;
                one(self)?;
                self.skip_space();
            }
        }
        self.at += 1;
        Some(())
    }

    /// The value of the string that begins here.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.peek()? != b'"' {
            return None;
        }
        let (end, escaped) = blocks::string_end(self.text.as_bytes(), self.at)?;
        let text = self.text.get(self.at..end)?;
        self.at = end;
        if escaped { unescaped(text) } else { unquoted(text).map(Cow::Borrowed) }
    }

    /// Takes this byte, and the space after it.
    fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        self.skip_space();
        Some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
