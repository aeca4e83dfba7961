//! What can go wrong.

use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why the table could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// DynamoDB refused, or could not be reached.
    #[error("{0}")]
    Aws(String),
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

impl Error {
    /// What the client says, with the service's own words where it has any.
    pub(crate) fn aws<E, R>(error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let service = error.as_service_error();
        let said =
            service.and_then(|service| Some((service.code()?.to_owned(), service.message()?.to_owned())));
        Self::Aws(said.map_or_else(
            || DisplayErrorContext(&error).to_string(),
            |(code, message)| format!("{code}: {message}"),
        ))
    }

    pub(crate) fn build(error: BuildError) -> Self {
        Self::Aws(error.to_string())
    }
}
