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
use tokio::net::TcpStream;

/// Of the answer no more is read.
const MAX_REPLY: usize = 16 * 1024;
/// Credentials are asked for again after this, or when they are refused. Those of a role last for hours; Lambda has
/// new ones well before they end.
const FRESH: Duration = Duration::from_secs(300);

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
    held: Option<(Credentials, SystemTime)>,
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
        if let Some((credentials, then)) = &self.held
            && now.duration_since(*then).is_ok_and(|age| age < FRESH)
        {
            return Ok(credentials.clone());
        }
        let answer = ask(endpoint, target, token).await.map_err(|why| format!("no credentials: {why}"))?;
        let Answer { access_key_id, secret_access_key, token } = answer;
        let credentials = Credentials { access_key_id, secret_access_key, session_token: token };
        self.held = Some((credentials.clone(), now));
        Ok(credentials)
    }

    /// They were refused.
    pub(super) fn forget(&mut self) {
        self.held = None;
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
