//! JSON that is passed over: a deserializer that gives members as slices of the text and validates no more than it
//! must to find where they end.
//!
//! An event may have six megabytes, and the handler's own parser reads them all anyway. What is not asked for is
//! passed over 64 bytes at a time (`scan/blocks.rs`), however it is nested: brackets are counted, nothing recurses.
//! So a malformed value that nobody asked for goes unnoticed here. What is given out is a whole value between its
//! own quotes or brackets, at least. That is harmless: no handler can read such an event, and of a text in it that
//! is no JSON further inside, at most a member of our name is cut.

mod blocks;
mod found;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use memchr::memchr;
use serde::de::value::MapDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use found::Field;

/// Reads a whole text; `None` if it is not what `T` asks for.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    read_as(text, PhantomData)
}

/// Reads a whole text; `None` if it is not what `seed` asks for.
pub(super) fn read_as<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Option<S::Value> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    let value = seed.deserialize(&mut scanner).ok()?;
    scanner.skip_space();
    (scanner.at == text.len()).then_some(value)
}

/// The first item of a list, which is not read to its end.
pub(super) fn first_item(list: &str) -> Option<&str> {
    let mut scanner = Scanner { text: list, at: 0 };
    scanner.skip_space();
    scanner.take(b'[').ok()?;
    scanner.value().ok()
}

/// The value of a string, from its text.
pub(super) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = unquoted(text)?;
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(text).ok().map(Cow::Owned)
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"')
}

/// The text of a value, not read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a>(pub(super) &'a str);

/// How a [`Text`] asks for itself: by the name of a newtype, as `serde_json`'s `RawValue` does.
const TEXT: &str = "throughline::Text";

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(text))
    }
}

/// It is not JSON, or not of the shape that was asked for.
#[derive(Debug)]
pub(super) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not JSON of this shape")
    }
}

impl std::error::Error for Malformed {}

impl de::Error for Malformed {
    // Nobody reads it: no text is made.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A place in a JSON text.
struct Scanner<'de> {
    text: &'de str,
    at: usize,
}

impl<'de> Scanner<'de> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes this byte, and the space after it.
    fn take(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(Malformed);
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// The text of the value that begins here.
    fn value(&mut self) -> Result<&'de str, Malformed> {
        let bytes = self.text.as_bytes();
        let end = match self.peek() {
            Some(b'"') => blocks::string_end(bytes, self.at).map(|(end, _)| end),
            Some(b'{' | b'[') => blocks::container_end(bytes, self.at),
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                bytes.get(self.at..).map(|rest| self.at + rest.iter().take_while(is_part).count())
            }
            _ => None,
        };
        let value = end.and_then(|end| self.text.get(self.at..end)).ok_or(Malformed)?;
        self.at += value.len();
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Scanner<'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.peek() {
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'"') => self.deserialize_str(visitor),
            // A number, `true`, `false` or `null`: none of the shapes asks for these.
            _ => Err(Malformed),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        if name == TEXT {
            visitor.visit_borrowed_str(self.value()?)
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.value()?;
        visitor.visit_unit()
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed);
        }
        let (end, escaped) = blocks::string_end(self.text.as_bytes(), self.at).ok_or(Malformed)?;
        let text = self.text.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        if escaped {
            visitor.visit_string(serde_json::from_str(text).map_err(|_| Malformed)?)
        } else {
            visitor.visit_borrowed_str(unquoted(text).ok_or(Malformed)?)
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_str(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.take(b'{')?;
        let value = visitor.visit_map(Items { scanner: self, is_first: true })?;
        self.take(b'}')?;
        Ok(value)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.take(b'[')?;
        let value = visitor.visit_seq(Items { scanner: self, is_first: true })?;
        self.take(b']')?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.take(b'{')?;
        let mut items = Items { scanner: self, is_first: true };
        // Room for all at once: a batch has some shapes in each of its records.
        let mut found: Vec<(&'static str, Text<'de>)> = Vec::with_capacity(fields.len());
        while let Some(field) = items.next_key_seed(Field(fields))? {
            let value = items.next_value()?;
            let Some(field) = field else { continue };
            // Of several members with one name the last counts, as it does for whoever reads a map.
            match found.iter_mut().find(|(known, _)| *known == field) {
                Some((_, old)) => *old = value,
                None => found.push((field, value)),
            }
        }
        self.take(b'}')?;
        visitor.visit_map(MapDeserializer::new(found.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit unit_struct tuple
        tuple_struct enum
    }
}

/// What stands between two brackets, separated by commas.
struct Items<'s, 'de> {
    scanner: &'s mut Scanner<'de>,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Goes to the next item; `false` at `end`, the closing bracket.
    fn advance(&mut self, end: u8) -> Result<bool, Malformed> {
        self.scanner.skip_space();
        if self.scanner.peek() == Some(end) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.scanner.take(b',')?;
        }
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        if !self.advance(b'}')? {
            return Ok(None);
        }
        // Whoever reads a key asks for a string.
        seed.deserialize(&mut *self.scanner).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        self.scanner.skip_space();
        self.scanner.take(b':')?;
        seed.deserialize(&mut *self.scanner)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        if !self.advance(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.scanner).map(Some)
    }
}
