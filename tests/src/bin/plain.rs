//! The test function as it would be without us.

use lambda_runtime::{Error, service_fn};
use throughline_tests::endings;
use throughline_tests::handlers::{self, Kind};

#[tokio::main]
async fn main() -> Result<(), Error> {
    match Kind::from_env() {
        Kind::Command => lambda_runtime::run(service_fn(handlers::command)).await,
        Kind::Concurrent => lambda_runtime::run_concurrent(service_fn(handlers::command)).await,
        Kind::Streaming => lambda_runtime::run(service_fn(handlers::streaming)).await,
        Kind::Echo => lambda_runtime::run(service_fn(handlers::echo)).await,
        Kind::Ends => lambda_runtime::run(service_fn(endings::handle)).await,
        Kind::Reads => lambda_runtime::run(service_fn(endings::read)).await,
        Kind::Streams => lambda_runtime::run(service_fn(endings::stream)).await,
    }
}
