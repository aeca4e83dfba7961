//! Fields, messages, paths and ids without what is secret in them: the same that a payload hides.

use std::borrow::Cow;

use super::{Keys, MASK, Writer, begins_as_json, card, encoded, text};
use crate::propagation::Baggage;

impl Keys {
    /// A message, a path, or what else may say anything, without the secrets in it.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
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
