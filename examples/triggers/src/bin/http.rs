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
    // Who it is says the authorizer; a parameter anybody may write. From here on all that this request causes is
    // known to be this user's.
    if let Some(user) = user(&request) {
        context::set_user(user);
    }
    tracing::info!(name, "greeted");
    Ok(format!("Hello, {name}!"))
}

/// The subject of the token that the API's JWT authorizer verified.
fn user(request: &Request) -> Option<&str> {
    let context = request.request_context_ref()?;
    context.authorizer()?.jwt.as_ref()?.claims.get("sub").map(String::as_str)
}
