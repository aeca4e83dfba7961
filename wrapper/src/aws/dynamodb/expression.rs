//! Adds an assignment to an `UpdateExpression`, which may have its `SET` anywhere and in any case.
//!
//! The words that begin a clause are reserved: DynamoDB refuses them as bare attribute names. So a bare word
//! `SET` is the clause, and `offset`, `#set`, `:set` or `a.set` are not.

/// `expression` with one more assignment in its `SET` clause, or with such a clause if it has none.
pub(crate) fn with_assignment(expression: &str, assignment: &str) -> String {
    match set_clause(expression) {
        Some(at) => {
            let (head, rest) = expression.split_at(at);
            format!("{head} {assignment},{rest}")
        }
        None => format!("{expression} SET {assignment}"),
    }
}

/// Whether `word` stands in the expression as a whole word: an attribute's name or a placeholder.
pub(super) fn mentions(expression: &str, word: &str) -> bool {
    tokens(expression).any(|token| token.text == word)
}

/// Where the word `SET` ends.
fn set_clause(expression: &str) -> Option<usize> {
    let mut in_path = false;
    for token in tokens(expression) {
        if !in_path && token.text.eq_ignore_ascii_case("set") {
            return Some(token.start + token.text.len());
        }
        in_path = token.text == ".";
    }
    None
}

struct Token<'a> {
    start: usize,
    text: &'a str,
}

/// The words of an expression, placeholders with their sign, and every other character by itself.
fn tokens(expression: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = expression.get(at..)?;
        let start = at + (rest.len() - rest.trim_start().len());
        let rest = expression.get(start..)?;
        let first = rest.chars().next()?;
        let sign = if matches!(first, '#' | ':') { 1 } else { 0 };
        let word = rest[sign..].find(|c: char| !is_word(c)).unwrap_or(rest.len() - sign);
        let length = (sign + word).max(first.len_utf8());
        at = start + length;
        Some(Token { start, text: &rest[..length] })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADDED: &str = "#t = :t";

    #[test]
    fn a_clause_that_is_there_gets_the_assignment() {
        for (before, after) in [
            ("SET a = :a", "SET #t = :t, a = :a"),
            ("set a = :a", "set #t = :t, a = :a"),
            ("REMOVE b SET a = :a", "REMOVE b SET #t = :t, a = :a"),
            ("REMOVE b\nsEt\na = :a", "REMOVE b\nsEt #t = :t,\na = :a"),
            (
                "ADD n :one SET #set = :set, offset = :offset",
                "ADD n :one SET #t = :t, #set = :set, offset = :offset",
            ),
            ("REMOVE #set, a.set, a . set SET b = :b", "REMOVE #set, a.set, a . set SET #t = :t, b = :b"),
            ("REMOVE l[0]SET b=:b", "REMOVE l[0]SET #t = :t, b=:b"),
            ("SET#a=:a", "SET #t = :t,#a=:a"),
        ] {
            assert_eq!(with_assignment(before, ADDED), after);
        }
    }

    #[test]
    fn an_expression_without_the_clause_gets_one() {
        for expression in
            ["REMOVE offset", "ADD #set :set", "DELETE s :set", "REMOVE a.set", "REMOVE set_, asset, set1"]
        {
            assert_eq!(with_assignment(expression, ADDED), format!("{expression} SET {ADDED}"));
        }
    }

    #[test]
    fn words_are_found_whole() {
        assert!(mentions("SET _throughline = :a", "_throughline"));
        assert!(!mentions("SET a_throughline = :a, #_throughline = :b", "_throughline"));
    }

    /// Paths that look like clauses.
    fn path() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,3}",
            Just("offset".to_owned()),
            Just("#set".to_owned()),
            Just("#SET".to_owned()),
            Just("a.set".to_owned()),
            Just("l[3].#set".to_owned()),
            Just("settings".to_owned()),
            Just("remove_set".to_owned()),
        ]
        .prop_filter("a bare SET is no path", |path| path != "set")
    }

    fn keyword(word: &'static str) -> impl Strategy<Value = String> {
        prop::collection::vec(any::<bool>(), word.len()).prop_map(|upper| {
            let case = |(c, up): (char, bool)| if up { c.to_ascii_uppercase() } else { c };
            word.chars().zip(upper).map(case).collect()
        })
    }

    fn assignment() -> impl Strategy<Value = String> {
        (path(), prop_oneof!["[a-z]{1,3}", Just("set".to_owned()), Just("SET".to_owned())])
            .prop_map(|(path, value)| format!("{path} = :{value}"))
    }

    prop_compose! {
        fn clause(word: &'static str)(keyword in keyword(word), paths in prop::collection::vec(path(), 1..3)) -> String {
            format!("{keyword} {}", paths.join(", "))
        }
    }

    proptest! {
        #[test]
        fn the_assignment_is_the_first_of_the_only_set_clause(
            before in prop::option::of(clause("remove")),
            set in prop::option::of((keyword("set"), prop::collection::vec(assignment(), 1..4))),
            after in prop::option::of(clause("delete")),
            space in "[ \n\t]{1,2}",
        ) {
            let join = |set: Option<String>| {
                [before.clone(), set, after.clone()].into_iter().flatten().collect::<Vec<_>>().join(&space)
            };
            let written = set.clone().map(|(word, assignments)| format!("{word} {}", assignments.join(", ")));
            let expected = match set {
                Some((word, assignments)) => join(Some(format!("{word} {ADDED}, {}", assignments.join(", ")))),
                None => format!("{} SET {ADDED}", join(None)),
            };
            prop_assert_eq!(with_assignment(&join(written), ADDED), expected);
        }

        #[test]
        fn any_text_keeps_its_every_character(text in ".*") {
            let edited = with_assignment(&text, "");
            let mut rest = edited.chars();
            prop_assert!(text.chars().all(|c| rest.any(|other| other == c)));
            let covered: usize = tokens(&text).map(|token| token.text.len()).sum();
            prop_assert_eq!(covered, text.split_whitespace().map(str::len).sum::<usize>());
        }
    }
}
