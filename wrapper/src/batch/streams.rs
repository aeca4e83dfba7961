//! Streams: Kinesis and DynamoDB.
//!
//! A shard is processed in order. The first failure ends the batch and is reported by its sequence number:
//! Lambda makes that its checkpoint and delivers from there again
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>).

use aws_lambda_events::event::dynamodb::{Event as DynamoDbEvent, EventRecord};
use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::event::streams::{
    DynamoDbBatchItemFailure, DynamoDbEventResponse, KinesisEventResponse,
};
use lambda_runtime::Error;

/// Processes the records of a Kinesis event, in order, and says where it failed.
///
/// Records after the first failure are not processed: Lambda delivers them again. A failure, or a panic, of
/// `process` is logged and put on the record's span.
pub async fn kinesis<P, F, E>(event: KinesisEvent, process: P) -> KinesisEventResponse
where
    P: Fn(KinesisEventRecord) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let mut response = KinesisEventResponse::default();
    let id = |record: &KinesisEventRecord| record.kinesis.sequence_number.clone();
    let failed = super::within(event, |event| first_failure(event.records, id, process)).await;
    if let Some(failed) = failed {
        response.add_failure(failed);
    }
    response
}

/// Processes the records of a DynamoDB stream, in order, and says where it failed.
///
/// Records after the first failure are not processed: Lambda delivers them again. A failure, or a panic, of
/// `process` is logged and put on the record's span.
pub async fn dynamodb<P, F, E>(event: DynamoDbEvent, process: P) -> DynamoDbEventResponse
where
    P: Fn(EventRecord) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    let mut response = DynamoDbEventResponse::default();
    let id = |record: &EventRecord| record.change.sequence_number.clone().unwrap_or_default();
    let failed = super::within(event, |event| first_failure(event.records, id, process)).await;
    if let Some(failed) = failed {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = Some(failed);
        response.batch_item_failures.push(failure);
    }
    response
}

async fn first_failure<T, P, F, E>(records: Vec<T>, id: impl Fn(&T) -> String, process: P) -> Option<String>
where
    P: Fn(T) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Error>,
{
    for record in records {
        let id = id(&record);
        if !super::run(&id, || process(record)).await {
            return Some(id);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn processing_stops_at_the_first_failure() {
        let processed = Mutex::new(Vec::new());
        let failed = first_failure(vec![1, 2, 3], ToString::to_string, |number| {
            processed.lock().unwrap().push(number);
            async move { if number == 2 { Err("two") } else { Ok(()) } }
        })
        .await;
        assert_eq!(failed.as_deref(), Some("2"));
        assert_eq!(processed.into_inner().unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn an_event_without_failure_has_an_empty_answer() {
        let response = kinesis(KinesisEvent::default(), |_| async { Err("never called") }).await;
        assert!(response.batch_item_failures.is_empty());
    }
}
