//! Numbers of payment cards, in one piece or in groups as people write them.

use std::ops::Range;

/// How many digits they have at least (ISO/IEC 7812).
pub(super) const LEAST: usize = 13;
/// How many digits they have.
const DIGITS: std::ops::RangeInclusive<usize> = LEAST..=19;

/// The number of a card that is among the digits from `at` on, and where these end: digits, and groups of them that one
/// space, hyphen or plus (a space of a form) separates.
pub(super) fn at(bytes: &[u8], at: usize) -> (Option<Range<usize>>, usize) {
    let end = group_end(bytes, at);
    // Most are short, and alone.
    if end - at < LEAST && !(end - at == 4 && next_group(bytes, end).is_some()) {
        return (None, end);
    }
    // The digits behind a point are no number of their own.
    if at >= 2 && bytes[at - 1] == b'.' && bytes[at - 2].is_ascii_digit() {
        return (None, end);
    }
    if is_card(bytes[at..end].iter().copied()) {
        return (Some(at..end), end);
    }
    let mut last = end;
    while let Some(next) = next_group(bytes, last) {
        last = group_end(bytes, next);
        let digits = bytes[at..last].iter().copied().filter(u8::is_ascii_digit);
        if digits.clone().count() > *DIGITS.end() || !(3..=6).contains(&(last - next)) {
            break;
        }
        if end - at == 4 && is_card(digits) {
            return (Some(at..last), last);
        }
    }
    (None, end)
}

/// Whether there is one in a number.
pub(super) fn is_in(number: &str) -> bool {
    let bytes = number.as_bytes();
    bytes.len() >= LEAST
        && bytes.iter().position(u8::is_ascii_digit).is_some_and(|first| at(bytes, first).0.is_some())
}

fn group_end(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where the group of digits begins that follows one that ends here.
fn next_group(bytes: &[u8], end: usize) -> Option<usize> {
    let [b' ' | b'-' | b'+', b'0'..=b'9', ..] = bytes.get(end..)? else { return None };
    Some(end + 1)
}

/// Whether these digits are the number of a card: as many as one has with the check digit right, beginning as no time since
/// 1970 does.
fn is_card(digits: impl DoubleEndedIterator<Item = u8> + Clone) -> bool {
    DIGITS.contains(&digits.clone().count())
        && matches!(digits.clone().next(), Some(b'2'..=b'6'))
        && checks(digits)
}

/// Luhn's check.
fn checks(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let digits = digits.rev().map(|digit| u32::from(digit - b'0')).enumerate();
    let sum: u32 = digits
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}
