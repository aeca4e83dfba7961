//! S3: objects that were made. A notification carries no context: the span says by which request the object came to be
//! (`throughline.join.in`), which joins it to the span of the upload.

use aws_lambda_events::s3::S3Event;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<S3Event>) -> Result<(), Error> {
    for record in event.payload.records {
        tracing::info!(key = record.s3.object.key, bytes = record.s3.object.size, "made a thumbnail");
    }
    Ok(())
}
