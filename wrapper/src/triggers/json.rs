//! JSON that is read only where somebody asks: a member stays text until then, so that a wrongly typed
//! neighbour costs nothing and the payload is never built as a tree.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::scan::{self, Text};

/// The longest header or attribute value that is read, in bytes.
pub(super) const MAX_HEADER: usize = 8 * 1024;
/// The most items of a list that are read, which is the largest batch that Lambda sends. A longer list is not
/// read at all: six megabytes of `{},{},…` must not become hundreds.
const MAX_ITEMS: usize = 10_000;

/// A member of a JSON object, not read yet; absent and `null` are the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part<'a>(Option<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Part<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        Ok(Self(Some(text).filter(|text| *text != "null")))
    }
}

impl<'a> Part<'a> {
    /// The JSON text itself, a slice of what it was read from.
    pub(super) fn raw(self) -> Option<&'a str> {
        self.0
    }

    /// The value of a string.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        scan::string(self.raw()?)
    }

    /// The value of a string, unless it is too long for a header.
    pub(super) fn header(self) -> Option<Cow<'a, str>> {
        // The quotes are not of the value.
        self.raw().filter(|raw| raw.len() <= MAX_HEADER + 2).and_then(|_| self.text())
    }

    /// The value of a string, or a number or truth value as it stands, unless it is too long for a header.
    pub(super) fn scalar(self) -> Option<Cow<'a, str>> {
        let raw = self.raw()?;
        let bare = !raw.starts_with(['"', '{', '[']) && raw.len() <= MAX_HEADER;
        if bare { Some(Cow::Borrowed(raw)) } else { self.header() }
    }

    /// Text that stands in Base64, unless it is too long for a header.
    pub(super) fn binary_header(self) -> Option<Cow<'a, str>> {
        let bytes = BASE64_STANDARD.decode(&*self.header()?).ok()?;
        String::from_utf8(bytes).ok().map(Cow::Owned)
    }

    /// A whole number, or a string of its digits.
    pub(super) fn integer(self) -> Option<i64> {
        self.text().as_deref().or(self.raw())?.parse().ok()
    }

    /// The time that so many seconds since 1970 are, to the millisecond, which is as much as a float of them holds.
    pub(super) fn seconds(self) -> Option<SystemTime> {
        let millis = (self.raw()?.parse::<f64>().ok()? * 1_000.0).round();
        // Up to the year 9999, so that the cast loses nothing.
        let sane = (0.0..253_402_300_800_000.0).contains(&millis);
        sane.then(|| UNIX_EPOCH.checked_add(Duration::from_millis(millis as u64))).flatten()
    }

    /// The time that so many milliseconds since 1970 are.
    pub(super) fn millis(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.integer()?.try_into().ok()?))
    }

    /// An object, read as far as `T` asks for members.
    pub(super) fn object<T: Deserialize<'a>>(self) -> Option<T> {
        object(self.raw()?)
    }

    /// The items of a list.
    pub(super) fn list<T: Deserialize<'a>>(self) -> Option<Vec<T>> {
        scan::read(self.raw()?).map(|Items(items)| items)
    }
}

/// A JSON object, read as far as `T` asks for members.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    scan::read(text)
}

struct Items<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor(PhantomData))
    }
}

struct ItemsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ItemsVisitor<T> {
    type Value = Items<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MAX_ITEMS {
                return Err(A::Error::custom("too many items"));
            }
            items.push(item);
        }
        Ok(Items(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Empty {}

    fn part(text: &str) -> Part<'_> {
        scan::read(text).unwrap()
    }

    #[test]
    fn a_value_is_read_only_as_what_it_is() {
        assert_eq!(part(r#""a\"b""#).text().as_deref(), Some("a\"b"));
        assert_eq!(part(r#""\ud800""#).text(), None, "half a surrogate pair");
        assert_eq!(part("12").text(), None);
        assert_eq!(
            (part("12").integer(), part(r#""12""#).integer(), part("1.5").integer()),
            (Some(12), Some(12), None)
        );
        assert_eq!(part("null").raw(), None);
        for (json, value) in
            [("3", Some("3")), ("true", Some("true")), (r#""a""#, Some("a")), ("[1]", None), ("{}", None)]
        {
            assert_eq!(part(json).scalar().as_deref(), value, "{json}");
        }
        assert_eq!(part("-1").millis(), None);
        assert_eq!((part("1e999").seconds(), part("-1").seconds()), (None, None));
        assert_eq!(part("1.477").seconds(), part("1477").millis());
        assert_eq!(part(r#""YWI=""#).binary_header().as_deref(), Some("ab"));
        assert_eq!(part(r#""/w==""#).binary_header(), None, "not UTF-8");
        assert!(part("[]").object::<Empty>().is_none());
    }

    #[test]
    fn a_header_and_a_list_are_bounded() {
        let longest = format!("\"{}\"", "x".repeat(MAX_HEADER));
        assert!(part(&longest).header().is_some());
        assert!(part(&longest.replacen('x', "xx", 1)).header().is_none());
        let list = |items: usize| format!("[{}]", vec!["{}"; items].join(","));
        assert_eq!(part(&list(MAX_ITEMS)).list::<Part<'_>>().map(|items| items.len()), Some(MAX_ITEMS));
        assert!(part(&list(MAX_ITEMS + 1)).list::<Part<'_>>().is_none());
    }
}
