//! What stands in a text behind a secret name: `password=…`, `"token": "…"`, `Authorization: Bearer …`,
//! `api_key: Some("…")`, `<secret>…</secret>`.

use std::ops::Range;

use super::text::is_separator;
use super::{Keys, beside};

/// How far back a name may begin.
pub(super) const MAX_NAME: usize = 64;
/// How headers say what kind of credentials follow
/// (<https://www.iana.org/assignments/http-authschemes/http-authschemes.xhtml>, and what is used besides).
const SCHEMES: [&[u8]; 9] =
    [b"apikey", b"aws4-hmac-sha256", b"basic", b"bearer", b"digest", b"hawk", b"key", b"negotiate", b"token"];

/// Values that are none, or are hidden already.
const NOTHING: [&[u8]; 8] = [b"", b"null", b"None", b"none", b"true", b"false", b"***", b"REDACTED"];

/// What is behind the sign at `at` if what is before it names a secret.
pub(super) fn behind(text: &str, at: usize, keys: &Keys) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    // `a::b` is a path.
    if bytes[at] == b':' && (bytes[..at].last() == Some(&b':') || bytes.get(at + 1) == Some(&b':')) {
        return None;
    }
    let place = name(text, at);
    let is_in_angles = bytes[..place.start].last() == Some(&b'<') && place.end == at;
    let name = text.get(place.clone())?;
    // An element of XML begins; other angles are no signs.
    if bytes[at] == b'>' && (!is_in_angles || name.starts_with('/')) {
        return None;
    }
    let is_secret =
        keys.are_secret(name) || name.rsplit_once(' ').is_some_and(|(_, last)| keys.are_secret(last));
    let value = if is_secret && !name.is_empty() && !is_error(name) {
        value(bytes, at + 1, name)?
    } else {
        beside::value_at(text, at, place, keys)?
    };
    (!NOTHING.contains(&&bytes[value.clone()])).then_some(value)
}

/// The name before a sign: two words at most, between which and the sign quotes may stand.
fn name(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let mut end = at;
    while end > 0 && matches!(bytes[end - 1], b'"' | b'\'' | b'`' | b'\\' | b' ') {
        end -= 1;
    }
    let first = end.saturating_sub(MAX_NAME);
    let (mut begin, mut is_second) = (end, false);
    while begin > first {
        let byte = bytes[begin - 1];
        if is_separator(byte) && (byte != b' ' || std::mem::replace(&mut is_second, true)) {
            break;
        }
        begin -= 1;
    }
    text.ceil_char_boundary(begin)..end
}

/// `InvalidTokenException: …` says what is wrong with a token.
fn is_error(name: &str) -> bool {
    let ends_with = |end: &str| {
        let at = name.len().checked_sub(end.len());
        at.and_then(|at| name.get(at..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
    };
    ends_with("error") || ends_with("exception")
}

/// The value that begins here, or behind space and a quote.
pub(super) fn value(bytes: &[u8], mut at: usize, name: &str) -> Option<Range<usize>> {
    if bytes.get(at) == Some(&b'>') {
        at += 1; // `=>`
    }
    at += bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    // A value may begin with what looks like an escape: it is hidden with that.
    let begin = at;
    while let Some(end) = space_end(bytes, at) {
        at = end;
    }
    if let Some(end) = block_end(bytes, at) {
        return Some(at..end);
    }
    let escapes = bytes.get(at..)?.iter().take_while(|byte| **byte == b'\\').count();
    let first = *bytes.get(at + escapes)?;
    if matches!(first, b'"' | b'\'' | b'`') {
        let inside = at + escapes + 1;
        return Some(inside..quote_end(bytes, inside, first, escapes));
    }
    let is_header = |header: &str| name.to_ascii_lowercase().contains(header);
    let mut end = word_end(bytes, at);
    let says_how = |word: &[u8]| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
    if is_header("cookie") || is_header("auth") && says_how(&bytes[at..end]) {
        return Some(begin..line_end(bytes, at));
    }
    // `Some("…")`, `Secret { … }`
    let opening = if bytes.get(end) == Some(&b' ') { end + 1 } else { end };
    let is_opening = |at: usize| matches!(bytes.get(at), Some(b'(' | b'[' | b'{'));
    if is_opening(end) {
        end = bracket_end(bytes, end);
    } else if is_opening(opening) && end > at {
        end = bracket_end(bytes, opening);
    }
    Some(begin..end)
}

/// Where the space ends that begins here, as it is or as Debug and JSON spell it.
fn space_end(bytes: &[u8], at: usize) -> Option<usize> {
    let escapes = bytes.get(at..)?.iter().take_while(|byte| **byte == b'\\').count();
    let last = bytes.get(at + escapes)?;
    let is_space = if escapes == 0 { last.is_ascii_whitespace() } else { matches!(last, b'n' | b'r' | b't') };
    is_space.then_some(at + escapes + 1)
}

/// The same of a line's end.
fn line_break(bytes: &[u8], at: usize) -> Option<usize> {
    space_end(bytes, at).filter(|end| matches!(bytes[end - 1], b'\n' | b'\r' | b'n' | b'r'))
}

/// Where the block ends that begins here, if one does: `>` or `|`, and lines that are indented
/// (<https://yaml.org/spec/1.2.2/#81-block-scalar-styles>).
fn block_end(bytes: &[u8], at: usize) -> Option<usize> {
    let style = bytes.get(at..)?.strip_prefix(b">").or_else(|| bytes.get(at..)?.strip_prefix(b"|"))?;
    let header = style.iter().take_while(|byte| matches!(byte, b'+' | b'-' | b' ' | b'0'..=b'9')).count();
    let mut end = line_break(bytes, at + 1 + header)?;
    let indent = |at: usize| bytes[at..].iter().take_while(|byte| **byte == b' ').count();
    let least = indent(end);
    while end < bytes.len() {
        end = match line_break(bytes, end) {
            Some(next) if indent(next) < least && line_break(bytes, next + indent(next)).is_none() => break,
            Some(next) => next,
            None => end + 1,
        };
    }
    (least > 0).then_some(end)
}

/// Where the text between quotes ends: before the next one that is not escaped more often than the first is.
fn quote_end(bytes: &[u8], begin: usize, quote: u8, escapes: usize) -> usize {
    let mut found = 0;
    for (at, byte) in bytes.iter().enumerate().skip(begin) {
        if *byte == quote && found <= escapes {
            return at - found;
        }
        found = if *byte == b'\\' { found + 1 } else { 0 };
    }
    bytes.len()
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    // A password may hold what else separates.
    let is_part = |byte: &&u8| !is_separator(**byte) || matches!(**byte, b'=' | b':' | b'?' | b'|' | b'\\');
    at + bytes[at..].iter().take_while(is_part).count()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\'')).count()
}

fn bracket_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    bytes.len()
}
