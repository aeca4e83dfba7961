//! The Extensions API and the subscription to the Telemetry API.

use crate::http::{Kept, Reply, exchange};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::time::Instant;

const REGISTER: &str = "/2020-01-01/extension/register";
const NEXT: &str = "/2020-01-01/extension/event/next";
const TELEMETRY: &str = "/2022-07-01/telemetry";
/// Newest first. The newer one is required on Managed Instances and refused where it is not known.
const SCHEMAS: [&str; 2] = ["2025-01-29", "2022-12-13"];
/// The shortest that the platform allows: the end of an invocation must be told before the budget is over.
const BUFFERING_MS: u64 = 25;
/// Tries of a call before it counts as failed, and the first pause between them, doubled each time.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(10);
const MAX_BODY: usize = 1024 * 1024;
/// No deadline is farther: a function runs for 15 minutes at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// The client of one registered extension.
#[derive(Debug)]
pub struct Lambda {
    api: String,
    name: String,
    id: String,
    /// The connection of the start. Gone with the first event: from then on the sandbox freezes.
    kept: Option<Kept<TcpStream>>,
}

/// What the extension wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// INVOKE and SHUTDOWN.
    All,
    /// SHUTDOWN: INVOKE cannot be had on Managed Instances, and is not needed where nothing is sent.
    ShutdownOnly,
}

/// A lifecycle event. Deadlines are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "eventType", rename_all = "UPPERCASE")]
pub enum Event {
    /// The function is invoked.
    #[serde(rename_all = "camelCase")]
    Invoke {
        /// When Lambda stops the function.
        deadline_ms: u64,
        /// The request id.
        request_id: String,
    },
    /// The sandbox goes away.
    #[serde(rename_all = "camelCase")]
    Shutdown {
        /// When Lambda kills the extension.
        deadline_ms: u64,
        /// `spindown`, `timeout` or `failure`.
        #[serde(default)]
        shutdown_reason: String,
    },
}

/// The outcome of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// Platform events will come.
    Active,
    /// This host has no Telemetry API (AWS's runtime interface emulator), and then never freezes.
    NotSupported,
    /// It was refused, for this reason.
    Refused(String),
}

/// A call to Lambda's API failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing came back.
    #[error("no answer from {api}: {source}")]
    NoAnswer {
        /// The API's address.
        api: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was refused.
    #[error("{path} answered {status}: {body}")]
    Refused {
        /// What was called.
        path: &'static str,
        /// The status.
        status: StatusCode,
        /// The start of the body.
        body: String,
    },
    /// The answer makes no sense.
    #[error("{path} answered something unreadable: {why}")]
    Unreadable {
        /// What was called.
        path: &'static str,
        /// Why.
        why: String,
    },
}

// === impl Error ===

impl Error {
    /// Whether another try may succeed. A refusal stands, unless the server itself was in trouble.
    fn may_pass(&self) -> bool {
        !matches!(self, Error::Refused { status, .. } if !status.is_server_error())
    }
}

// === impl Lambda ===

impl Lambda {
    /// Connects to the API of address `api` (`AWS_LAMBDA_RUNTIME_API`). Where that fails each call tries again. `name` must
    /// be the executable's file name, or Lambda takes the extension for an internal one, which gets no SHUTDOWN.
    pub async fn connect(api: &str, name: &str) -> Self {
        let kept = match TcpStream::connect(api).await {
            Ok(stream) => Kept::new(stream).await.ok(),
            Err(_) => None,
        };
        Self { api: api.to_owned(), name: name.to_owned(), id: String::new(), kept }
    }

    /// Registers.
    ///
    /// # Errors
    ///
    /// If the API cannot be reached or refuses.
    pub async fn register(&mut self, events: Events) -> Result<(), Error> {
        let events = match events {
            Events::All => json!({ "events": ["INVOKE", "SHUTDOWN"] }),
            Events::ShutdownOnly => json!({ "events": ["SHUTDOWN"] }),
        };
        let reply = retried(async || self.call(Method::POST, REGISTER, events.to_string()).await).await?;
        let id = reply.headers.get("lambda-extension-identifier").and_then(|id| id.to_str().ok());
        self.id = id.ok_or_else(|| unreadable(REGISTER, "no identifier"))?.to_owned();
        Ok(())
    }

    /// Asks for the next event and waits for it, however long that takes. Lambda may freeze the
    /// sandbox from the moment on that this was asked.
    ///
    /// # Errors
    ///
    /// If the API cannot be reached after some tries, or refuses.
    pub async fn next(&mut self) -> Result<Event, Error> {
        retried(async || {
            let reply = self.call(Method::GET, NEXT, String::new()).await;
            self.kept = None;
            serde_json::from_slice(&reply?.body).map_err(|error| unreadable(NEXT, error))
        })
        .await
    }

    /// Subscribes to platform events, and to the function's `logs`, to be sent to `port` of the sandbox.
    pub async fn subscribe(&mut self, port: u16, logs: bool) -> Subscription {
        // Never to the extensions': what is written here would come back.
        let types = if logs { &["platform", "function"][..] } else { &["platform"] };
        let mut refused = String::new();
        for schema in SCHEMAS {
            let body = json!({
                "schemaVersion": schema,
                "types": types,
                "buffering": { "maxItems": 1000, "maxBytes": 262_144, "timeoutMs": BUFFERING_MS },
                "destination": { "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}") },
            });
            match self.call(Method::PUT, TELEMETRY, body.to_string()).await {
                Ok(reply) if reply.status == StatusCode::ACCEPTED => return Subscription::NotSupported,
                Ok(_) => return Subscription::Active,
                Err(Error::Refused { status: StatusCode::BAD_REQUEST, body, .. }) => refused = body,
                Err(error) => return Subscription::Refused(error.to_string()),
            }
        }
        Subscription::Refused(refused)
    }

    /// One call; an answer that is not 2xx is an error.
    async fn call(&mut self, method: Method, path: &'static str, body: String) -> Result<Reply, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.api)
            .header("content-type", "application/json")
            .header("lambda-extension-name", &self.name);
        if self.id.is_empty() {
            request = request.header("lambda-extension-accept-feature", "accountId");
        } else {
            request = request.header("lambda-extension-identifier", &self.id);
        }
        let reply = match request.body(Full::new(Bytes::from(body))) {
            Ok(request) => self.exchange(request).await,
            Err(error) => Err(error.into()),
        };
        let reply = reply.map_err(|source| Error::NoAnswer { api: self.api.clone(), source })?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let body = String::from_utf8_lossy(&reply.body).chars().take(500).collect();
        Err(Error::Refused { path, status: reply.status, body })
    }

    /// Over the connection of the start, or over a new one: that may have been closed meanwhile.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(kept) = self.kept.take()
            && let Ok((reply, kept)) = kept.exchange(request.clone(), MAX_BODY).await
        {
            self.kept = kept;
            return Ok(reply);
        }
        Ok(exchange(TcpStream::connect(&self.api).await?, request, MAX_BODY).await?)
    }
}

/// Repeats a call whose answer did not come or was an error of the server's own.
async fn retried<T>(mut call: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut tried = 0;
    loop {
        tried += 1;
        match call().await {
            Err(error) if tried < TRIES && error.may_pass() => {
                tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await
            }
            done => return done,
        }
    }
}

fn unreadable(path: &'static str, why: impl ToString) -> Error {
    Error::Unreadable { path, why: why.to_string() }
}

/// The moment of a deadline in milliseconds since 1970. To be asked when the event arrives: clocks jump
/// in a freeze, and what was computed before it is worth nothing after.
pub fn instant(deadline_ms: u64, wall: SystemTime, now: Instant) -> Instant {
    let since_1970 = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    now + Duration::from_millis(deadline_ms).saturating_sub(since_1970).min(LONGEST)
}

#[cfg(test)]
#[path = "lambda_tests.rs"]
mod tests;
