//! The two listeners: OTLP from functions, telemetry from the platform.

use crate::body::Bodies;
use crate::facts::event;
use crate::http::serve;
use crate::intake::{self, Encoding, MAX_BODY, MAX_INFLATED, Refusal, accept};
use crate::otlp::Signal;
use crate::shared::Shared;
use crate::telemetry;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Takes OTLP until the task is dropped.
pub async fn otlp(listener: TcpListener, shared: Arc<Shared>) {
    let bodies = Arc::new(Bodies::new());
    serve(listener, move |request| {
        let (shared, bodies) = (Arc::clone(&shared), Arc::clone(&bodies));
        async move { take_otlp(request, &shared, &bodies).await }
    })
    .await;
}

/// Takes one request with OTLP, and answers it.
pub async fn take_otlp(
    request: Request<Incoming>,
    shared: &Shared,
    bodies: &Bodies,
) -> Response<Full<Bytes>> {
    let encoding = intake::encoding(request.headers()).unwrap_or(Encoding::Json);
    match take(request, shared, bodies).await {
        Ok(()) => intake::success(encoding),
        Err(refusal) => {
            let method = refusal.0 == StatusCode::METHOD_NOT_ALLOWED;
            let mut response = refusal.into_response(encoding);
            if method {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            }
            response
        }
    }
}

async fn take(request: Request<Incoming>, shared: &Shared, bodies: &Bodies) -> Result<(), Refusal> {
    let (parts, body) = request.into_parts();
    let signal = Signal::of_path(parts.uri.path()).ok_or_else(|| {
        Refusal(StatusCode::NOT_FOUND, "send to /v1/traces, /v1/metrics or /v1/logs".into())
    })?;
    if parts.method != Method::POST {
        return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, "send with POST".into()));
    }
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    // Of a body that announces itself as too large nothing is kept.
    let limit = if announced.is_some_and(|length| length > MAX_BODY) { 0 } else { MAX_BODY };
    let body = bodies.read(body, limit).await?;
    let max_inflated = MAX_INFLATED.min(shared.lock().limit());
    let accepted = accept(signal, &parts.headers, body.bytes.clone(), max_inflated)?;
    if accepted.has_error {
        shared.failed();
    }
    shared.received(signal, accepted.bytes, accepted.items, &accepted.invocations);
    drop(body);
    if !accepted.invocations.is_empty() {
        shared.until_sent().await;
    }
    Ok(())
}

/// Takes telemetry until the task is dropped.
pub async fn telemetry(listener: TcpListener, shared: Arc<Shared>) {
    let bodies = Arc::new(Bodies::new());
    serve(listener, move |request: Request<Incoming>| {
        let (shared, bodies) = (Arc::clone(&shared), Arc::clone(&bodies));
        async move {
            if let Ok(batch) = bodies.read(request.into_body(), telemetry::MAX_BODY).await {
                shared.platform_told(&event::read(&batch.bytes));
            }
            Response::new(Full::new(Bytes::new()))
        }
    })
    .await;
}
