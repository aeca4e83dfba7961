//! Ids as lower-case hex digits, which every header of every call has: `format!` takes several times as long.

/// The bytes that lower-case hex digits stand for, two each.
pub(super) fn read<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
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
