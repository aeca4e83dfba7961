//! A request as it goes to AWS: with the time, a digest of its body, and a signature of all.

use crate::log;
use crate::sigv4::{self, Credentials, Scope};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use std::time::SystemTime;

/// How to sign a request to AWS.
pub(super) struct Signing<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

// === impl Signing ===

impl Signing<'_> {
    /// Signs all headers that are there but our name.
    pub(super) fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), String> {
        let time = log::rfc3339(now).replace(['-', ':'], "");
        let time = format!("{}Z", time.split('.').next().unwrap_or_default());
        let payload = sigv4::hex_digest(body);
        let token = self.credentials.session_token.as_str();
        for (name, value) in [
            ("x-amz-date", time.as_str()),
            ("x-amz-content-sha256", &payload),
            ("x-amz-security-token", token),
        ] {
            if !value.is_empty() {
                let mut value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
                value.set_sensitive(true);
                request.headers_mut().insert(name, value);
            }
        }
        let unsigned = |name: &HeaderName| *name == header::USER_AGENT || *name == header::AUTHORIZATION;
        let signed = request.headers().iter().filter(|(name, _)| !unsigned(name));
        let signed: Vec<(String, String)> = signed
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let scope = Scope { time: &time, region: self.region, service: self.service };
        let line = (request.method().as_str(), request.uri().path());
        let authorization = self.credentials.authorization(scope, line, &signed, &payload);
        let mut authorization = HeaderValue::from_str(&authorization).map_err(|error| error.to_string())?;
        authorization.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, authorization);
        Ok(())
    }
}
