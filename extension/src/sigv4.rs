//! AWS Signature Version 4, for requests in one chunk whose path needs no escape and that have no query:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//!
//! Hand-written: SHA-256 and HMAC are ring's, which TLS brings, and what is left is less than AWS's crate takes
//! for what is not needed here. It is tested with AWS's own examples.

use ring::{digest, hmac};
use std::fmt;
use std::fmt::Write as _;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What requests are signed with. Its `Debug` shows no secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`; empty if there is none.
    pub session_token: String,
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// UTC, as `20150830T123600Z`.
    pub time: &'a str,
    /// The region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
}

// === impl Credentials ===

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// The `authorization` header of a request with these `headers`, names in lower case, which must be all that are to be
    /// signed: at least `host` and `x-amz-date`. `payload` is the [`digest`](hex_digest) of the body.
    pub fn authorization(
        &self,
        scope: Scope<'_>,
        (method, path): (&str, &str),
        headers: &[(String, String)],
        payload: &str,
    ) -> String {
        let mut headers = headers.to_vec();
        headers.sort();
        let mut lines = String::new();
        for (name, value) in &headers {
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{name}:{}", value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");

        let Scope { time, region, service } = scope;
        let date = time.split('T').next().unwrap_or_default();
        let place = format!("{date}/{region}/{service}/aws4_request");
        let to_sign = format!("{ALGORITHM}\n{time}\n{place}\n{}", hex_digest(canonical.as_bytes()));
        let first = format!("AWS4{}", self.secret_access_key).into_bytes();
        let key = [date, region, service, "aws4_request"]
            .into_iter()
            .fold(first, |key, part| sign(&key, part).as_ref().to_vec());
        let signature = hex(sign(&key, &to_sign).as_ref());
        let id = &self.access_key_id;
        format!("{ALGORITHM} Credential={id}/{place}, SignedHeaders={names}, Signature={signature}")
    }
}

/// SHA-256 in hexadecimal.
pub fn hex_digest(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn sign(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Scope, hex_digest};

    /// Requests of AWS's signing test suite (`aws-signing-test-suite/v4` of the crate `aws-sigv4`): name, method, headers but
    /// `x-amz-date`, body, signature.
    type Example =
        (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

    const EXAMPLES: [Example; 5] = [
        ("post-vanilla", "POST", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "post-header-key-sort",
            "POST",
            &[("my-header1", "value1")],
            "",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "post-header-value-case",
            "POST",
            &[("my-header1", "VALUE1")],
            "",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
        (
            "get-header-value-trim",
            "GET",
            &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            "",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            &[
                ("content-length", "13"),
                ("content-type", "application/x-www-form-urlencoded"),
                ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
            ],
            "Param1=value1",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
    ];

    #[test]
    fn requests_are_signed_as_in_awss_examples() {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: String::new(),
        };
        let scope = Scope { time: "20150830T123600Z", region: "us-east-1", service: "service" };
        for (name, method, more, body, signature) in EXAMPLES {
            let own = [("x-amz-date", scope.time), ("host", "example.amazonaws.com")];
            let headers: Vec<(String, String)> =
                own.iter().chain(more).map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let found =
                credentials.authorization(scope, (method, "/"), &headers, &hex_digest(body.as_bytes()));
            assert!(found.ends_with(&format!(", Signature={signature}")), "{name}: {found}");
            assert!(
                found.starts_with(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                ),
                "{name}: {found}"
            );
        }
        assert!(!format!("{credentials:?}").contains("EXAMPLE"));
    }
}
