//! What the answer to a call says, on its span and on those of a batch's messages.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_types::config_bag::ConfigBag;
use aws_types::request_id::RequestId;

use super::Call;
use crate::scope::OpenSpan;

impl Call {
    /// Counts an attempt that the service refused because there were too many.
    pub(in crate::aws) fn throttled(&mut self) {
        self.throttled += 1;
    }

    /// Records that the call succeeded.
    pub(in crate::aws) fn succeeded(&mut self) {
        if !self.joins.is_empty() {
            self.span.set("throughline.join.out", std::mem::take(&mut self.joins));
        }
    }

    /// Records the id that AWS gave to a message: of the batch's entry `entry`, or the only one.
    pub(in crate::aws) fn sent(&mut self, entry: Option<&str>, message_id: &str, join: String) {
        self.identified(entry, message_id);
        if let Some(span) = self.message(entry) {
            span.set("throughline.join.out", vec![join]);
        }
    }

    /// As [`sent`](Self::sent), for an id by which nothing joins.
    pub(in crate::aws) fn identified(&mut self, entry: Option<&str>, message_id: &str) {
        if let Some(span) = self.message(entry) {
            span.set("messaging.message.id", message_id);
        }
    }

    /// Records that AWS refused one entry of a batch that it took.
    pub(in crate::aws) fn refused(&mut self, entry: &str, code: &str, message: &str) {
        if let Some(span) = self.message(Some(entry)) {
            span.fail(code, message);
        }
    }

    /// Marks the call as failed.
    pub(in crate::aws) fn fail(&mut self, error_type: &str, message: &str) {
        self.span.fail(error_type, message);
        for entry in &mut self.entries {
            entry.span.set("error.type", error_type);
        }
    }

    /// Records what the service's last answer says, whatever the operation.
    pub(in crate::aws) fn answered(&mut self, response: Option<&HttpResponse>, cfg: &ConfigBag) {
        if let Some(response) = response {
            self.span.set("http.response.status_code", i64::from(response.status().as_u16()));
            if let Some(id) = response.request_id() {
                self.span.set("aws.request_id", id);
                self.request_id = Some(id.to_owned());
            }
            // Of S3 alone.
            if let Some(id) = response.headers().get("x-amz-id-2") {
                self.span.set("aws.extended_request_id", id);
            }
        }
        let retries = cfg.load::<RequestAttempts>().map_or(0, |made| made.attempts().saturating_sub(1));
        if retries > 0 {
            self.span.set("http.request.resend_count", i64::from(retries));
        }
        if self.throttled > 0 {
            self.span.set("throughline.throttled", self.throttled);
        }
    }

    fn message(&mut self, entry: Option<&str>) -> Option<&mut OpenSpan> {
        match entry {
            Some(id) => self.entries.iter_mut().find(|entry| entry.id == id).map(|entry| &mut entry.span),
            None => Some(&mut self.span),
        }
    }
}
