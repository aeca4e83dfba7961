//! What members are called whose values are nobody's to see.

use std::sync::Arc;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, StartKind};

use super::text::table;
use crate::settings::Env;

/// What such a name has in it somewhere, in any case and without `-`, `_`, `.` and spaces.
const SECRET: [&str; 22] = [
    "accesskey",
    "apikey",
    "authorization",
    "cardnumber",
    "connectionstring",
    "cookie",
    "credential",
    "cvc",
    "cvv",
    "encryptionkey",
    "passphrase",
    "passwd",
    "password",
    "pincode",
    "privatekey",
    "pwd",
    "secret",
    "sessionid",
    "sharedkey",
    "signature",
    "signingkey",
    "token",
];

/// The names of members that are secret (`THROUGHLINE_MASK` adds to them, separated by commas).
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    more: Vec<String>,
    /// Finds all of them in one pass over a name: every member of a payload is asked for. `None` if it could not be made;
    /// then every name is secret.
    automaton: Option<Arc<DFA>>,
}

impl Keys {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        let more = env("THROUGHLINE_MASK").unwrap_or_default();
        Self::with(more.split(',').map(plain).filter(|name| !name.is_empty()).collect())
    }

    fn with(more: Vec<String>) -> Self {
        let names = SECRET.into_iter().chain(more.iter().map(String::as_str));
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(names);
        Self { more, automaton: automaton.ok().map(Arc::new) }
    }

    /// Whether what a member of that name holds is secret.
    pub(crate) fn are_secret(&self, name: &str) -> bool {
        let Some(automaton) = &self.automaton else { return true };
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return true };
        for byte in name.bytes() {
            if is_between(byte) {
                continue;
            }
            state = automaton.next_state(Anchored::No, state, byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                return true;
            }
        }
        false
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::with(Vec::new())
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.more == other.more
    }
}

/// Whether a byte only stands between the words of a name.
fn is_between(byte: u8) -> bool {
    BETWEEN[usize::from(byte)]
}

static BETWEEN: [bool; 256] = table(b"-_. ");

fn plain(name: &str) -> String {
    name.chars().filter(|c| !u8::try_from(*c).is_ok_and(is_between)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_however_they_are_spelled() {
        let keys = Keys::from_env(&|_| Some("IBAN, tax-id,".to_owned()));
        for secret in
            ["password", "DB_PASSWORD", "x-api-key", "apiKey", "Set-Cookie", "clientSecret", "iban", "taxId"]
        {
            assert!(keys.are_secret(secret), "{secret}");
        }
        for open in ["", "Keys", "key", "partitionKey", "routeKey", "user", "passenger", "sequenceNumber"] {
            assert!(!keys.are_secret(open), "{open}");
        }
    }
}
