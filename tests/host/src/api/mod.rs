//! The HTTP APIs that Lambda offers inside a sandbox, on one loopback address.

mod extensions;
mod response;
mod runtime;
mod subscription;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::config::SandboxConfig;
use crate::state::Shared;
use crate::telemetry::Telemetry;

/// What every handler sees.
#[derive(Debug)]
pub(crate) struct Api {
    pub config: SandboxConfig,
    pub state: Shared,
    pub telemetry: Telemetry,
}

type Reply = Response<Full<Bytes>>;

/// Serves connections until it is dropped; the open ones end with it.
pub(crate) async fn serve(listener: TcpListener, api: Arc<Api>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let api = api.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| route(api.clone(), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn route(api: Arc<Api>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    Ok(match (request.method(), segments.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => runtime::next(&api).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            runtime::response(&api, id, request).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            runtime::error(&api, id, request).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            runtime::init_error(&api, request).await
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => extensions::register(&api, request).await,
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => extensions::next(&api, request).await,
        (&Method::POST, ["2020-01-01", "extension", "init" | "exit", "error"]) => {
            extensions::error(&api, request)
        }
        (&Method::PUT, ["2022-07-01", "telemetry"]) => subscription::subscribe(&api, request).await,
        _ => refuse(StatusCode::NOT_FOUND, "NotFound", &format!("no such route: {path}")),
    })
}

fn reply(status: StatusCode, body: &Value) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    reply
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    reply(status, &json!({ "errorType": kind, "errorMessage": message }))
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}
