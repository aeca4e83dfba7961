//! The layer for `tower`.

use std::fmt::{self, Debug, Display};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::body::HttpBody;
use super::call::Call;
use super::dry_run::{self, KeptBack};
use super::in_memory;
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
    B: 'static,
    R: 'static,
{
    type Response = Response<HttpBody<R>>;
    type Error = S::Error;
    type Future = HttpFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let kept_back = dry_run::keep_back(&parts.method, &parts.uri);
        let call = guarded("tracing of an HTTP request", || {
            let target = Target::of_uri(&parts.uri, &parts.headers);
            let call = Call::begin(&parts.method, &target, &mut parts.headers, &parts.extensions, true);
            call.map(|mut call| {
                call.sends(|capture| in_memory::take(&body, capture));
                call
            })
        });
        let mut call = call.flatten();
        if let Some(kept_back) = kept_back {
            call.iter_mut().for_each(|call| call.kept_back(&kept_back));
            return HttpFuture { kind: Kind::KeptBack { response: Some(answer(kept_back)) } };
        }
        HttpFuture { kind: Kind::Sent { future: self.inner.call(Request::from_parts(parts, body)), call } }
    }
}

/// The response to a request that is not sent: the program's own, or the reason as text.
fn answer(kept_back: KeptBack) -> Response<Bytes> {
    match kept_back {
        KeptBack::Stubbed(response) => response,
        KeptBack::Refused(refused) => {
            let mut response = Response::new(refused.to_string().into());
            *response.status_mut() = StatusCode::FAILED_DEPENDENCY;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            response
        }
    }
}

pin_project! {
    /// The future of [`HttpService`]. A request that is given up ends its span when this is dropped.
    pub struct HttpFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F> {
        Sent { #[pin] future: F, call: Option<Call> },
        /// Taken when it is given.
        KeptBack { response: Option<Response<Bytes>> },
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
    R: 'static,
{
    type Output = Result<Response<HttpBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, call) = match self.project().kind.project() {
            KindProj::Sent { future, call } => (future, call),
            KindProj::KeptBack { response } => {
                let response = response.take().map(|response| Ok(response.map(HttpBody::ours)));
                return response.map_or(Poll::Pending, Poll::Ready);
            }
        };
        let result = ready!(future.poll(cx));
        if let Some(mut call) = call.take() {
            guarded("tracing of an HTTP response", || match &result {
                Ok(response) => {
                    call.answered(response.status(), response.version());
                    call.got(|capture| in_memory::take(response.body(), capture));
                }
                Err(error) => call.failed(std::any::type_name::<E>(), &error.to_string()),
            });
        }
        Poll::Ready(result.map(|response| response.map(HttpBody::of_service)))
    }
}

#[cfg(test)]
mod tests;
