//! The members of an object whose names say something, found in one pass and left unread.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{DATADOG, DAZN};
use crate::propagation::{Context, MEMBER, Meaning, Named};
use crate::triggers::headers::REQUEST;
use crate::triggers::json::{Json as _, Part, Shape};
use crate::triggers::scan::Scanner;

/// The most members with names that people choose (`x-correlation-…`).
const MAX_CHOSEN: usize = 64;
/// X-Ray's header as its documentation spells it, and OpenTelemetry for Python; for JavaScript it has no capitals.
const XRAY: &str = "X-Amzn-Trace-Id";
/// The most members in all.
const MAX_KEPT: usize = 2 * MAX_CHOSEN;

/// The members of an object that a context may be made of, whatever a value looks like there, and the headers
/// that describe a request.
#[derive(Debug, Default)]
pub(in crate::triggers) struct Carrier<'a>(SmallVec<[(Cow<'a, str>, Part<'a>); 4]>);

impl<'a> Carrier<'a> {
    /// Whether a member of that name is kept. Spelled with escapes (`"\u005fthroughline"`) our own is not: nobody of us
    /// writes that, and it is neither read nor cut.
    #[expect(clippy::ptr_arg, reason = "what was spelled with escapes is owned")]
    pub(in crate::triggers) fn knows(name: &Cow<'_, str>) -> bool {
        // A document may have very many members, and nearly all are the program's own: told by their first letter.
        let may_be_known =
            name.bytes().next().is_some_and(|first| b"_bcdhotux".contains(&first.to_ascii_lowercase()));
        may_be_known
            && (matches!(name, Cow::Borrowed(MEMBER))
                || [DATADOG, DAZN].contains(&&**name)
                || Named::knows(name)
                || REQUEST.iter().any(|known| name.eq_ignore_ascii_case(known)))
    }

    /// The last member of that name, in that case.
    pub(in crate::triggers) fn get(&self, name: &str) -> Part<'a> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| *value).unwrap_or_default()
    }

    /// The values of our member, as they stand; `None` if there may be more of them than were kept.
    pub(in crate::triggers) fn ours(&self) -> Option<impl Iterator<Item = &'a str>> {
        let ours = self.0.iter().filter(|(name, _)| name == MEMBER);
        (self.0.len() < MAX_KEPT).then(|| ours.filter_map(|(_, value)| value.raw_or_null()))
    }

    /// The members of that name, in any case, as headers have it.
    pub(in crate::triggers) fn all(&self, name: &str) -> impl Iterator<Item = Part<'a>> {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    pub(in crate::triggers) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// W3C's context, with `value` to unwrap each of the three.
    pub(in crate::triggers) fn context(
        &self,
        value: impl Fn(Part<'a>) -> Option<Cow<'a, str>>,
    ) -> Option<Context> {
        let traceparent = value(self.get("traceparent"))?;
        let (tracestate, baggage) = (value(self.get("tracestate")), value(self.get("baggage")));
        Context::from_headers(&traceparent, tracestate.as_deref(), baggage.as_deref())
    }

    /// The values that say something in any dialect, with `value` to unwrap each. Names have a case here; but
    /// powertools pass `X-Correlation-…` on as the header was spelled, and X-Ray's header is spelled in both ways.
    pub(in crate::triggers) fn named(&self, value: impl Fn(Part<'a>) -> Option<Cow<'a, str>>) -> Named<'a> {
        let mut named = Named::default();
        let has_capitals = |name: &str| name.bytes().any(|b| b.is_ascii_uppercase());
        for (name, part) in &self.0 {
            let Some(meaning) = Named::meaning(name) else { continue };
            let is_written_so = matches!(meaning, Meaning::Chosen) || name == XRAY || !has_capitals(name);
            if let Some(value) = is_written_so.then(|| value(*part)).flatten() {
                named.put(meaning, name, value);
            }
        }
        named
    }

    /// Takes in the members of another object.
    pub(in crate::triggers) fn append(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.add(name, value);
        }
    }

    fn add(&mut self, name: Cow<'a, str>, value: Part<'a>) {
        let limit = if Named::is_chosen(&name) { MAX_CHOSEN } else { MAX_KEPT };
        if self.0.len() < limit {
            self.0.push((name, value));
        }
    }
}

impl<'a> Shape<'a> for Carrier<'a> {
    fn take(&mut self, name: Cow<'a, str>, value: &mut Scanner<'a>) -> Option<()> {
        let value = Part::read(value)?;
        if Self::knows(&name) {
            self.add(name, value);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(name: &str) -> bool {
        Carrier::knows(&Cow::Borrowed(name))
    }

    #[test]
    fn every_name_that_is_looked_for_is_known_in_any_case() {
        for name in Named::NAMES.iter().chain(&REQUEST).chain(&["x-correlation-a", "ot-baggage-a"]) {
            assert!(knows(name) && knows(&name.to_ascii_uppercase()), "{name}");
        }
        assert!(knows(MEMBER) && knows(DATADOG) && knows(DAZN));
        assert!(!Carrier::knows(&Cow::Owned(MEMBER.to_owned())), "which had escapes");
        assert!(!knows("") && !knows("total") && !knows("order"));
    }
}
