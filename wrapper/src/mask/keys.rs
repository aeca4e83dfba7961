//! What members are called whose values are nobody's to see.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aho_corasick::Anchored;
use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::contiguous::NFA;

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

/// Names that are secret if they are nothing but that word: `passenger` and `author` say nothing.
const WORDS: [&str; 9] = ["auth", "bearer", "creds", "mfacode", "otp", "pass", "pin", "sig", "ssn"];

/// The names of members that are secret (`THROUGHLINE_MASK` adds to them, separated by commas).
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    more: Vec<String>,
    /// Finds all of them in one pass over a name: every member of a payload is asked for. `None` if it could not be made;
    /// then every name is secret.
    automaton: Option<Arc<NFA>>,
}

impl Keys {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        let more = env("THROUGHLINE_MASK").unwrap_or_default();
        Self::with(more.split(',').map(plain).filter(|name| !name.is_empty()).collect())
    }

    fn with(more: Vec<String>) -> Self {
        static OURS: OnceLock<Option<Arc<NFA>>> = OnceLock::new();
        /// A process has one list, for which several places ask at its start.
        static LATEST: Mutex<Option<Keys>> = Mutex::new(None);
        if more.is_empty() {
            return Self { more, automaton: OURS.get_or_init(|| automaton(&[])).clone() };
        }
        Self::known(&mut LATEST.lock().unwrap_or_else(PoisonError::into_inner), more)
    }

    /// Those of the latest list, if it is the same: to make an automaton takes time.
    fn known(latest: &mut Option<Self>, more: Vec<String>) -> Self {
        match latest {
            Some(keys) if keys.more == more => keys.clone(),
            _ => latest.insert(Self { automaton: automaton(&more), more }).clone(),
        }
    }

    /// Whether what a member of that name holds is secret.
    pub(crate) fn are_secret(&self, name: &str) -> bool {
        let Some(automaton) = &self.automaton else { return true };
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return true };
        for (at, byte) in name.bytes().enumerate() {
            if is_between(byte) {
                continue;
            }
            state = automaton.next_state(Anchored::No, state, byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                let is_secret = (0..automaton.match_len(state)).any(|found| {
                    let found = automaton.match_pattern(state, found);
                    found.as_usize() >= WORDS.len()
                        || is_word(name.as_bytes(), at + 1, automaton.pattern_len(found))
                });
                if is_secret {
                    return true;
                }
            }
        }
        false
    }
}

/// An NFA: a DFA is twice as fast, but a cold start would wait a quarter of a millisecond for it.
fn automaton(more: &[String]) -> Option<Arc<NFA>> {
    let names = WORDS.into_iter().chain(SECRET).chain(more.iter().map(String::as_str));
    NFA::builder().ascii_case_insensitive(true).prefilter(false).build(names).ok().map(Arc::new)
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

/// Whether a name is the word of this length that ends here.
fn is_word(name: &[u8], end: usize, length: usize) -> bool {
    let letters = |part: &[u8]| part.iter().filter(|byte| !is_between(**byte)).count();
    letters(name) == length && letters(&name[end..]) == 0
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
        for secret in ["pass", "Creds", "AUTH", "bearer", "otp", "mfa_code", "MfaCode", "-ssn-", "sig", "PIN"]
        {
            assert!(keys.are_secret(secret), "{secret}");
        }
        for open in ["shipping", "pinned", "passes", "bypass", "author", "oauth", "design", "pin pin", "s"] {
            assert!(!keys.are_secret(open), "{open}");
        }
        assert!(Keys::from_env(&|_| Some("pin".to_owned())).are_secret("pinned"), "as was asked for");
        for open in ["", "Keys", "key", "partitionKey", "routeKey", "user", "passenger", "sequenceNumber"] {
            assert!(!keys.are_secret(open), "{open}");
        }
    }

    #[test]
    fn a_list_is_made_into_an_automaton_once() {
        let mut latest = None;
        let mut keys = |name: &str| Keys::known(&mut latest, vec![name.to_owned()]);
        let (first, same, other) = (keys("iban"), keys("iban"), keys("taxid"));
        let is_same = |keys: &Keys| {
            let both = first.automaton.as_ref().zip(keys.automaton.as_ref());
            both.is_some_and(|(one, other)| Arc::ptr_eq(one, other))
        };
        assert!(is_same(&same) && !is_same(&other));
        assert!(same.are_secret("IBAN") && other.are_secret("tax-id") && !other.are_secret("iban"));
    }
}
