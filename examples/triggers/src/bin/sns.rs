//! SNS: a message of a topic. Lambda hands them over one by one, so the handler is inside its transaction already.

use aws_lambda_events::sns::SnsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<SnsEvent>) -> Result<(), Error> {
    for record in event.payload.records {
        tracing::info!(message_id = record.sns.message_id, bytes = record.sns.message.len(), "heard");
    }
    Ok(())
}
