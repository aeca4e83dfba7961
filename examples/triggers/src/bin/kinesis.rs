//! Kinesis: the records of a shard in their order, each in its own transaction.
//!
//! The event source mapping needs `ReportBatchItemFailures`, so that Lambda goes on from the record that failed.

use aws_lambda_events::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::streams::KinesisEventResponse;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<KinesisEvent>) -> Result<KinesisEventResponse, Error> {
    Ok(throughline::batch::kinesis(event.payload, measure).await)
}

/// The data is what the producer put: the context that travelled in it has been taken out.
async fn measure(record: KinesisEventRecord) -> Result<(), Error> {
    let reading: Value = serde_json::from_slice(&record.kinesis.data)?;
    tracing::info!(%reading, sequence_number = record.kinesis.sequence_number, "measured");
    Ok(())
}
