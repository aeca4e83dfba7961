//! The smallest HTTP server that a measured process can talk to.

use std::convert::Infallible;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// How gzip begins (RFC 1952); no export request does.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Answers on loopback until it is dropped.
#[derive(Debug)]
pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    /// Path and body of all requests, as they came.
    taken: Arc<Mutex<Vec<(String, Bytes)>>>,
    task: AbortHandle,
}

impl HttpServer {
    /// Serves what `answer` says to each request, once its body was read.
    pub(crate) async fn start<A, F>(answer: A) -> io::Result<Self>
    where
        A: Fn(Request<()>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let taken = Arc::<Mutex<Vec<(String, Bytes)>>>::default();
        let kept = taken.clone();
        let serve = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, kept) = (answer.clone(), kept.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answer, kept) = (answer.clone(), kept.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
                        let taken = (head.uri.path().to_owned(), body);
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
                        Ok::<_, Infallible>(answer(Request::from_parts(head, ())).await)
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        };
        Ok(Self { address, taken, task: tokio::spawn(serve).abort_handle() })
    }

    /// The spans of all export requests. They are read when all is measured, so that reading them costs nobody anything.
    pub(crate) fn spans(&self) -> anyhow::Result<Vec<Span>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans = Vec::new();
        for (_, body) in taken.iter().filter(|(path, _)| path.ends_with("/traces")) {
            let mut inflated = Vec::new();
            let request = if body.starts_with(&GZIP) {
                GzDecoder::new(&**body).read_to_end(&mut inflated)?;
                ExportTraceServiceRequest::decode(inflated.as_slice())?
            } else {
                ExportTraceServiceRequest::decode(body.clone())?
            };
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            spans.extend(scopes.flat_map(|scope| scope.spans));
        }
        Ok(spans)
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// An OTLP backend that takes everything.
    pub(crate) async fn sink() -> io::Result<Self> {
        Self::start(|_| std::future::ready(Response::new(Full::default()))).await
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
