//! Words of commands that are printed to be typed.

use crate::ask::harmless;

/// As a shell takes it for one word.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if harmless(word) == word {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    // What harms a terminal is told in bytes, which shells put together again
    // (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_04>).
    let byte = |byte: u8| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        // Three digits: the next character may be a digit too.
        other => format!("\\{other:03o}"),
    };
    format!("$'{}'", word.bytes().map(byte).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them() {
        assert_eq!(quoted("email-sender"), "email-sender");
        assert_eq!(quoted("POST /orders"), "'POST /orders'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("名前 ✗"), "'名前 ✗'");
        assert_eq!(quoted("it's\x1b[2J\\"), r"$'it\'s\033[2J\\'");
    }

    proptest! {
        /// A shell makes the same of it that it was.
        #[test]
        fn what_is_quoted_is_read_again(word in "[^\u{0}]{0,9}|[\u{1b}\u{202e}'0-9\\\\a]{0,9}") {
            let line = quoted(&word);
            prop_assert_eq!(harmless(&line), line.as_str());
            let said = std::process::Command::new("bash").args(["-c", &format!("printf %s {line}")]).output().unwrap();
            prop_assert_eq!(said.stdout, word.as_bytes());
        }
    }
}
