//! A streamed response, of a function URL or an invoke with `RESPONSE_STREAM`. The invocation's span lasts until the
//! stream has ended, and what happens in the stream belongs to it.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use lambda_runtime::streaming::Response;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

type Lines = BoxStream<'static, Result<Bytes, Error>>;

async fn handler(_: LambdaEvent<Value>) -> Result<Response<Lines>, Error> {
    let lines = stream::iter(1..=3).then(|number| async move {
        tracing::info!(number, "a line");
        Ok(Bytes::from(format!("line {number}\n")))
    });
    Ok(Response::from(lines.boxed()))
}
