//! A schedule: nobody sent anything, so a transaction begins here. What it sends on carries it.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use throughline::context;

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<EventBridgeEvent<Value>>) -> Result<(), Error> {
    tracing::info!(id = event.payload.id, "cleaning up");
    // A task of its own is told where it belongs.
    let removed = context::spawn(async {
        tracing::info!("looked for old carts");
        3
    });
    tracing::info!(removed = removed.await?, "cleaned up");
    Ok(())
}
