//! An endpoint that keeps what is sent, and forwards it to the emulator or answers in its place.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::Value;

use crate::emulator::{Emulator, send};
use crate::server::Server;

/// What answers a request in an emulator's place.
pub(crate) type Answer = fn(&Request<Bytes>) -> Response<Bytes>;

/// The endpoint.
#[derive(Debug)]
pub(crate) struct Proxy {
    requests: Arc<Mutex<Vec<Request<Bytes>>>>,
    server: Server,
}

impl Proxy {
    /// Is unavailable (503) so many times before it forwards to `to`.
    pub(crate) async fn flaky(times: usize, to: &str) -> Self {
        Self::start(times, Behind::Emulator(to.to_owned())).await
    }

    /// Before a service that moto alone offers. The others answer by `answer`.
    pub(crate) async fn recording(emulator: &Emulator, answer: Answer) -> Self {
        let behind = if emulator.is_moto() {
            Behind::Emulator(emulator.endpoint().to_owned())
        } else {
            Behind::Answer(answer)
        };
        Self::start(0, behind).await
    }

    async fn start(times: usize, behind: Behind) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        let service = service_fn(move |request: Request<Incoming>| {
            let (kept, behind) = (Arc::clone(&kept), behind.clone());
            async move {
                let (head, body) = request.into_parts();
                let request = Request::from_parts(head, body.collect().await.unwrap().to_bytes());
                let before = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(request.clone());
                    kept.len() - 1
                };
                let response = if before < times { unavailable() } else { behind.answer(request).await };
                Ok::<_, Infallible>(response.map(Full::new))
            }
        });
        Self { requests, server: Server::start(service).await }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.server.endpoint
    }

    /// All requests, in order.
    pub(crate) fn requests(&self) -> Vec<Request<Bytes>> {
        self.requests.lock().unwrap().clone()
    }

    /// The bodies of all requests, which are JSON.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.requests().iter().map(|request| serde_json::from_slice(request.body()).unwrap()).collect()
    }

    /// What came is the same request over and over, this many times.
    #[track_caller]
    pub(crate) fn assert_same(&self, times: usize) {
        let requests = self.requests();
        assert_eq!(requests.len(), times);
        let same = |request: &Request<Bytes>| request.body() == requests[0].body();
        assert!(requests.iter().all(same), "a retry sent something else: {requests:?}");
    }
}

#[derive(Clone)]
enum Behind {
    Emulator(String),
    Answer(Answer),
}

impl Behind {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let to = match self {
            Self::Answer(answer) => return answer(&request),
            Self::Emulator(to) => to,
        };
        let mut response = send(to.strip_prefix("http://").unwrap(), request.map(Full::new)).await;
        // Of the other connection.
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            response.headers_mut().remove(name);
        }
        response
    }
}

fn unavailable() -> Response<Bytes> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
