//! Payloads, messages and fields as people may see them: without what is secret in them.
//!
//! A payload is passed through once, member by member, until there is enough of it: nothing is built of it, and of six
//! megabytes only the beginning is looked at. What a member is called decides first ([`Keys`]), then what a text looks like
//! (`text.rs`). A text that is JSON itself, in Base64 or percent-encoded or not, is treated as JSON.
//!
//! What can't be known: that a word in prose is a password (`it is hunter2`), that a text under an innocent name is one
//! (`"note": "hunter2"`), what stands in Base64 among other words and is no JSON, or what program and service have
//! enciphered, compressed or spelled as a list of numbers. Such names go into `THROUGHLINE_MASK`; where that is no help,
//! `THROUGHLINE_CAPTURE=off` keeps payloads out.

mod beside;
mod card;
mod encoded;
mod fields;
mod keys;
mod named;
mod pairs;
mod shapes;
mod spelling;
#[cfg(test)]
mod tests;
mod text;
mod writer;

pub(crate) use keys::Keys;
use writer::Writer;

/// What stands in the place of a secret.
const MASK: &str = "***";
/// What follows where there was more.
const MORE: char = '…';

/// As much of `payload` as `limit` bytes hold, masked.
pub(crate) fn masked(payload: &str, keys: &Keys, limit: usize) -> String {
    Writer::passed(payload, keys, limit).finish()
}

fn begins_as_json(text: &str) -> bool {
    text.trim_ascii_start().starts_with(['{', '[', '"'])
}
