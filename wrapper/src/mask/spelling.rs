//! Texts as JSON spells them, there and back.

use std::borrow::Cow;

use crate::triggers::scan;

/// As much of a text as so many bytes hold.
pub(super) fn head(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

/// The value of a string, by what stands between its quotes. It may end in the midst of an escape, which is as long as two
/// when it is a pair of surrogates.
pub(super) fn unescaped(inner: &str) -> Option<Cow<'_, str>> {
    const LONGEST_ESCAPE: usize = 6;
    let whole = |inner: &str| {
        let text = scan::string(&["\"", inner, "\""].concat())?.into_owned();
        Some(Cow::Owned(text))
    };
    (0..2 * LONGEST_ESCAPE).find_map(|less| whole(head(inner, inner.len().saturating_sub(less))))
}

/// Writes a text as a string of JSON.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut told = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            continue;
        }
        out.push_str(text.get(told..at).unwrap_or_default());
        told = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
    }
    out.push_str(text.get(told..).unwrap_or_default());
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_spelled_as_every_parser_reads_it(text in any::<String>(), cut in any::<prop::sample::Index>()) {
            let mut spelled = String::new();
            quote(&text, &mut spelled);
            prop_assert_eq!(serde_json::from_str::<String>(&spelled).unwrap(), text.clone());
            let inner = &spelled[1..spelled.len() - 1];
            let beginning = unescaped(head(inner, cut.index(inner.len() + 1))).unwrap();
            prop_assert!(text.starts_with(&*beginning));
        }
    }
}
