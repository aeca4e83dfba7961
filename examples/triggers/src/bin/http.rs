//! HTTP: a function behind an API Gateway or a function URL, with `lambda_http`.
//!
//! The span is named after method and route. What a browser or another service sent as `traceparent` is its parent.

use lambda_http::{Adapter, Error, IntoResponse, Request, RequestExt as _, service_fn};
use throughline::context;

#[tokio::main]
async fn main() -> Result<(), Error> {
    // Instead of lambda_http::run(service_fn(handler)).
    throughline::run(Adapter::from(service_fn(handler))).await
}

async fn handler(request: Request) -> Result<impl IntoResponse, Error> {
    let parameters = request.query_string_parameters();
    let name = parameters.first("name").unwrap_or("world");
    // From here on all that this request causes is known to be this user's.
    context::set_user(name);
    tracing::info!(name, "greeted");
    Ok(format!("Hello, {name}!"))
}
