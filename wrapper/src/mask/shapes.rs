//! Tokens that are known by how they begin, as those who issue them document it, so that they are found where they leak.

use std::ops::Range;

/// How many characters follow the beginning at least. The tokens have more, names of other things seldom so many.
const FEW: usize = 8;

/// The token of which the first `_` or `-`, or the `I` of Google's, is at `sign`.
pub(super) fn at(bytes: &[u8], sign: usize) -> Option<Range<usize>> {
    let (before, continues): (usize, &[(&[u8], usize)]) = match (&bytes[..sign], bytes[sign]) {
        // Stripe <https://docs.stripe.com/keys>
        ([.., b's' | b'r', b'k'], b'_') => (2, &[(b"_live_", FEW), (b"_test_", FEW)]),
        // OpenAI, Anthropic
        ([.., b's', b'k'], b'-') => (2, &[(b"-proj-", FEW), (b"-ant-", FEW)]),
        // GitHub <https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github>
        ([.., b'g', b'h', b'p' | b'o' | b's' | b'u' | b'r'], b'_') => (3, &[(b"_", 2 * FEW)]),
        ([.., b'g', b'i', b't', b'h', b'u', b'b'], b'_') => (6, &[(b"_pat_", FEW)]),
        // GitLab <https://docs.gitlab.com/security/tokens/>
        ([.., b'g', b'l', b'p', b'a', b't'], b'-') => (5, &[(b"-", FEW)]),
        // Slack <https://docs.slack.dev/authentication/tokens>
        ([.., b'x', b'o', b'x', b'b' | b'p' | b'a' | b's'], b'-') => (4, &[(b"-", FEW)]),
        // npm, whose environment has names that begin alike (`npm_config_cache`)
        ([.., b'n', b'p', b'm'], b'_') => (3, &[(b"_", 36)]),
        // DigitalOcean
        ([.., b'd', b'o', b'p'], b'_') => (3, &[(b"_v1_", FEW)]),
        // Google, whose API keys have 39 characters
        ([.., b'A'], b'I') => (1, &[(b"Iza", 35)]),
        _ => return None,
    };
    let begin = sign - before;
    if !is_first(&bytes[..begin]) {
        return None;
    }
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    continues.iter().find_map(|(beginning, least)| {
        let token = bytes[sign..].strip_prefix(*beginning)?;
        let length = token.iter().take_while(is_part).count();
        (length >= *least).then(|| begin..sign + beginning.len() + length)
    })
}

/// Whether a word begins behind this: the letter of an escape (`\n`) is none of its own.
fn is_first(before: &[u8]) -> bool {
    match before {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., last] => !last.is_ascii_alphanumeric(),
        [] => true,
    }
}
