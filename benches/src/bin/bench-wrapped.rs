//! The measured function, wrapped.

#[path = "../handlers.rs"]
mod handlers;

use std::time::Duration;

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
        // What a handler that does something waits for.
        let wait = std::env::var("BENCH_HANDLER_MS").ok().and_then(|millis| millis.parse().ok());
        let handler = |event| async move {
            if let Some(wait) = wait {
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            greet(event).await
        };
        throughline::run(service_fn(handler)).await
    }
}
