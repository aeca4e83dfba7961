//! Protobuf's fields that say their length: texts, bytes and messages
//! (<https://protobuf.dev/programming-guides/encoding/>).

use prost::encoding::{encode_varint, encoded_len_varint};

/// Appends a field, whose number must be below 16.
pub(crate) fn put(number: u8, content: &[u8], bytes: &mut Vec<u8>) {
    begin(number, content.len(), bytes);
    bytes.extend_from_slice(content);
}

/// Appends what stands before the content of a field, which is so long.
pub(crate) fn begin(number: u8, length: usize, bytes: &mut Vec<u8>) {
    let key = number << 3 | 2;
    match u8::try_from(length) {
        // Most are short.
        Ok(length @ ..0x80) => bytes.extend_from_slice(&[key, length]),
        _ => {
            bytes.push(key);
            encode_varint(length as u64, bytes);
        }
    }
}

/// The size of a field whose content is so long.
pub(crate) fn size(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

#[cfg(test)]
mod tests {
    use prost::encoding::string;

    use super::*;

    #[test]
    fn a_field_of_any_length_is_as_prost_writes_it() {
        for length in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000] {
            let text = "x".repeat(length);
            let (mut ours, mut expected) = (vec![1], vec![1]);
            put(15, text.as_bytes(), &mut ours);
            string::encode(15, &text, &mut expected);
            assert!(ours == expected && size(length) == ours.len() - 1, "{length}");
        }
    }
}
