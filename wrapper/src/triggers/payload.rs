//! Data that is a JSON object, as streams carry it.

use super::carrier::{self, mentions_ours};
use super::{Sender, strip};
use crate::propagation::MEMBER;

/// What data tells that is a JSON object; nothing of any other.
#[derive(Debug, Default)]
pub(super) struct Payload {
    pub(super) sender: Option<Sender>,
    /// The data without our member; `None` if it had none.
    pub(super) stripped: Option<Vec<u8>>,
}

impl Payload {
    pub(super) fn read(data: &[u8]) -> Self {
        let Some(text) = std::str::from_utf8(data).ok().filter(|_| data.trim_ascii_start().starts_with(b"{"))
        else {
            return Self::default();
        };
        let stripped = if mentions_ours(text) { strip::without(text, MEMBER) } else { None };
        Self { sender: carrier::document(text), stripped: stripped.map(Into::into) }
    }
}
