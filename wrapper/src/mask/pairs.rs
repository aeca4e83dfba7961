//! Members of which one says what the other is called, as environments, tags and attributes come:
//! `{"name": "DB_PASSWORD", "value": …}`.
//!
//! The value may stand first. Then it is written before anybody knows that it is secret, and hidden afterwards; where the
//! payload ends before the name, nobody ever knows.

use std::ops::Range;

use super::spelling::{head, quote};
use super::{Keys, MASK};
use crate::triggers::scan::{self, Scanner};

/// How long a name may be. What is longer is a text.
const MAX_NAME: usize = 128;

/// What a member of such an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Name,
    Value,
}

impl Part {
    /// By what the member is called.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.len() {
            3 | 4 if name.eq_ignore_ascii_case("key") || name.eq_ignore_ascii_case("name") => {
                Some(Self::Name)
            }
            5 if name.eq_ignore_ascii_case("value") => Some(Self::Value),
            _ => None,
        }
    }
}

/// What is known of one such object.
#[derive(Default)]
pub(super) struct Pair {
    is_secret: bool,
    /// Where its value is written.
    value: Option<Range<usize>>,
}

impl Pair {
    /// Whether this member is to be hidden.
    pub(super) fn hides(&self, part: Option<Part>) -> bool {
        self.is_secret && part == Some(Part::Value)
    }

    /// A member was written here.
    pub(super) fn told(&mut self, part: Option<Part>, at: Range<usize>) {
        if part == Some(Part::Value) {
            self.value = Some(at);
        }
    }

    /// The name is that of a secret: hides the value if it is written already. Whether there was something to hide.
    pub(super) fn is_secret(&mut self, out: &mut String) -> bool {
        self.is_secret = true;
        let Some(value) = self.value.take() else { return false };
        if matches!(out.get(value.clone()), None | Some("null" | "\"\"" | "{}" | "[]")) {
            return false;
        }
        let mut mask = String::new();
        quote(MASK, &mut mask);
        out.replace_range(value, &mask);
        true
    }
}

/// Whether the text of JSON that begins here is the name of a secret.
pub(super) fn is_secret(json: &str, keys: &Keys) -> bool {
    let mut scanner = Scanner::new(head(json, MAX_NAME));
    let name = if scanner.begins_with(b'"') { scanner.value().and_then(scan::string) } else { None };
    name.is_some_and(|name| keys.are_secret(&name))
}
