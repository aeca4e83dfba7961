//! Texts that are another text in disguise: in Base64, or percent-encoded.

use std::borrow::Cow;

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;

use super::text::table;

/// The shortest text that is tried as Base64: a shorter one has room for no secret.
const MIN_BASE64: usize = 12;
/// From how many characters on what is in Base64, and is no text, is looked through all the same.
const MIN_BINARY: usize = 64;

/// Both alphabets, and the padding.
static BASE64: [bool; 256] = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=");
static HEX_ID: [bool; 256] = table(b"0123456789abcdef-");

/// What a text stands for.
pub(super) enum Decoded<'t> {
    Text(Cow<'t, str>),
    /// What is text in bytes that are none.
    Binary(String),
}

/// What a text stands for, if that is another; it may be cut anywhere.
pub(super) fn decoded(text: &str) -> Option<Decoded<'_>> {
    let text = text.trim_ascii();
    if is_base64_all(text) {
        return base64(text);
    }
    has_percent(text).then(|| Decoded::Text(percent_decode_str(text).decode_utf8_lossy()))
}

/// Whether it may stand for another.
pub(super) fn may_be(text: &str) -> bool {
    is_base64_all(text) || has_percent(text)
}

/// Whether all of it may be Base64. What has the digits of hexadecimal alone is an id or a number: no text looks like that in
/// Base64.
pub(super) fn is_base64_all(text: &str) -> bool {
    text.len() >= MIN_BASE64
        && text.bytes().all(is_base64)
        && !text.bytes().all(|byte| HEX_ID[usize::from(byte)])
}

fn has_percent(text: &str) -> bool {
    let is_escape = |escape: &[u8]| matches!(escape, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    memchr::memchr(b'%', text.as_bytes()).is_some() && text.as_bytes().windows(3).any(is_escape)
}

/// The same of what is in Base64, in the alphabet of URLs too.
pub(super) fn base64(text: &str) -> Option<Decoded<'_>> {
    let unpadded = text.trim_end_matches('=');
    let is_of_urls = unpadded.contains(['-', '_']);
    let decode = |text: &str| {
        let alphabet = if is_of_urls { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
        alphabet.decode_to_vec(text).ok()
    };
    // If it was cut, its last characters may be no whole byte.
    let bytes = decode(unpadded).or_else(|| decode(unpadded.get(..unpadded.len() / 4 * 4)?))?;
    match std::str::from_utf8(&bytes) {
        Ok(decoded) if is_text(decoded) => Some(Decoded::Text(decoded.to_owned().into())),
        // Cut in the midst of a character.
        Err(error) if error.error_len().is_none() => {
            let decoded = std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?;
            is_text(decoded).then(|| Decoded::Text(decoded.to_owned().into()))
        }
        _ if text.len() < MIN_BINARY => None,
        _ => Some(Decoded::Binary(String::from_utf8_lossy(&bytes).into_owned())),
    }
}

pub(super) fn is_base64(byte: u8) -> bool {
    BASE64[usize::from(byte)]
}

fn is_text(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !c.is_whitespace())
}
