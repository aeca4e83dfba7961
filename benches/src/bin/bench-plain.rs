//! The measured function, as it is without us.

#[path = "../handlers.rs"]
mod handlers;

use aws_lambda_events::event::sqs::SqsEvent;
use handlers::{charge, charge_all, greet, takes_batches};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    if takes_batches() {
        let handler = |event: LambdaEvent<SqsEvent>| charge_all(event.payload, charge);
        lambda_runtime::run(service_fn(handler)).await
    } else {
        lambda_runtime::run(service_fn(greet)).await
    }
}
