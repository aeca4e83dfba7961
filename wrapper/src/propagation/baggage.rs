//! W3C Baggage (<https://www.w3.org/TR/baggage/>), bounded by bytes and by members.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::{memchr, memchr2};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The longest header that is read, in bytes; a longer one is not read at all.
const MAX_READ: usize = 8 * 1024;
/// The most members that are read; a header with more is not read at all.
const MAX_MEMBERS: usize = 64;
/// As many members as most headers have.
const FEW: usize = 4;
/// The longest header that is written, in bytes.
const MAX_WRITTEN: usize = 1024;
/// What the reserved members may take of it together, in bytes. They are never trimmed for others.
const MAX_RESERVED: usize = 512;

/// What those of them that say who the user is may take together, in bytes: then the others fit in any case.
const MAX_WHO: usize = 182;
/// The longest `correlation.id`, in bytes as it is written: one of another system may have any length.
const MAX_ID: usize = 128;
/// The longest `throughline.entry`, in bytes as it is written; a longer one is cut.
const MAX_ENTRY: usize = 96;
/// The longest mark or count: `false`, `65535`.
const MAX_MARK: usize = 5;

/// Members that the project itself gives a meaning, in the order they are written: first of all, never trimmed for others.
const RESERVED: [&str; 9] = [
    Baggage::CORRELATION_ID,
    Baggage::ENTRY,
    Baggage::HOPS,
    Baggage::DEBUG,
    Baggage::DRY_RUN,
    Baggage::USER_ID,
    Baggage::USER_TEST,
    Baggage::ACCOUNT_ID,
    Baggage::ACCOUNT_PLAN,
];

/// Those of them that say who the user is.
const WHO: [&str; 4] = [Baggage::USER_ID, Baggage::USER_TEST, Baggage::ACCOUNT_ID, Baggage::ACCOUNT_PLAN];

/// Members that are attributes of every invocation span and record span as well, so that a transaction is found by
/// them wherever it went.
const ATTRIBUTES: [&str; 6] = [
    Baggage::CORRELATION_ID,
    Baggage::ENTRY,
    Baggage::USER_ID,
    Baggage::USER_TEST,
    Baggage::ACCOUNT_ID,
    Baggage::ACCOUNT_PLAN,
];

/// What the keys begin with that say how functions behave (`throughline.debug`, `throughline.dry-run`) or what the
/// transaction went through (`throughline.entry`, `throughline.hops`): said by code inside, by nobody else.
const OURS: &str = "throughline.";

/// Bytes of a value that are percent-encoded: all but the specification's `baggage-octet`, and `%` itself.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// Key and value. Reserved keys are not copied, and a copied baggage shares its values: there may be 10,000 in a batch.
type Member = (Cow<'static, str>, Arc<str>);

/// Key and value pairs that travel with a transaction from hop to hop, in the order they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Baggage {
    members: Vec<Member>,
}

impl Baggage {
    /// Key of the id that names the transaction for people; made at the first function, never changed.
    pub(crate) const CORRELATION_ID: &str = "correlation.id";
    /// Key of the first function's route or trigger.
    pub(crate) const ENTRY: &str = "throughline.entry";
    /// Key of the number of functions that the transaction has come through.
    pub(crate) const HOPS: &str = "throughline.hops";
    /// Key of the mark that asks for debug lines.
    pub(crate) const DEBUG: &str = "throughline.debug";
    /// Key of the mark of a transaction that changes nothing.
    pub(crate) const DRY_RUN: &str = "throughline.dry-run";
    /// The marks, and the attributes of spans of which they are told.
    pub(crate) const MARKS: [(&str, &str); 2] =
        [(Self::DEBUG, "throughline.debug"), (Self::DRY_RUN, "throughline.dry_run")];
    /// Key of the user on whose behalf the transaction runs.
    pub(crate) const USER_ID: &str = "user.id";
    /// Key of the mark of a user who is none.
    pub(crate) const USER_TEST: &str = "user.test";
    /// Key of the user's account, the customer.
    pub(crate) const ACCOUNT_ID: &str = "account.id";
    /// Key of what that account pays for.
    pub(crate) const ACCOUNT_PLAN: &str = "account.plan";

    /// Reads a header. Members that break the grammar are left out; properties after `;` are dropped.
    pub(crate) fn parse(header: &str) -> Self {
        // What is read but too long to travel on is not kept either.
        if header.len() > MAX_READ {
            return Self::default();
        }
        let mut baggage = Self { members: Vec::with_capacity(FEW) };
        // Most have neither properties nor escapes: they are looked for in all members at once.
        let is_plain = memchr2(b';', b'%', header.as_bytes()).is_none();
        let mut rest = Some(header);
        for _ in 0..MAX_MEMBERS {
            let Some(text) = rest else { return baggage };
            let (member, after) = cut(text, b',');
            rest = after;
            let (key, Some(value)) = cut(member, b'=') else { continue };
            let (key, value) = (key.trim_ascii(), value.trim_ascii());
            if is_plain {
                baggage.set(key, value);
            } else if let Ok(value) = percent_decode_str(cut(value, b';').0.trim_ascii()).decode_utf8() {
                baggage.set(key, &value);
            }
        }
        if rest.is_none() { baggage } else { Self::default() }
    }

    /// The header, or `None` if nothing travels. Members that don't fit are left out: others first,
    /// then reserved ones.
    pub(crate) fn header(&self) -> Option<String> {
        let plain = |(key, value): &Member| key.len() + value.len() + "=,".len();
        let mut header = String::with_capacity(self.members.iter().map(plain).sum());
        let reserved = RESERVED.iter().filter_map(|key| self.members.iter().find(|(known, _)| known == key));
        append(&mut header, reserved, MAX_RESERVED);
        let others = self.members.iter().filter(|(key, _)| !is_reserved(key));
        append(&mut header, others, MAX_WRITTEN);
        (!header.is_empty()).then_some(header)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.members.iter().find(|(known, _)| known == key).map(|(_, value)| &**value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members, in the order they came.
    #[cfg(feature = "otel")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Whether a member of that key is set by the project's own code alone.
    pub(crate) fn is_ours(key: &str) -> bool {
        key.get(..OURS.len()).is_some_and(|head| head.eq_ignore_ascii_case(OURS))
    }

    /// Whether a program may set a member of that key itself.
    pub(crate) fn is_settable(key: &str) -> bool {
        is_token(key) && key != Self::CORRELATION_ID && !Self::is_ours(key)
    }

    /// These members, but those that only code inside may set.
    pub(crate) fn without_ours(mut self) -> Self {
        self.members.retain(|(key, _)| !Self::is_ours(key));
        self
    }

    /// Whether a mark is set.
    pub(crate) fn marked(&self, key: &str) -> bool {
        matches!(self.get(key), Some("true" | "1"))
    }

    /// The members that are attributes of spans too.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        ATTRIBUTES.into_iter().filter_map(|key| Some((key, self.get(key)?)))
    }

    /// Whether the member of that key is an attribute of spans too.
    pub(crate) fn is_attribute(key: &str) -> bool {
        ATTRIBUTES.contains(&key)
    }

    /// How many functions the transaction has come through.
    pub(crate) fn hops(&self) -> u16 {
        self.get(Self::HOPS).and_then(|hops| hops.parse().ok()).unwrap_or_default()
    }

    /// Takes the first of `ids` that may be one as the correlation id, if there was none. What is too long is none.
    pub(crate) fn identify<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) {
        if self.get(Self::CORRELATION_ID).is_none_or(str::is_empty) {
            ids.into_iter().filter(|id| !id.is_empty()).any(|id| self.set(Self::CORRELATION_ID, id));
        }
    }

    /// Arrives at a function by way of `hops` others: it is one more, and the entry if there was none.
    pub(crate) fn arrive(&mut self, source: &str, hops: u16) {
        if self.get(Self::ENTRY).is_none() {
            self.set(Self::ENTRY, entry(source));
        }
        self.set(Self::HOPS, &hops.saturating_add(1).to_string());
    }

    /// Keeps the members that `other` has too, with the same value.
    pub(crate) fn keep_shared(&mut self, other: &Self) {
        self.members.retain(|(key, value)| other.get(key) == Some(&**value));
    }

    /// These members, and those of `other` that these have not.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (key, value) in &other.members {
            if self.get(key).is_none() {
                self.set(key, value);
            }
        }
        self
    }

    /// Sets a member; `false`, and nothing changes, if `key` is no token, the member is longer than what may travel of its
    /// kind, or there are too many members: of the reserved ones there are never too many.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> bool {
        let known = self.members.iter().position(|(known, _)| known == key);
        let reserved = RESERVED.iter().find(|reserved| **reserved == key);
        let room = known.is_some() || reserved.is_some() || self.members.len() < MAX_MEMBERS;
        if !room || reserved.is_none() && !is_token(key) || !self.fits(key, value) {
            return false;
        }
        match known.and_then(|at| self.members.get_mut(at)) {
            Some((_, old)) => *old = value.into(),
            None => {
                let key = reserved.map_or_else(|| Cow::Owned(key.to_owned()), |key| Cow::Borrowed(*key));
                self.members.push((key, value.into()));
            }
        }
        true
    }

    /// Sets a member as [`Self::set`] does, if it then travels beside those that are there.
    pub(crate) fn set_to_travel(&mut self, key: &str, value: &str) -> bool {
        let mut with = self.clone();
        let travels = with.set(key, value) && with.travels(key);
        if travels {
            *self = with;
        }
        travels
    }

    fn travels(&self, key: &str) -> bool {
        let header = self.header().unwrap_or_default();
        header.split(',').any(|member| member.split_once('=').is_some_and(|(name, _)| name == key))
    }

    /// Whether a member is short enough to travel, beside those that are reserved as it is.
    fn fits(&self, key: &str, value: &str) -> bool {
        match key {
            Self::CORRELATION_ID => is_written_in(value, MAX_ID),
            Self::ENTRY => is_written_in(value, MAX_ENTRY),
            Self::HOPS | Self::DEBUG | Self::DRY_RUN => is_written_in(value, MAX_MARK),
            _ if WHO.contains(&key) => {
                let others = WHO.into_iter().filter(|who| *who != key);
                let size = |key: &str, value| key.len() + "=".len() + written(value);
                let others = others.filter_map(|who| Some(size(who, self.get(who)?) + ",".len()));
                size(key, value) + others.sum::<usize>() <= MAX_WHO
            }
            _ => {
                let room = MAX_WRITTEN.checked_sub(key.len() + "=".len());
                room.is_some_and(|room| is_written_in(value, room))
            }
        }
    }
}

/// Whether a value is at most so long as it is written; each of its bytes is three, at most.
fn is_written_in(value: &str, limit: usize) -> bool {
    value.len() <= limit / 3 || written(value) <= limit
}

/// How long a value is as it is written.
fn written(value: &str) -> usize {
    utf8_percent_encode(value, ENCODED).map(str::len).sum()
}

fn append<'a>(header: &mut String, members: impl Iterator<Item = &'a Member>, limit: usize) {
    for (key, value) in members {
        let before = header.len();
        if before > 0 {
            header.push(',');
        }
        header.push_str(key);
        header.push('=');
        header.extend(utf8_percent_encode(value, ENCODED));
        if header.len() > limit {
            header.truncate(before);
        }
    }
}

/// As much of `source` as fits.
fn entry(source: &str) -> &str {
    let mut length = 0;
    let fits = |(_, character): &(usize, char)| {
        length += written(character.encode_utf8(&mut [0; 4]));
        length <= MAX_ENTRY
    };
    let end = source.char_indices().take_while(fits).last();
    source.get(..end.map_or(0, |(at, character)| at + character.len_utf8())).unwrap_or_default()
}

/// The text before the first `separator`, and what comes after it if there is one.
///
/// This and [`memchr_iter`] do what `str::split` does, several times faster for the few bytes of a member: a batch has
/// a header in each of its messages.
fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    debug_assert!(separator.is_ascii());
    let at = memchr(separator, text.as_bytes());
    at.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)))).unwrap_or((text, None))
}

fn is_reserved(key: &str) -> bool {
    RESERVED.contains(&key)
}

/// A token of HTTP (RFC 9110 section 5.6.2), as the grammar asks of keys.
fn is_token(key: &str) -> bool {
    let token = |b: u8| {
        let sign = matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        sign || b.is_ascii_alphanumeric()
    };
    !key.is_empty() && key.bytes().all(token)
}

#[cfg(test)]
mod tests;
