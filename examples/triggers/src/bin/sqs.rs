//! SQS: a batch of messages, each in its own transaction, with the partial batch response.
//!
//! The event source mapping needs `ReportBatchItemFailures`, so that Lambda delivers only what failed again.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    id: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    Ok(throughline::batch::sqs(event.payload, ship).await)
}

/// Spans, log lines and calls in here belong to the transaction that sent this message.
async fn ship(message: SqsMessage) -> Result<(), Error> {
    let order: Order = serde_json::from_str(&message.body.unwrap_or_default())?;
    tracing::info!(order.id, "shipped");
    Ok(())
}
