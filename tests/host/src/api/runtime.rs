//! The Runtime API.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::{Api, Reply, header, refuse, reply};
use crate::invocation::{FunctionError, Outcome};
use crate::state::Shared;

/// Lambda's limit for a buffered response.
const MAX_RESPONSE: usize = 6 * 1024 * 1024;
/// Lambda's limit for a streamed response.
const MAX_STREAM: usize = 200 * 1024 * 1024;

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
pub(super) async fn response(api: &Api, id: &str, request: Request<Incoming>) -> Reply {
    let streamed = header(&request, "lambda-runtime-function-response-mode") == Some("streaming");
    let limit = if streamed { MAX_STREAM } else { MAX_RESPONSE };
    let collected = match Limited::new(request.into_body(), limit).collect().await {
        Ok(collected) => collected,
        Err(error) if error.is::<LengthLimitError>() => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
            let error = FunctionError::new("Function.ResponseSizeTooLarge", &message);
            answer(api, id, Outcome::Failed(error));
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
        }
        Err(_) => return refuse(StatusCode::BAD_REQUEST, "InvalidRequest", "the body ended early"),
    };
    let failed = collected.trailers().and_then(trailing_error);
    let outcome = failed.map_or_else(|| Outcome::Response(collected.to_bytes()), Outcome::Failed);
    answer(api, id, outcome)
}

/// Takes a function error.
pub(super) async fn error(api: &Api, id: &str, request: Request<Incoming>) -> Reply {
    let error = posted_error(request).await;
    answer(api, id, Outcome::Failed(error))
}

/// Takes the error of a failed init.
pub(super) async fn init_error(api: &Api, request: Request<Incoming>) -> Reply {
    let error = posted_error(request).await;
    api.state.change(|state| state.init_error = Some(error));
    reply(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn answer(api: &Api, id: &str, outcome: Outcome) -> Reply {
    let taken = api.state.change(|state| match state.unanswered(id) {
        Some(current) => {
            current.outcome = Some(outcome);
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
    let kind = header(&request, "lambda-runtime-function-error-type").map(str::to_owned);
    let body = Limited::new(request.into_body(), MAX_RESPONSE).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_else(|_| Bytes::new());
    FunctionError::from_body(&body, kind.as_deref())
}

fn trailing_error(trailers: &HeaderMap) -> Option<FunctionError> {
    let kind = trailers.get("lambda-runtime-function-error-type")?.to_str().ok()?;
    let message = trailers.get("lambda-runtime-function-error-body").and_then(|v| v.to_str().ok());
    Some(FunctionError::new(kind, message.unwrap_or_default()))
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
