//! Where text inside a JSON string stands in the string's own spelling: what is cut out of an event within an event
//! must leave every other byte as it was sent, escapes included.

use memchr::memchr;

/// For each of `offsets` in the value of a JSON string, ascending, where it stands in `raw`, the text between the
/// quotes. Each must lie between two characters, and `raw` be valid.
pub(super) fn raw_offsets(raw: &str, offsets: &mut [usize]) {
    let raw = raw.as_bytes();
    let (mut at, mut decoded) = (0, 0);
    for offset in offsets {
        while decoded < *offset && at < raw.len() {
            let plain = memchr(b'\\', &raw[at..]).unwrap_or(raw.len() - at).min(*offset - decoded);
            at += plain;
            decoded += plain;
            if decoded < *offset {
                let (escape, character) = escape(&raw[at..]);
                at += escape;
                decoded += character;
            }
        }
        *offset = at.min(raw.len());
    }
}

/// How many bytes the escape has that `raw` begins with, and how many the character that it stands for.
fn escape(raw: &[u8]) -> (usize, usize) {
    let unit = |at: usize| {
        let digits = raw.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match unit(0) {
        None => (2, 1),
        Some(0xd800..=0xdbff) => (12, 4),
        Some(code) => (6, char::from_u32(code).map_or(3, char::len_utf8)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(raw: &str) -> String {
        serde_json::from_str(&format!("\"{raw}\"")).unwrap()
    }

    /// A character as it may be spelled in a JSON string.
    pub(in crate::triggers) fn spelled(character: char, how: u8) -> String {
        let mut units = [0; 2];
        match (how % 3, character) {
            (0, _) => {
                character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
            (_, '"' | '\\') => format!("\\{character}"),
            (1, '/') => "\\/".to_owned(),
            (_, '\n') => "\\n".to_owned(),
            (_, '\0'..=' ') => format!("\\u{:04X}", u32::from(character)),
            _ => character.to_string(),
        }
    }

    proptest! {
        #[test]
        fn every_character_is_found(text in prop::collection::vec((any::<char>(), any::<u8>()), 0..24)) {
            let raw: String = text.iter().map(|(character, how)| spelled(*character, *how)).collect();
            let decoded = value(&raw);
            let ends = decoded.char_indices().map(|(at, _)| at).chain([decoded.len()]);
            let ends: Vec<usize> = ends.collect();
            let mut offsets = ends.clone();
            raw_offsets(&raw, &mut offsets);
            for (at, end) in offsets.iter().zip(ends) {
                prop_assert_eq!(value(&raw[..*at]), &decoded[..end]);
            }
        }

        #[test]
        fn any_text_is_survived(raw in ".*", mut offsets in prop::collection::vec(0_usize..64, 0..4)) {
            offsets.sort_unstable();
            raw_offsets(&raw, &mut offsets);
            prop_assert!(offsets.iter().all(|offset| *offset <= raw.len()));
        }
    }
}
