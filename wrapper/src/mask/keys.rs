//! What members are called whose values are nobody's to see.

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
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keys {
    more: Vec<String>,
}

impl Keys {
    pub(crate) fn from_env(env: &Env<'_>) -> Self {
        let more = env("THROUGHLINE_MASK").unwrap_or_default();
        Self { more: more.split(',').map(plain).filter(|name| !name.is_empty()).collect() }
    }

    /// Whether what a member of that name holds is secret.
    pub(crate) fn are_secret(&self, name: &str) -> bool {
        let name = plain(name);
        SECRET.iter().any(|secret| name.contains(secret))
            || self.more.iter().any(|more| name.contains(&**more))
    }
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' '));
    letters.map(|c| c.to_ascii_lowercase()).collect()
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
