//! The Runtime API.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::response::{Arrived, read};
use super::{Api, Reply, header, refuse, reply};
use crate::invocation::{FunctionError, Outcome};
use crate::state::Shared;

/// The largest error that is read.
const MAX_ERROR: usize = 6 * 1024 * 1024;
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// Waits for an invocation.
pub(super) async fn next(api: &Api) -> Reply {
    let poll = RuntimePoll::new(&api.state);
    let (headers, payload) = api
        .state
        .take(|state| {
            let current = state.undelivered()?;
            current.delivered = true;
            let payload = current.invocation.payload.clone();
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("lambda-runtime-aws-request-id", Some(current.request_id.clone())),
                ("lambda-runtime-deadline-ms", Some(current.deadline_ms.to_string())),
                ("lambda-runtime-invoked-function-arn", Some(api.config.function_arn())),
                ("lambda-runtime-trace-id", Some(current.trace_header.clone())),
                ("lambda-runtime-client-context", current.invocation.client_context.clone()),
            ] {
                // A header value that HTTP cannot carry stays out, as at Lambda's own front end.
                if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
                    headers.insert(name, value);
                }
            }
            state.runtime_polls -= 1;
            Some((headers, payload))
        })
        .await;
    poll.answered();
    let mut reply = Response::new(Full::new(payload));
    *reply.headers_mut() = headers;
    reply.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    reply
}

/// Takes a response, buffered or streamed; a stream's error arrives in its trailers.
///
/// Of a client that goes away before the end of a stream, Lambda says that the function is not interrupted
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html>): where its front end reads on,
/// there is nothing to be seen. What can be seen is what AWS's emulator does when it can't write to the client any more:
/// it stops reading, answers with an error, and closes the connection. So does this.
pub(super) async fn response(api: &Api, id: &str, request: Request<Incoming>) -> Reply {
    let streamed = header(&request, "lambda-runtime-function-response-mode") == Some("streaming");
    let patience = api.state.read(|state| state.current(id)?.invocation.client_leaves_after);
    match read(request.into_body(), streamed, patience).await {
        Arrived::Whole(body, trailers) => match trailing_error(&trailers) {
            Some((error, kind)) => answer(api, id, Outcome::Failed(error), Some(kind)),
            None => answer(api, id, Outcome::Response(body), None),
        },
        Arrived::TooLarge { bytes, most } => {
            let (kind, limit) = ("Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size");
            let message = format!("Response payload size ({bytes} bytes) {limit} ({most} bytes).");
            answer(api, id, Outcome::Failed(FunctionError::new(kind, message)), Some(kind.to_owned()));
            let message = format!("Exceeded maximum allowed payload size ({most} bytes).");
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
        Arrived::Truncated => refuse(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "the body ended early"),
        Arrived::Deserted(had) => {
            answer(api, id, Outcome::Response(had), None);
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "the client went away")
        }
    }
}

/// Takes a function error.
pub(super) async fn error(api: &Api, id: &str, request: Request<Incoming>) -> Reply {
    // The telemetry has the type from the header, and only one that looks like Lambda's own.
    let kind = platform_kind(header(&request, ERROR_TYPE).unwrap_or_default());
    let error = posted_error(request).await;
    answer(api, id, Outcome::Failed(error), Some(kind))
}

/// Takes the error of a failed init.
pub(super) async fn init_error(api: &Api, request: Request<Incoming>) -> Reply {
    let error = posted_error(request).await;
    api.state.change(|state| state.init_error = Some(error));
    reply(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn answer(api: &Api, id: &str, outcome: Outcome, error_type: Option<String>) -> Reply {
    let taken = api.state.change(|state| match state.unanswered(id) {
        Some(current) => {
            current.outcome = Some(outcome);
            current.error_type = error_type;
            true
        }
        None => false,
    });
    if taken {
        reply(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
    } else {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "no such invocation under way")
    }
}

async fn posted_error(request: Request<Incoming>) -> FunctionError {
    let kind = header(&request, ERROR_TYPE).map(str::to_owned);
    let body = Limited::new(request.into_body(), MAX_ERROR).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_else(|_| Bytes::new());
    FunctionError::from_body(&body, kind.as_deref())
}

/// The error of a stream that the runtime broke off, and what the telemetry says of it. The body is in Base64
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming>).
fn trailing_error(trailers: &HeaderMap) -> Option<(FunctionError, String)> {
    let kind = trailers.get(ERROR_TYPE)?.to_str().ok()?;
    let body = trailers.get("lambda-runtime-function-error-body").map(|value| value.as_bytes());
    let body = body.and_then(|body| BASE64_STANDARD.decode(body).ok()).unwrap_or_default();
    Some((FunctionError::from_body(&body, Some(kind)), platform_kind(kind)))
}

/// The types that Lambda passes on are its own, and those that look like them (`fatalerror.go` of AWS's emulator).
fn platform_kind(kind: &str) -> String {
    let rest = kind.strip_prefix("Runtime.").or_else(|| kind.strip_prefix("Function."));
    let is_known = rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    let kind = if is_known { kind } else { "Runtime.Unknown" };
    kind.to_owned()
}

/// Counts a waiting runtime. An event is taken and the count lowered in one step (by whoever takes
/// it), so that a sandbox never looks settled in between; this lowers it if the connection breaks off.
struct RuntimePoll<'a>(&'a Shared);

impl<'a> RuntimePoll<'a> {
    fn new(state: &'a Shared) -> Self {
        state.change(|s| s.runtime_polls += 1);
        Self(state)
    }

    fn answered(self) {
        std::mem::forget(self);
    }
}

impl Drop for RuntimePoll<'_> {
    fn drop(&mut self) {
        self.0.change(|s| s.runtime_polls -= 1);
    }
}
