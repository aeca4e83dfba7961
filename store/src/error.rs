//! What can go wrong.

/// Why the table could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// DynamoDB refused.
    #[error("{code}: {message}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// Its word for it: `AccessDeniedException`; the status where it has none.
        code: String,
        /// What it says.
        message: String,
    },
    /// DynamoDB could not be reached, or what it answered is not understood.
    #[error("{0}")]
    NoAnswer(String),
    /// There was no way to make the request.
    #[error("{0}")]
    Unsendable(String),
    /// The table had no capacity for some items until the deadline.
    #[error("throttled: {left} items are not written")]
    Throttled {
        /// How many of them.
        left: usize,
    },
    /// There was no answer before the deadline.
    #[error("no answer in time")]
    Deadline,
    /// A new table could not be used for a minute.
    #[error("the new table is not ready yet")]
    NotReady,
    /// What was to be written is no OTLP, or too large.
    #[error("{0}")]
    Spans(String),
}

/// What DynamoDB says when another try may succeed
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>).
const TRANSIENT: [&str; 7] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "Throttling",
    "RequestLimitExceeded",
    "LimitExceededException",
    "InternalServerError",
    "ServiceUnavailable",
];

impl Error {
    /// Whether another try may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => *status >= 500 || TRANSIENT.contains(&code.as_str()),
            Self::NoAnswer(_) | Self::Throttled { .. } | Self::Deadline | Self::NotReady => true,
            Self::Unsendable(_) | Self::Spans(_) => false,
        }
    }
}

#[cfg(feature = "aws-sdk")]
mod sdk {
    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext, ProvideErrorMetadata, SdkError};

    use super::Error;

    impl Error {
        /// What the client says, with the service's own words where it has any.
        pub(crate) fn aws<E>(error: SdkError<E, HttpResponse>) -> Self
        where
            E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            if let SdkError::ServiceError(service) = &error {
                let code = service.err().code().map_or_else(|| status.to_string(), str::to_owned);
                let message = service.err().message().unwrap_or_default().to_owned();
                return Self::Refused { status, code, message };
            }
            let said = DisplayErrorContext(&error).to_string();
            match error {
                SdkError::ConstructionFailure(_) => Self::Unsendable(said),
                _ => Self::NoAnswer(said),
            }
        }

        pub(crate) fn build(error: BuildError) -> Self {
            Self::Unsendable(error.to_string())
        }
    }
}
