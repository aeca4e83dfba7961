//! The test function, wrapped.

use lambda_runtime::{Error, service_fn};
use throughline_tests::endings;
use throughline_tests::handlers::{self, Kind};

#[tokio::main]
async fn main() -> Result<(), Error> {
    match Kind::from_env() {
        Kind::Command => throughline::run(service_fn(handlers::command)).await,
        Kind::Concurrent => throughline::run_concurrent(service_fn(handlers::command)).await,
        Kind::Streaming => throughline::run(service_fn(handlers::streaming)).await,
        Kind::Echo => throughline::run(service_fn(handlers::echo)).await,
        Kind::Ends => throughline::run(service_fn(endings::handle)).await,
        Kind::Reads => throughline::run(service_fn(endings::read)).await,
        Kind::Streams => throughline::run(service_fn(endings::stream)).await,
    }
}
