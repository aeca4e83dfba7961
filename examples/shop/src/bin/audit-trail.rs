//! Keeps the books: Kinesis `audit` → the log.

use aws_lambda_events::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::streams::KinesisEventResponse;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use throughline_shop::{AskedToFail, AuditEntry, fail_if_asked};

/// Why an entry is not in the books.
#[derive(Debug, thiserror::Error)]
enum AuditError {
    /// The record holds no entry.
    #[error("the entry is not understood")]
    NotUnderstood(#[from] serde_json::Error),
    /// The fault that was asked for.
    #[error(transparent)]
    Asked(#[from] AskedToFail),
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::dry_run::accept();
    throughline::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<KinesisEvent>) -> Result<KinesisEventResponse, Error> {
    Ok(throughline::batch::kinesis(event.payload, note).await)
}

async fn note(record: KinesisEventRecord) -> Result<(), AuditError> {
    fail_if_asked("audit-trail")?;
    tracing::debug!(sequence_number = record.kinesis.sequence_number, "entry to be read");
    let entry: AuditEntry = serde_json::from_slice(&record.kinesis.data)?;
    tracing::info!(order_id = entry.order_id, user_id = entry.user_id, event = entry.event, "audit");
    Ok(())
}
