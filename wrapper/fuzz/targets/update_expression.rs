//! An assignment is added to any `UpdateExpression`: its words stay in their order, and ours stand together behind
//! the word `SET`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use throughline::internals;

fuzz_target!(|expression: &str| {
    let edited = internals::with_assignment(expression, "#t = :t");
    let (before, after) = (words(expression), words(&edited));
    let at = before.iter().zip(&after).take_while(|(before, after)| before == after).count();
    // Where the rest begins as ours does, ours may be found later: every place is tried.
    let holds = (0..=at).any(|at| {
        let is_clause = |word: &String, path: Option<&String>| {
            word.eq_ignore_ascii_case("set") && path.is_none_or(|before| before != ".")
        };
        let in_clause = at > 0
            && is_clause(&before[at - 1], at.checked_sub(2).map(|at| &before[at]))
            && after.len() == before.len() + 4
            && after[at..at + 4] == ["#t", "=", ":t", ","]
            && after[at + 4..] == before[at..];
        let own_clause = at == before.len() && after[at..] == ["SET", "#t", "=", ":t"];
        in_clause || own_clause
    });
    assert!(holds, "{expression:?} became {edited:?}");
});

/// Words with the sign before them, and every other character by itself.
fn words(expression: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for c in expression.chars() {
        let is_word = c.is_alphanumeric() || c == '_';
        match words.last_mut() {
            Some(word) if is_word && open => word.push(c),
            _ if c.is_whitespace() => {}
            _ => words.push(c.to_string()),
        }
        open = is_word || matches!(c, '#' | ':');
    }
    words
}
