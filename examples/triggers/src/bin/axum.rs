//! HTTP: an `axum` application behind an API Gateway or a function URL, by way of `lambda_http`.

use axum::extract::Path;
use axum::routing::{Router, get};
use lambda_http::{Adapter, Error};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app = Router::new().route("/", get(|| async { "Hello!" })).route("/hello/{name}", get(hello));
    // Instead of lambda_http::run(app).
    throughline::run(Adapter::from(app)).await
}

async fn hello(Path(name): Path<String>) -> String {
    tracing::info!(name, "greeted");
    format!("Hello, {name}!")
}
