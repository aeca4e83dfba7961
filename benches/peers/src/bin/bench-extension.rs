//! `opentelemetry-lambda-extension` as its own binary is, which is no more than this: configuration from the environment,
//! one thread, log lines from INFO on.

use opentelemetry_lambda_extension::{Config, ExtensionRuntime, Result};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().with_target(true).without_time();
    tracing_subscriber::registry().with(lines).with(filter).try_init()?;
    ExtensionRuntime::new(Config::load()?).run().await
}
