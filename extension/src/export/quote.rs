//! What backends say, without the secrets that they were given: some quote the key that they refuse.

/// Words that are shorter are no secrets, and would be found anywhere.
const SHORTEST: usize = 6;

/// A text without the words of these values: `Bearer abc…` is two, and so is `key=abc…`.
pub(super) fn without(text: &str, secrets: &[&str]) -> String {
    let separator = |letter: char| letter.is_whitespace() || ",;=&\"'".contains(letter);
    let mut words: Vec<&str> = secrets.iter().flat_map(|value| value.split(separator)).collect();
    // A word may be a part of another.
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let words = words.into_iter().filter(|word| word.len() >= SHORTEST);
    words.fold(text.to_owned(), |text, word| text.replace(word, "***"))
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn what_was_sent_is_not_told() {
        for (text, secrets, told) in [
            ("bad key hunter2hunter2!", &["hunter2hunter2"][..], "bad key ***!"),
            ("not Bearer hunter2", &["Bearer hunter2"], "not *** ***"),
            ("?api_key=hunter2 is no key", &["api_key=hunter2"], "?***=*** is no key"),
            ("hunter2hunter2 and hunter2", &["hunter2", "hunter2hunter2"], "*** and ***"),
            ("no such team: a", &["a"], "no such team: a"),
        ] {
            assert_eq!(without(text, secrets), told);
        }
    }
}
