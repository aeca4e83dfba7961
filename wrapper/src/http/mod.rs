//! Outgoing HTTP requests: a span for each, and the context in its headers.
//!
//! What a function asks of another service over HTTP is a step of the transaction like any other. Two ways to take it
//! along, for the two kinds of clients:
//!
//! - [`layer`], a `tower` layer for every client that is a `Service<http::Request<_>>`, as those of `hyper-util` are. Not
//!   for servers: what comes in is the invocation's own span;
//! - `client` (cargo feature `reqwest`), a `reqwest` client that takes the context along; or `middleware` alone, for
//!   clients of `reqwest-middleware` that exist already.
//!
//! # What is sent
//!
//! `traceparent` and `tracestate` go everywhere. **`baggage` goes only to the hosts that `THROUGHLINE_BAGGAGE_HOSTS`
//! names**, as a list such as `api.example.com,*.internal.example.com`: it tells for which user a transaction runs, and
//! that is not for third parties. A wildcard stands for all names below the domain, not for the domain itself.
//!
//! A header that the caller set stays, and a request with a `traceparent` of its own keeps its own context whole. To
//! a presigned URL nothing is added: what answers there is storage, which reads no context, and what was signed is best
//! sent as it was signed.
//!
//! In a [dry run](crate::dry_run) only `GET`, `HEAD` and `OPTIONS` go out. Every other request is answered by the
//! program's own stub or refused: by an error of `reqwest`, and with `tower`, where errors are the client's own, by status
//! 424 and the reason as the body.
//!
//! # Redirects
//!
//! A client that follows redirects sends a request's headers on to wherever it is told. So that baggage doesn't go with
//! them to a host that is not named:
//!
//! - With `tower`, put the layer *inside* of what follows redirects: then it sees each request on its own.
//! - `reqwest` follows redirects below every middleware. `middleware` therefore sends no baggage, unless it is told
//!   that the client follows none (`with_baggage`); `client` builds one that follows them and leaves the baggage
//!   behind where they lead out.
//!
//! # The span
//!
//! It is a CLIENT span by the semantic conventions (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>),
//! from the request to the head of the response. Its name is the method, and the [`Template`] of the path if the request
//! has one. In `url.full` credentials and the values of the query are left out. Answers of 400 and above are errors.
//! Attribute `throughline.injected` says whether the context was sent.
//!
//! With `THROUGHLINE_CAPTURE_CALLS=on-error` or `always` the beginnings of the bodies are on it, without their secrets:
//! `throughline.request` and `throughline.response`. What is not in memory is never read, and says
//! `throughline.response.skipped = stream`: with `reqwest` and `hyper` that is every response. With `tower` a `String`,
//! `&'static str`, `Vec<u8>`, `Bytes` and `Full<Bytes>` are in memory.
//!
//! # Example
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer as _, ServiceExt as _, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Any client: this one answers for itself.
//! let client = service_fn(|request: Request<String>| async move {
//!     assert_eq!(request.uri().path(), "/users/42");
//!     Ok::<_, std::io::Error>(Response::new("Ada".to_owned()))
//! });
//! let client = throughline::http::layer().layer(client);
//!
//! let mut request = Request::new(String::new());
//! *request.uri_mut() = "https://users.example.com/users/42".parse().unwrap();
//! request.extensions_mut().insert(throughline::http::Template::new("/users/{id}"));
//! let response = client.oneshot(request).await.unwrap();
//! assert_eq!(response.into_body().into_inner().as_deref(), Some("Ada"));
//! # }
//! ```

mod body;
mod call;
mod dry_run;
mod in_memory;
mod layer;
#[cfg(feature = "reqwest")]
mod reqwest;
mod target;
#[cfg(test)]
mod testing;

use std::borrow::Cow;

#[cfg(feature = "reqwest")]
pub use self::reqwest::{HttpMiddleware, client, middleware};
pub use body::HttpBody;
pub use layer::{HttpFuture, HttpLayer, HttpService, layer};

/// The path of a request without what differs from call to call, such as `/users/{id}`: it goes into the span's name,
/// so that like calls are counted together.
///
/// It is an extension of the request: `request.extensions_mut().insert(template)`, with `reqwest` `with_extension`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Cow<'static, str>);

impl Template {
    /// A template, in whatever notation the API's documentation has.
    #[must_use]
    pub fn new(template: impl Into<Cow<'static, str>>) -> Self {
        Self(template.into())
    }
}

/// How many times the request was sent before: an extension that retries leave, on the span
/// `http.request.resend_count`.
///
/// Retries of `reqwest-middleware` need not: its middleware is told of one request's attempts and counts them. With
/// `tower` a retry policy puts it into the request that it sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend(pub u32);
