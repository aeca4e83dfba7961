//! The two layers round a handler.
//!
//! [`InvocationLayer`] is the outer one: it has the raw event before it is deserialized, and control back after
//! the response was posted. [`Handler`] is the inner one: it sees the handler's result, error and panic.

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod deadline_tests;
mod handler;
#[cfg(test)]
mod layer_tests;
mod outer;
mod response;
mod said;
#[cfg(test)]
mod secret_tests;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waiting_tests;

use std::fmt::Debug;

use bytes::Bytes;
use futures_core::Stream;
use lambda_runtime::{Diagnostic, Error, IntoFunctionResponse, LambdaEvent, Runtime};
use serde::{Deserialize, Serialize};
use tower::Service;

pub use handler::{Handler, HandlerError, HandlerFuture, handler};
pub use outer::{InvocationFuture, InvocationLayer, InvocationService};
pub use response::ObservedResponse;
pub(crate) use said::heed;
pub use stream::ObservedStream;

use crate::subscriber;

/// Runs `handler` for every event, as [`lambda_runtime::run`] does, and traces it.
///
/// Takes whatever `lambda_runtime::run` takes, streaming responses included; handlers of the `lambda_http` crate as
/// `throughline::run(lambda_http::Adapter::from(service_fn(handler)))`. If no global `tracing` subscriber
/// is set, one is installed that writes log lines with `trace_id`, `span_id`, `request_id`, `correlation_id`, the user and
/// the account, as JSON or as Lambda's logging controls ask, and records the program's own `tracing` spans.
///
/// # Errors
///
/// Those of `lambda_runtime::run`: the Runtime API failed. Tracing adds none.
///
/// # Panics
///
/// As `lambda_runtime::run` outside Lambda, where its environment variables are missing.
///
/// ```no_run
/// use lambda_runtime::{Error, LambdaEvent, service_fn};
/// use serde_json::{Value, json};
///
/// async fn greet(event: LambdaEvent<Value>) -> Result<Value, Error> {
///     Ok(json!({ "hello": event.payload["name"] }))
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     throughline::run(service_fn(greet)).await
/// }
/// ```
pub async fn run<A, F, R, B, S, D, E>(handler: F) -> Result<(), Error>
where
    F: Service<LambdaEvent<A>, Response = R>,
    F::Future: Future<Output = Result<R, F::Error>>,
    F::Error: Into<Diagnostic> + Debug + 'static,
    A: for<'de> Deserialize<'de>,
    R: IntoFunctionResponse<B, S>,
    B: Serialize,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send,
    E: Into<Error> + Send + Debug,
{
    subscriber::install();
    Runtime::new(self::handler(handler)).layer(InvocationLayer::new()).run().await
}

/// Runs `handler` for several events at once where the platform asks for it, as
/// [`lambda_runtime::run_concurrent`] does, and traces it. Elsewhere the same as [`run`].
///
/// # Errors
///
/// Those of `lambda_runtime::run_concurrent`. Tracing adds none.
///
/// # Panics
///
/// As `lambda_runtime::run_concurrent`, outside Lambda or outside a Tokio runtime.
pub async fn run_concurrent<A, F, R, B, S, D, E>(handler: F) -> Result<(), Error>
where
    F: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
    F::Future: Future<Output = Result<R, F::Error>> + Send + 'static,
    F::Error: Into<Diagnostic> + Debug + 'static,
    A: for<'de> Deserialize<'de> + Send + 'static,
    R: IntoFunctionResponse<B, S> + Send + 'static,
    B: Serialize + Send + 'static,
    S: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send + 'static,
    E: Into<Error> + Send + Debug + 'static,
{
    subscriber::install();
    Runtime::new(self::handler(handler)).layer(InvocationLayer::new()).run_concurrent().await
}
