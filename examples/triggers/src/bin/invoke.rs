//! A direct invoke, or a task of a Step Functions state machine: any JSON in, any JSON out.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Basket {
    prices: Vec<u32>,
}

#[derive(Serialize)]
struct Total {
    total: u32,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    throughline::run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Basket>) -> Result<Total, Error> {
    let total = add(&event.payload.prices);
    Ok(Total { total })
}

/// The program's own `tracing` spans are spans of the transaction.
#[tracing::instrument]
fn add(prices: &[u32]) -> u32 {
    prices.iter().sum()
}
