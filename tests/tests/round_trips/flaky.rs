//! An endpoint that is unavailable for a while and then forwards to the emulator.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::emulator::send;

/// The endpoint.
#[derive(Debug)]
pub(crate) struct Flaky {
    pub(crate) endpoint: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    server: AbortHandle,
}

impl Flaky {
    /// Answers 503 so many times before it forwards to `to`.
    pub(crate) async fn start(times: usize, to: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (bodies, to) = (Arc::default(), to.to_owned());
        let server = tokio::spawn(serve(listener, times, to, Arc::clone(&bodies))).abort_handle();
        Self { endpoint, bodies, server }
    }

    /// The bodies of all requests, in order.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.bodies.lock().unwrap().clone()
    }

    /// What came is the same request over and over, this many times.
    #[track_caller]
    pub(crate) fn assert_same(&self, times: usize) {
        let bodies = self.bodies();
        assert_eq!(bodies.len(), times);
        assert!(bodies.iter().all(|body| *body == bodies[0]), "a retry sent something else: {bodies:?}");
    }
}

impl Drop for Flaky {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, times: usize, to: String, bodies: Arc<Mutex<Vec<Bytes>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (to, bodies) = (to.clone(), bodies.clone());
        let service =
            service_fn(move |request: Request<Incoming>| answer(request, times, to.clone(), bodies.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    times: usize,
    to: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let before = {
        let mut bodies = bodies.lock().unwrap();
        bodies.push(body.clone());
        bodies.len() - 1
    };
    let mut response = Response::default();
    if before < times {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    } else {
        let host = to.strip_prefix("http://").unwrap();
        let (status, body) = send(host, Request::from_parts(head, Full::new(body))).await;
        *response.status_mut() = status;
        *response.body_mut() = Full::new(body);
    }
    Ok(response)
}
