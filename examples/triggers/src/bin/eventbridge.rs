//! EventBridge: an event of a bus. Its `detail` is what the sender put: the context that travelled in it has been taken
//! out.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct OrderPlaced {
    order: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<EventBridgeEvent<OrderPlaced>>) -> Result<(), Error> {
    tracing::info!(order = event.payload.detail.order, source = event.payload.source, "noted");
    Ok(())
}
