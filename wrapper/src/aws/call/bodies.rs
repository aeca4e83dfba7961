//! What a call sends and gets, where that is asked for (`THROUGHLINE_CAPTURE_CALLS`).

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_types::config_bag::ConfigBag;

use super::Call;
use crate::capture::Taken;

/// Services that keep secrets and hand them out: what they send and get is one, whatever the members are called
/// (the `Value` of a parameter, the `Plaintext` of a key).
const SECRETIVE: [&str; 9] = [
    "Cognito Identity",
    "Cognito Identity Provider",
    "KMS",
    "Secrets Manager",
    "Signin",
    "SSM",
    "SSO",
    "SSO OIDC",
    "STS",
];

impl Call {
    /// Takes the body of the request, before it is signed.
    pub(in crate::aws) fn serialized(&mut self, request: &HttpRequest, cfg: &ConfigBag) {
        if !self.presigned {
            self.request = self.take(request.body().bytes(), cfg);
        }
    }

    /// Tells it with that of the last response, once it is known whether the call failed. What the SDK hands on as a stream
    /// is not in the response any more.
    pub(in crate::aws) fn tell_bodies(&mut self, response: Option<&HttpResponse>, cfg: &ConfigBag) {
        let response = response.and_then(|response| self.take(response.body().bytes(), cfg));
        self.span.tell("throughline.request", self.request.as_ref());
        self.span.tell("throughline.response", response.as_ref());
    }

    fn take(&self, body: Option<&[u8]>, cfg: &ConfigBag) -> Option<Taken> {
        let taken = self.span.capture_calls().take_body(body)?;
        let is_secret = cfg.load::<Metadata>().is_none_or(|metadata| SECRETIVE.contains(&metadata.service()));
        Some(if is_secret { Taken::SECRET } else { taken })
    }
}
