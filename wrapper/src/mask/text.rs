//! What in a text is nobody's to see, by what it looks like: numbers of cards, addresses of people, tokens, keys of AWS,
//! keys in PEM, credentials in URLs, and what stands behind a secret name (`password=…`).
//!
//! A text is passed over byte by byte, and only where one of few bytes stands is it looked at more closely ([`SIGNS`]): it
//! stays as it is, uncopied, where nothing is to be hidden.

use std::borrow::Cow;
use std::ops::Range;

use super::encoded::{self, Decoded, is_base64};
use super::{Keys, MASK, card, named, shapes};

/// The bytes at which a secret begins, or by which one is recognized: digits (a card's), `@` (an address), `=`, `:` and `>`
/// (behind a name), a space (`Bearer …`), `J` (`eyJ…`), `I` (`AKIA…`), `-` (`-----BEGIN`, `glpat-…`), `_` (`ghp_…`).
static SIGNS: [bool; 256] = table(b"0123456789@=:> JI-_");
/// The bytes between words.
static SEPARATORS: [bool; 256] = table(b" \t\n\r\x0c=:&,;\"'`<>()[]{}?|\\");

/// Which bytes are among these.
pub(super) const fn table(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

/// How far into a URL is looked for who calls.
const MAX_USER_INFO: usize = 512;

/// A text without them.
pub(super) fn masked<'t>(text: &'t str, keys: &Keys) -> Cow<'t, str> {
    let bytes = text.as_bytes();
    let (mut out, mut told, mut at) = (String::new(), 0, 0);
    while let Some(found) =
        bytes.get(at..).and_then(|rest| rest.iter().position(|byte| SIGNS[usize::from(*byte)]))
    {
        at += found;
        let (secret, next) = secret_at(text, at, keys);
        at = next.max(at + 1);
        let Some(secret) = secret.filter(|secret| secret.end > told) else { continue };
        // A secret may begin in what is hidden already, and end behind it.
        out.push_str(text.get(told..secret.start).unwrap_or_default());
        if secret.start >= told {
            out.push_str(MASK);
        }
        told = secret.end;
        if told == text.len() {
            break;
        }
    }
    if told == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(told..).unwrap_or_default());
    Cow::Owned(out)
}

/// A text that was cut, without what may be the half of a secret at its end.
pub(super) fn without_half_a_secret(cut: &str) -> &str {
    let begin = cut.bytes().rposition(|byte| is_separator(byte) && !matches!(byte, b':' | b'='));
    let (before, word) = cut.split_at_checked(begin.map_or(0, |at| at + 1)).unwrap_or((cut, ""));
    let may_be_one = word.contains(|c: char| matches!(c, '@' | '%' | ':' | '_' | '-') || c.is_ascii_digit())
        || word.contains("eyJ");
    let kept = if may_be_one { before } else { cut };
    kept.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '+'))
}

/// The secret that the byte at `at` is a sign of, and from where on to look for the next.
fn secret_at(text: &str, at: usize, keys: &Keys) -> (Option<Range<usize>>, usize) {
    let bytes = text.as_bytes();
    let secret = match bytes[at] {
        // Most digits are few, and most hyphens alone.
        b'0'..=b'9' if !bytes.get(at + 3).is_some_and(u8::is_ascii_digit) => None,
        b'0'..=b'9' => return card::at(bytes, at),
        b'-' if bytes.get(at + 1) != Some(&b'-') => shapes::at(bytes, at),
        b'_' => shapes::at(bytes, at),
        b'@' => address(bytes, at),
        b' ' => credentials(text, at),
        b'J' => return token(text, at, keys).unwrap_or((None, at + 1)),
        b'I' => aws_key(bytes, at).or_else(|| shapes::at(bytes, at)),
        b'-' => pem(text, at),
        b':' if bytes[at..].starts_with(b"://") => user_info(bytes, at + 3),
        b':' if bytes[..at].ends_with(b"arn") => {
            // Its parts have names of services, as `secretsmanager`, before them.
            return (None, round(bytes, at, |byte| byte == b':' || !is_separator(byte)).end);
        }
        _ => named::behind(text, at, keys),
    };
    (secret, at + 1)
}

pub(super) fn is_separator(byte: u8) -> bool {
    SEPARATORS[usize::from(byte)]
}

/// From where to where the bytes before and from `at` on are of one kind.
fn round(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> Range<usize> {
    let before = bytes[..at].iter().rev().take_while(|byte| is(**byte)).count();
    let after = bytes[at..].iter().take_while(|byte| is(**byte)).count();
    at - before..at + after
}

/// Whether a text is the address of somebody and nothing else.
pub(super) fn is_address(text: &str) -> bool {
    let at = text.bytes().position(|byte| byte == b'@');
    at.and_then(|at| address(text.as_bytes(), at)) == Some(0..text.len())
}

/// An address of mail.
fn address(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    // What is no ASCII may be a letter.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte) || !byte.is_ascii();
    let local = round(bytes, at, is_name).start;
    let mut domain = &bytes[at + 1..round(bytes, at + 1, is_name).end];
    while let [before @ .., b'.'] = domain {
        domain = before;
    }
    let last = domain.rsplit(|byte| *byte == b'.').next()?;
    // `package@1.2.3` is none.
    let is_domain = last.len() < domain.len() && last.first().is_some_and(|byte| !byte.is_ascii_digit());
    // In URLs as the conventions have them.
    let is_hidden = bytes[local..at] == *b"REDACTED";
    (local < at && is_domain && !is_hidden).then(|| local..at + 1 + domain.len())
}

/// What follows `Bearer` and `Basic`, as headers have it.
fn credentials(text: &str, space: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if !matches!(bytes[..space].last(), Some(b'r' | b'R' | b'c' | b'C')) {
        return None;
    }
    let scheme = &bytes[round(bytes, space, |byte| byte.is_ascii_alphabetic()).start..space];
    let begin = space + 1;
    let end = round(bytes, begin, |byte| !is_separator(byte) || byte == b'=').end;
    let is_one = if scheme.eq_ignore_ascii_case(b"bearer") {
        end > begin
    } else {
        scheme.eq_ignore_ascii_case(b"basic")
            && matches!(encoded::base64(&text[begin..end]), Some(Decoded::Text(pair)) if pair.contains(':'))
    };
    is_one.then_some(begin..end)
}

/// A JSON Web Token (RFC 7519), or JSON in Base64 with something to hide, both of which begin as an object's `{"` does; and
/// where the word ends.
fn token(text: &str, at: usize, keys: &Keys) -> Option<(Option<Range<usize>>, usize)> {
    let bytes = text.as_bytes();
    let begin = begin_of(bytes, at, |before| before == b"ey", |byte| byte.is_ascii_alphanumeric())?;
    let end = round(bytes, at, |byte| is_base64(byte) || byte == b'.').end;
    let word = text.get(begin..end)?.trim_end_matches('.');
    let is_secret = word.contains('.')
        || match encoded::base64(word) {
            Some(Decoded::Text(json)) => matches!(masked(&json, keys), Cow::Owned(_)),
            Some(Decoded::Binary(_)) => true,
            None => false,
        };
    Some((is_secret.then(|| begin..begin + word.len()), end))
}

/// The id of an access key (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
fn aws_key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let begin = begin_of(bytes, at, |before| matches!(before, b"AK" | b"AS"), is_part)?;
    let end = round(bytes, at, is_part).end;
    (end - begin >= 16 && bytes.get(at + 1) == Some(&b'A')).then_some(begin..end)
}

/// Where the word begins of which the third byte is at `at`, and the two before are these.
fn begin_of(
    bytes: &[u8],
    at: usize,
    are: impl Fn(&[u8]) -> bool,
    is_part: impl Fn(u8) -> bool,
) -> Option<usize> {
    let begin = at.checked_sub(2)?;
    let is_first = !bytes[..begin].last().is_some_and(|byte| is_part(*byte));
    (is_first && are(&bytes[begin..at])).then_some(begin)
}

/// Keys and certificates in PEM (RFC 7468).
fn pem(text: &str, at: usize) -> Option<Range<usize>> {
    let inside = text.get(at..)?.strip_prefix("-----BEGIN ")?;
    let rest = inside.find("-----END ").and_then(|end| {
        let end_line = inside.get(end + "-----END ".len()..)?;
        Some(end_line.get(end_line.find("-----")? + "-----".len()..)?.len())
    });
    Some(at..text.len() - rest.unwrap_or(0))
}

/// What stands before the `@` of a URL: who, and with what password.
fn user_info(bytes: &[u8], begin: usize) -> Option<Range<usize>> {
    let is_part = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'`<>\\".contains(byte);
    let length = bytes[begin..].iter().take(MAX_USER_INFO).take_while(is_part).count();
    let url = &bytes[begin..begin + length];
    let authority = url.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next()?;
    let at = authority.iter().rposition(|byte| *byte == b'@').or_else(|| {
        // A password with a slash: what stands behind the colon would be a port else.
        let (_, port) = std::str::from_utf8(authority).ok()?.split_once(':')?;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        if is_port || port.starts_with(':') { None } else { url.iter().rposition(|byte| *byte == b'@') }
    })?;
    (at > 0 && &url[..at] != b"REDACTED:REDACTED").then_some(begin..begin + at)
}

#[cfg(test)]
mod tests;
