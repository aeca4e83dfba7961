//! What in a text is nobody's to see, by what it looks like: numbers of cards, addresses of people, tokens, keys of AWS, and
//! what stands behind a secret name (`password=…`).

use super::{Keys, MASK};

/// A text without them.
pub(super) fn masked(text: &str, keys: &Keys) -> String {
    let mut out = String::with_capacity(text.len());
    let mut hides_next = false;
    // Words with what separates them; a card's number may be several.
    for word in text.split_inclusive(is_separator) {
        let end =
            word.len() - word.chars().next_back().filter(|c| is_separator(*c)).map_or(0, char::len_utf8);
        let (word, separator) = word.split_at_checked(end).unwrap_or((word, ""));
        let hides = hides_next || is_secret(word);
        out.push_str(if hides && !word.is_empty() { MASK } else { word });
        out.push_str(separator);
        let names =
            (matches!(separator, "=" | ":") && keys.are_secret(word)) || word.eq_ignore_ascii_case("bearer");
        hides_next = names || hides_next && word.is_empty();
    }
    without_cards(out)
}

/// A text that was cut, without what may be the half of a secret at its end.
pub(super) fn without_half_a_secret(cut: &str) -> &str {
    let begin = cut.rfind(is_separator).map_or(0, |at| cut.ceil_char_boundary(at + 1));
    let (before, word) = cut.split_at_checked(begin).unwrap_or((cut, ""));
    let may_be_one = word.contains(|c: char| c == '@' || c.is_ascii_digit()) || word.starts_with("eyJ");
    let kept = if may_be_one { before } else { cut };
    kept.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '-'))
}

/// Whether a word is a secret by itself.
pub(super) fn is_secret(word: &str) -> bool {
    is_card(word) || is_address(word) || is_token(word) || is_aws_key(word)
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '=' | ':'
                | '&'
                | ','
                | ';'
                | '"'
                | '\''
                | '<'
                | '>'
                | '('
                | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '?'
                | '|'
        )
}

/// The number of a payment card: 13 to 19 digits with the check digit right (ISO/IEC 7812), which no time since 1970 begins as.
fn is_card(word: &str) -> bool {
    let digits: Vec<u32> = word.chars().filter(|c| *c != '-').map_while(|c| c.to_digit(10)).collect();
    let is_number = digits.len() == word.chars().filter(|c| *c != '-').count();
    is_number && (13..=19).contains(&digits.len()) && matches!(digits.first(), Some(2..=6)) && checks(&digits)
}

/// Luhn's check.
fn checks(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Numbers of cards in groups of digits, as people write them: `4111 1111 1111 1111`.
fn without_cards(text: String) -> String {
    let is_part = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        let number = run.trim_end();
        out.push_str(if is_card(&number.replace(' ', "")) { MASK } else { number });
        out.push_str(&run[number.len()..]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// An address of mail.
fn is_address(word: &str) -> bool {
    let Some((local, domain)) = word.rsplit_once('@') else { return false };
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._%+-".contains(c));
    is_name(local) && is_name(domain) && domain.trim_matches('.').contains('.')
}

/// A JSON Web Token (RFC 7519): three parts in Base64, the first of which begins an object.
fn is_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.split('.').count() >= 3
}

/// The id of an access key (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
fn is_aws_key(word: &str) -> bool {
    word.len() == 20
        && (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden_and_the_rest_stays() {
        for (text, shown) in [
            ("pay with 4111 1111 1111 1111 now", "pay with *** now"),
            ("4111-1111-1111-1111", "***"),
            ("4111111111111112 and 1795168800000", "4111111111111112 and 1795168800000"),
            ("mail ada@example.com, please", "mail ***, please"),
            ("arn:aws:iam::123456789012:user/x@y", "arn:aws:iam::123456789012:user/x@y"),
            ("Authorization: Bearer abc.def", "Authorization: *** ***"),
            ("a=1&password=hunter2&b=2", "a=1&password=***&b=2"),
            ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
            ("eyJhbGciOi.eyJzdWIi.sig", "***"),
            ("", ""),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(masked(text, &Keys::default()), shown, "{text}");
        }
    }
}
