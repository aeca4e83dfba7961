//! Ids as lower-case hex digits, which every header of every call has: `format!` takes several times as long.

/// What each byte stands for as a digit; 0xff: it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// The bytes that lower-case hex digits stand for, two each.
pub(super) fn read<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let halves = pairs.map(|pair| pair.map(|digit| DIGITS[usize::from(digit)]));
    // Looked at once for all: most are digits.
    let all = halves.iter().flatten().fold(0, |all, half| all | half);
    (all < 16).then(|| halves.map(|[high, low]| high << 4 | low))
}

/// Appends bytes as two lower-case hex digits each.
pub(super) fn push<const N: usize>(text: &mut String, bytes: [u8; N]) {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
    let digits = bytes.map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]);
    text.push_str(str::from_utf8(digits.as_flattened()).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_written_as_it_is_read() {
        for byte in 0..=u8::MAX {
            let mut text = String::from("-");
            push(&mut text, [byte]);
            assert_eq!(text, format!("-{byte:02x}"));
            assert_eq!(read(&text.as_bytes()[1..]), Some([byte]));
        }
        assert_eq!((read::<1>(b"0A"), read::<1>(b"0"), read::<1>(b"000")), (None, None, None));
    }
}
