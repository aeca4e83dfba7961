//! JSON that is read only where somebody asks: a member stays text until then, so that a wrongly typed
//! neighbour costs nothing and the payload is never built as a tree.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::scan::{self, Scanner};

/// The longest header or attribute value that is read, in bytes.
pub(super) const MAX_HEADER: usize = 8 * 1024;

/// A member of a JSON object, not read yet; absent and `null` are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Part<'a>(Option<&'a str>);

impl<'a> Part<'a> {
    /// The value that this is the text of.
    pub(super) fn new(text: &'a str) -> Self {
        Self(Some(text))
    }

    /// The JSON text itself, a slice of what it was read from.
    pub(super) fn raw(self) -> Option<&'a str> {
        self.0.filter(|text| *text != "null")
    }

    /// The same, `null` as well.
    pub(super) fn raw_or_null(self) -> Option<&'a str> {
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
    pub(super) fn object<T: Shape<'a>>(self) -> Option<T> {
        object(self.raw()?)
    }

    /// The first item of a list; the others are not kept.
    pub(super) fn first(self) -> Option<Self> {
        let mut first = None;
        let keep = |scanner: &mut Scanner<'a>| {
            let item = scanner.value()?;
            first.get_or_insert(item);
            Some(())
        };
        scan::whole(self.raw()?, |scanner| scanner.list(keep))?;
        first.map(Self::new)
    }

    /// The items of a list.
    pub(super) fn list<T: Json<'a>>(self) -> Option<Vec<T>> {
        let mut items = Vec::new();
        let push = |scanner: &mut Scanner<'a>| {
            items.push(T::read(scanner)?);
            Some(())
        };
        scan::whole(self.raw()?, |scanner| scanner.list(push))?;
        Some(items)
    }
}

/// A JSON object, read as far as `T` asks for members.
pub(super) fn object<'a, T: Shape<'a>>(text: &'a str) -> Option<T> {
    scan::whole(text, T::read)
}

/// What can be read where a value begins.
pub(super) trait Json<'a>: Sized {
    fn read(scanner: &mut Scanner<'a>) -> Option<Self>;
}

/// What an object is read into, member by member. Most are declared with [`shape!`].
pub(super) trait Shape<'a>: Default {
    /// Reads the value of a member, whether one of that name is asked for or not; of several the last counts, as it
    /// does for whoever reads a map. With `None` the object is not read at all.
    fn take(&mut self, name: Cow<'a, str>, value: &mut Scanner<'a>) -> Option<()>;
}

/// Reads an object into a shape: a large one is not moved then.
pub(super) fn fill<'a>(shape: &mut impl Shape<'a>, scanner: &mut Scanner<'a>) -> Option<()> {
    scanner.object(|name, value| shape.take(name, value))
}

/// Reads an object within another, where it stands; of what is no object nothing is known.
pub(super) fn inner<'a, T: Shape<'a>>(shape: &mut T, scanner: &mut Scanner<'a>) -> Option<()> {
    *shape = T::default();
    if scanner.begins_with(b'{') { fill(shape, scanner) } else { scanner.value().map(drop) }
}

impl<'a> Json<'a> for Part<'a> {
    fn read(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.value().map(Self::new)
    }
}

impl<'a, T: Shape<'a>> Json<'a> for T {
    fn read(scanner: &mut Scanner<'a>) -> Option<Self> {
        let mut shape = T::default();
        fill(&mut shape, scanner)?;
        Some(shape)
    }
}

/// Declares the members that are read of an object, each with its name there, or its names: left unread, or, with `as`,
/// the members of an object inside.
macro_rules! shape {
    (
        $(#[$about:meta])*
        $vis:vis struct $shape:ident {
            $($(#[$about_member:meta])* $member_vis:vis $member:ident: $($name:literal)|+ $(as $inner:ident)?,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        $vis struct $shape<'a> {
            $($(#[$about_member])* $member_vis $member: $crate::triggers::json::shape!(@type $($inner)?),)+
        }

        impl<'a> $crate::triggers::json::Shape<'a> for $shape<'a> {
            fn take(
                &mut self,
                name: std::borrow::Cow<'a, str>,
                value: &mut $crate::triggers::scan::Scanner<'a>,
            ) -> Option<()> {
                match &*name {
                    $($($name)|+ => $crate::triggers::json::shape!(@read self.$member, value $(, $inner)?),)+
                    _ => drop(value.value()?),
                }
                Some(())
            }
        }
    };
    (@type) => { $crate::triggers::json::Part<'a> };
    (@type $inner:ident) => { $inner<'a> };
    (@read $member:expr, $value:ident) => { $member = $crate::triggers::json::Json::read($value)? };
    (@read $member:expr, $value:ident, $inner:ident) => { $crate::triggers::json::inner(&mut $member, $value)? };
}
pub(super) use shape;

#[cfg(test)]
mod tests {
    use super::super::scan::MAX_ITEMS;
    use super::*;

    shape! {
        struct One {
            one: "one" | "One",
        }
    }

    fn part(text: &str) -> Part<'_> {
        scan::whole(text, Part::read).unwrap()
    }

    #[test]
    fn of_an_object_the_last_member_of_each_name_counts() {
        let one = |text: &str| object::<One<'_>>(text).map(|one| one.one.integer());
        assert_eq!(one(r#"{"one":1,"two":[2],"One":3}"#), Some(Some(3)));
        assert_eq!(one(r#"{"\u006fne":1}"#), Some(Some(1)), "as every parser reads it");
        assert_eq!(one(r#"{"one":1,"one":null}"#), Some(None));
        assert_eq!((one("{}"), one("[]"), one(r#"{"one":1"#)), (Some(None), None, None));
    }

    shape! {
        struct Outer {
            one: "one" as One,
        }
    }

    #[test]
    fn of_an_object_within_another_too_and_what_is_none_has_no_members() {
        let one = |text: &str| object::<Outer<'_>>(text).map(|outer| outer.one.one.integer());
        assert_eq!(one(r#"{"one":{"one":1,"two":{}},"two":2}"#), Some(Some(1)));
        assert_eq!(one(r#"{"one":{"one":1},"one":{}}"#), Some(None), "nothing is left of the first");
        for none in ["null", "[{\"one\":1}]", "\"{\"", "1"] {
            assert_eq!(one(&format!(r#"{{"one":{{"one":1}},"one":{none}}}"#)), Some(None), "{none}");
        }
        assert_eq!((one(r#"{"one":{"one":1}"#), one(r#"{"one":{"one":1,}}"#)), (None, None), "torn");
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
