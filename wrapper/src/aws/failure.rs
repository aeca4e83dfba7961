//! What a failed call says of its error.

use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_types::error::display::DisplayErrorContext;

use super::call::Call;
use super::service::Service;

/// The codes by which services say that there were too many requests, as the SDK's own retries know them
/// (<https://docs.rs/aws-runtime/latest/aws_runtime/retries/classifiers/constant.THROTTLING_ERRORS.html>).
const THROTTLES: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

/// Records `error` on the call's span.
pub(super) fn record(error: &OrchestratorError<Error>, call: &mut Call) {
    if let Some(error) = error.as_operation_error() {
        let metadata = call.service().and_then(|service| service.metadata(error));
        let message =
            metadata.and_then(|metadata| metadata.message()).map_or_else(|| error.to_string(), str::to_owned);
        call.fail(&code(error, call.service()), &message);
    } else {
        call.fail(kind(error), &DisplayErrorContext(error).to_string());
    }
}

/// Whether the service refused an attempt because there were too many.
pub(super) fn is_throttle(error: &OrchestratorError<Error>, call: &Call) -> bool {
    error.as_operation_error().is_some_and(|error| THROTTLES.contains(&code(error, call.service()).as_str()))
}

fn code(error: &Error, service: Option<&dyn Service>) -> String {
    let code = service.and_then(|service| service.metadata(error)).and_then(|metadata| metadata.code());
    let text = || error.to_string();
    code.map(str::to_owned)
        .or_else(|| code_in(&text()).map(str::to_owned))
        .unwrap_or_else(|| "_OTHER".to_owned())
}

/// Kinds of failures before, or instead of, an answer of the service.
fn kind(error: &OrchestratorError<Error>) -> &'static str {
    match error.as_connector_error() {
        Some(connector) if connector.is_timeout() => "timeout",
        Some(connector) if connector.is_io() => "io",
        Some(_) => "connector",
        None if error.is_timeout_error() => "timeout",
        None if error.is_response_error() => "response",
        None => "_OTHER",
    }
}

/// The error code in the text of an SDK error whose type we don't know: the SDK's modeled errors begin with
/// their name, the others say `unhandled error (<code>)`.
fn code_in(text: &str) -> Option<&str> {
    let code = match text.strip_prefix("unhandled error (") {
        Some(rest) => rest.split(')').next(),
        None => text.split([':', ' ']).next(),
    };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
    code.filter(|code| code.starts_with(|c: char| c.is_ascii_uppercase()) && code.bytes().all(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_the_texts_of_sdk_errors() {
        for (text, code) in [
            ("unhandled error (ThrottlingException)", Some("ThrottlingException")),
            (
                "ConditionalCheckFailedException: The conditional request failed",
                Some("ConditionalCheckFailedException"),
            ),
            (
                "QueueDoesNotExist [AWS.SimpleQueueService.NonExistentQueue]: no such queue",
                Some("QueueDoesNotExist"),
            ),
            ("unhandled error", None),
            ("", None),
            ("ünsinn", None),
        ] {
            assert_eq!(code_in(text), code, "{text}");
        }
    }
}
