//! Fields, messages, paths and ids without what is secret in them: the same that a payload hides.

use std::borrow::Cow;

use super::{Keys, MASK, Writer, begins_as_json, card, encoded, text};
use crate::propagation::Baggage;

impl Keys {
    /// A message, a path, or what else may say anything, without the secrets in it.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if is_hex_id(text) { Cow::Borrowed(text) } else { self.any(text) }
    }

    fn any<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !begins_as_json(text) && !encoded::may_be(text) {
            return text::masked(text, self);
        }
        let passed = Writer::passed(text, self, usize::MAX / 2);
        if passed.hides { Cow::Owned(passed.finish()) } else { Cow::Borrowed(text) }
    }

    /// What stands for the value of a field of that name, if it may not be told as it is.
    pub(crate) fn field(&self, name: &str, text: &str) -> Option<Cow<'static, str>> {
        let told = match name {
            Baggage::USER_ID | Baggage::ACCOUNT_ID | Baggage::CORRELATION_ID => self.id(text),
            _ if self.are_secret(name) => return (!text.is_empty()).then_some(Cow::Borrowed(MASK)),
            _ => self.text(text),
        };
        match told {
            Cow::Owned(masked) => Some(Cow::Owned(masked)),
            Cow::Borrowed(_) => None,
        }
    }

    /// The same of a number.
    pub(crate) fn number(&self, name: &str, number: i64) -> Option<&'static str> {
        // That of a card has 13 digits at least.
        let is_secret =
            self.are_secret(name) || number >= 1_000_000_000_000 && card::is_in(&number.to_string());
        is_secret.then_some(MASK)
    }

    /// What the program finds users, customers and transactions by, which may be an address of mail.
    pub(crate) fn id<'t>(&self, id: &'t str) -> Cow<'t, str> {
        match self.text(id) {
            Cow::Owned(_) if text::is_address(id) => Cow::Borrowed(id),
            told => told,
        }
    }
}

/// Whether a text is hexadecimal digits and hyphens, as ids mostly are, and too few of them are decimal for a card: each
/// span asks for some, and a closer look takes ten times as long.
fn is_hex_id(text: &str) -> bool {
    let mut digits = 0;
    is_uuid(text)
        || text.len() <= 64
            && text.bytes().all(|byte| {
                digits = match byte {
                    b'0'..=b'9' => digits + 1,
                    b'-' => digits,
                    _ => 0,
                };
                digits < card::LEAST && matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')
            })
}

/// Whether a text is a UUID, as request ids are. One in twenty thousand has the number of a card among its digits, by chance.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_told_unless_they_may_be_cards() {
        let id = |id: &str| Keys::default().id(id).into_owned();
        for told in [
            "b5f2b4d4-0b0f-4f6e-9d9e-3d9a8a4c6f70",
            "c4c0366c-6379-4005-9788-2796dbfd584e",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "",
            "ann@example.com",
        ] {
            assert_eq!(id(told), told);
        }
        for card in ["4111111111111111", "4111-1111-1111-1111", "a-4111-1111-1111-1111"] {
            assert!(!id(card).contains("1111-1111") && !id(card).contains("11111111"), "{}", id(card));
        }
        assert!(!is_hex_id(&"a".repeat(65)), "bounded");
    }

    proptest! {
        #[test]
        fn a_closer_look_finds_nothing_in_hexadecimal_ids(id in "[0-9a-f-]{0,64}|([0-9]{4}-){2,5}[0-9a-f]{1,20}") {
            if is_hex_id(&id) && !is_uuid(&id) {
                prop_assert_eq!(Keys::default().any(&id), id.as_str());
            }
        }
    }
}
