//! DynamoDB Streams: the changes of a table in their order, each in the transaction that made it.
//!
//! That needs a writer whose client has the interceptor and whose `THROUGHLINE_DYNAMODB_TABLES` names the table.

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::DynamoDbEventResponse;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Event>) -> Result<DynamoDbEventResponse, Error> {
    Ok(throughline::batch::dynamodb(event.payload, index).await)
}

async fn index(change: EventRecord) -> Result<(), Error> {
    tracing::info!(kind = change.event_name, keys = change.change.keys.len(), "indexed");
    Ok(())
}
