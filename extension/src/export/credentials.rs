//! The function's own credentials: from the environment, or, under SnapStart, from the address that Lambda gives there
//! instead, since what is in a snapshot would be too old
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).

use crate::endpoint::Endpoint;
use crate::http::exchange;
use crate::sigv4::Credentials;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use serde::Deserialize;
use std::fmt;
use std::time::{Duration, SystemTime};
use throughline_recorder::rfc3339_nanos;
use tokio::net::TcpStream;

/// Of the answer no more is read.
const MAX_REPLY: usize = 16 * 1024;
/// Credentials are asked for again after this, or when they are refused.
const FRESH: Duration = Duration::from_secs(300);
/// They are not used any more so shortly before they expire: a request takes its time, and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// `AWS_ACCESS_KEY_ID` and its fellows.
    Environment(Credentials),
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    Container {
        /// On loopback.
        endpoint: Endpoint,
        /// Path and query.
        target: String,
        /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`, a secret.
        token: HeaderValue,
    },
}

/// Credentials, kept as long as they are good.
pub(super) struct Keyring {
    source: Source,
    held: Option<Held>,
}

/// Credentials, and when they may be used.
struct Held {
    credentials: Credentials,
    since: SystemTime,
    until: SystemTime,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// The answer of the container's endpoint.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    token: String,
    /// In UTC, as RFC 3339 has it.
    expiration: Option<String>,
}

// === impl Keyring ===

impl Keyring {
    pub(super) fn new(source: Source) -> Self {
        Self { source, held: None }
    }

    /// What to sign with.
    pub(super) async fn credentials(&mut self) -> Result<Credentials, String> {
        let (endpoint, target, token) = match &self.source {
            Source::Environment(credentials) => return Ok(credentials.clone()),
            Source::Container { endpoint, target, token } => (endpoint, target, token),
        };
        let now = SystemTime::now();
        if let Some(held) = self.held.as_ref().filter(|held| (held.since..held.until).contains(&now)) {
            return Ok(held.credentials.clone());
        }
        let answer = ask(endpoint, target, token).await.map_err(|why| format!("no credentials: {why}"))?;
        let until = answer.until(now);
        let Answer { access_key_id, secret_access_key, token, .. } = answer;
        let credentials = Credentials { access_key_id, secret_access_key, session_token: token };
        self.held = Some(Held { credentials: credentials.clone(), since: now, until });
        Ok(credentials)
    }

    /// They were refused.
    pub(super) fn forget(&mut self) {
        self.held = None;
    }
}

// === impl Answer ===

impl Answer {
    /// How long they are used without asking again.
    fn until(&self, now: SystemTime) -> SystemTime {
        let expiration = self.expiration.as_deref().and_then(rfc3339_nanos).map(Duration::from_nanos);
        let last = expiration.map(|expiration| SystemTime::UNIX_EPOCH + expiration.saturating_sub(MARGIN));
        last.into_iter().fold(now + FRESH, SystemTime::min)
    }
}

async fn ask(endpoint: &Endpoint, target: &str, token: &HeaderValue) -> Result<Answer, String> {
    let request = Request::get(target)
        .header(header::HOST, endpoint.authority())
        .header(header::AUTHORIZATION, token)
        .header(header::CONNECTION, "close")
        .body(Full::<Bytes>::default())
        .map_err(|error| error.to_string())?;
    let stream =
        TcpStream::connect((endpoint.host(), endpoint.port())).await.map_err(|error| error.to_string())?;
    let reply = exchange(stream, request, MAX_REPLY).await.map_err(|error| error.to_string())?;
    if !reply.status.is_success() {
        return Err(format!("the endpoint answered {}", reply.status));
    }
    // The text holds secrets; what is wrong with it is not told.
    serde_json::from_slice(&reply.body).map_err(|_| "the endpoint's answer is not understood".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Answer, FRESH};
    use std::time::{Duration, SystemTime};

    #[test]
    fn credentials_are_not_used_until_the_last_moment() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let now = at(1_000_000_000);
        for (expiration, until) in [
            (r#""2001-09-09T01:50:00Z""#, at(1_000_000_000 + 200 - 60)),
            (r#""2001-09-09T07:46:40Z""#, now + FRESH),
            (r#""1970-01-01T00:00:01Z""#, at(0)),
            (r#""soon""#, now + FRESH),
            ("null", now + FRESH),
        ] {
            let text = format!(r#"{{"AccessKeyId":"id","SecretAccessKey":"x","Expiration":{expiration}}}"#);
            let answer: Answer = serde_json::from_str(&text).expect("an answer");
            assert_eq!(answer.until(now), until, "{expiration}");
        }
    }
}
