//! A small HTTP server: a function from request to response on a listener.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves until it is dropped; the open connections end with it.
pub(crate) async fn serve<H, F, B>(listener: TcpListener, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    serve_and_hear(listener, handler, || {}).await;
}

/// The same; `http2` is called for a client that speaks HTTP/2, as gRPC does, which is not served.
pub(crate) async fn serve_and_hear<H, F, B>(
    listener: TcpListener,
    handler: H,
    http2: impl Fn() + Clone + Send + 'static,
) where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let (service, http2) = (service_fn(handler.clone()), http2.clone());
                connections.spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    let served = server.serve_connection(TokioIo::new(stream), service).await;
                    if served.is_err_and(|error| error.is_parse_version_h2()) {
                        http2();
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
