//! The measured function, wrapped.

#[path = "../handlers.rs"]
mod handlers;

use aws_lambda_events::event::sqs::SqsEvent;
use handlers::{charge, greet, takes_batches};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    if takes_batches() {
        let handler = |event: LambdaEvent<SqsEvent>| async {
            Ok::<_, Error>(throughline::batch::sqs(event.payload, charge).await)
        };
        throughline::run(service_fn(handler)).await
    } else {
        throughline::run(service_fn(greet)).await
    }
}
