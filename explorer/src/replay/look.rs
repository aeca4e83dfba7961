//! What stands at a place where a request may begin: how it is wrapped, and whether it is whole.

use super::found::{Failure, Found, read};

/// Strings in strings in strings.
const DEEPEST: usize = 3;

/// What stands at a mark, a quote before one of the [names](super::found::NAMES).
#[derive(Debug)]
pub(super) enum Look {
    /// A request, and where it ends.
    Request(Found, usize),
    /// It began as one.
    Wrong(String),
    /// No request begins here.
    Nothing,
    /// It does not end in this text.
    More,
}

/// Looks at the mark. `whole`: more text does not come.
pub(super) fn look(text: &[u8], mark: usize, whole: bool) -> Look {
    let torn = |why: &str| Look::Wrong(format!("is torn: {why}"));
    let (plain, end) = match wrap(text, mark) {
        None => return Look::Nothing,
        Some(Wrap::None) => match read(&text[mark..]) {
            Ok(Some((found, length))) => return Look::Request(found, mark + length),
            Ok(None) => return Look::Nothing,
            Err(Failure::Ended) if !whole => return Look::More,
            Err(Failure::Ended) => return torn("it has no end"),
            Err(Failure::Torn(why)) => return torn(&why),
            Err(Failure::Foreign(why)) => return Look::Wrong(why),
        },
        Some(Wrap::Csv) => match csv_end(&text[mark - 1..], whole) {
            None if whole => return torn("its field has no end"),
            None => return Look::More,
            Some(length) => (csv(&text[mark - 1..][..length]), mark - 1 + length),
        },
        Some(Wrap::Strings(depth)) => {
            let start = mark - (1 << depth) + 1;
            match string_end(&text[start..]) {
                None if whole => return torn("its string has no end"),
                None => return Look::More,
                Some(Err(())) => return torn("its line ends within a string"),
                Some(Ok(length)) => match strings(&text[start..][..length], depth) {
                    Some(plain) => (plain, start + length),
                    None => return torn("its string is none"),
                },
            }
        }
    };
    match read(&plain) {
        Ok(Some((found, _))) => Look::Request(found, end),
        Ok(None) => Look::Nothing,
        Err(Failure::Ended) => torn("its string ends before it does"),
        Err(Failure::Torn(why)) => torn(&why),
        Err(Failure::Foreign(why)) => Look::Wrong(why),
    }
}

/// How a request is wrapped.
enum Wrap {
    None,
    /// In so many strings of JSON, one in the other.
    Strings(usize),
    /// In a field of CSV, its quotes doubled.
    Csv,
}

/// How the request is wrapped whose name begins at the mark. In a string only what it begins with counts: a text
/// that mentions a request is not one.
fn wrap(text: &[u8], mark: usize) -> Option<Wrap> {
    let before = &text[..mark];
    let slashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
    let before = &before[..mark - slashes];
    let opens_string = |before: &[u8]| before.ends_with(b"\"{");
    match slashes {
        0 if before.ends_with(b"\"") => opens_string(&before[..mark - 1]).then_some(Wrap::Csv),
        0 => matches!(before.trim_ascii_end().last(), Some(b'{' | b',')).then_some(Wrap::None),
        // Each string doubles the slashes and adds one.
        _ => {
            let depth = (1..=DEEPEST).find(|depth| (1 << depth) == slashes + 1)?;
            opens_string(before).then_some(Wrap::Strings(depth))
        }
    }
}

/// Where the string ends in which the text begins: its closing quote. An error, if it can have none.
fn string_end(text: &[u8]) -> Option<Result<usize, ()>> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(Ok(at)),
            0..0x20 => return Some(Err(())),
            _ => at += 1,
        }
    }
}

/// The text in so many strings.
fn strings(text: &[u8], depth: usize) -> Option<Vec<u8>> {
    let string = [b"\"", text, b"\""].concat();
    let inner = serde_json::from_slice::<String>(&string).ok()?.into_bytes();
    if depth == 1 {
        return Some(inner);
    }
    let length = string_end(&inner)?.ok()?;
    strings(&inner[..length], depth - 1)
}

/// Where the field of CSV ends in which the text begins.
fn csv_end(text: &[u8], whole: bool) -> Option<usize> {
    let mut at = 0;
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', None) if !whole => return None,
            (b'"', _) => return Some(at),
            _ => at += 1,
        }
    }
}

fn csv(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(*byte);
        if *byte == b'"' {
            bytes.next();
        }
    }
    plain
}
