//! The members of an object whose names nobody knows beforehand.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::json::Part;

/// The most members that are read; an object with more is not read at all.
const MAX: usize = 10_000;

/// The members of an object by name, in the order they stand.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(pub(super) Vec<(String, Part<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self::default())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((name, value)) = map.next_entry::<String, Part<'a>>()? {
            if self.0.len() == MAX {
                return Err(A::Error::custom("too many members"));
            }
            self.0.push((name, value));
        }
        Ok(self)
    }
}

impl<'a> Members<'a> {
    /// The last member of that name, which is the one that a handler gets.
    pub(super) fn get(&self, name: &str) -> Option<Part<'a>> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| *value)
    }
}
