//! The members of an object whose names nobody knows beforehand.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::json::{Json as _, Part, Shape};
use super::scan::Scanner;

/// The most members that are read; an object with more is not read at all.
const MAX: usize = 10_000;

/// The members of an object by name, in the order they stand.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(pub(super) SmallVec<[(Cow<'a, str>, Part<'a>); 2]>);

impl<'a> Shape<'a> for Members<'a> {
    fn take(&mut self, name: Cow<'a, str>, value: &mut Scanner<'a>) -> Option<()> {
        if self.0.len() == MAX {
            return None;
        }
        self.0.push((name, Part::read(value)?));
        Some(())
    }
}

impl<'a> Members<'a> {
    /// The last member of that name, which is the one that a handler gets.
    pub(super) fn get(&self, name: &str) -> Option<Part<'a>> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| *value)
    }
}
