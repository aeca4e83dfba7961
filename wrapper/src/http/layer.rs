//! The layer for `tower`.

use std::fmt::{self, Debug, Display};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::call::Call;
use super::target::Target;
use crate::diagnostics::guarded;

/// The layer for clients that are a `tower` service; see the [module's documentation](super).
///
/// It goes inside of layers that follow redirects or try again: what these send is a request of its own each.
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
/// use tower::ServiceBuilder;
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<String>();
/// let client = ServiceBuilder::new()
///     // .layer(FollowRedirectLayer::new()) comes before, as it is outside
///     .layer(throughline::http::layer())
///     .service(client);
/// # drop(client);
/// ```
#[must_use]
pub fn layer() -> HttpLayer {
    HttpLayer { _private: () }
}

/// The layer that [`layer`] makes.
#[derive(Clone, Debug)]
pub struct HttpLayer {
    _private: (),
}

impl<S> Layer<S> for HttpLayer {
    type Service = HttpService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpService { inner }
    }
}

/// The service of [`HttpLayer`].
#[derive(Clone, Debug)]
pub struct HttpService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for HttpService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HttpFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let call = guarded("tracing of an HTTP request", || {
            let target = Target::of_uri(&parts.uri, &parts.headers);
            Call::begin(&parts.method, &target, &mut parts.headers, &parts.extensions, true)
        });
        HttpFuture { future: self.inner.call(Request::from_parts(parts, body)), call: call.flatten() }
    }
}

pin_project! {
    /// The future of [`HttpService`]. A request that is given up ends its span when this is dropped.
    pub struct HttpFuture<F> {
        #[pin]
        future: F,
        call: Option<Call>,
    }
}

impl<F> Debug for HttpFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for HttpFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Display,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.future.poll(cx));
        if let Some(mut call) = this.call.take() {
            guarded("tracing of an HTTP response", || match &result {
                Ok(response) => call.answered(response.status(), response.version()),
                Err(error) => call.failed(std::any::type_name::<E>(), &error.to_string()),
            });
        }
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests;
