//! The third parties of the shop: a payment provider and a mail provider.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::effects::Asked;

const MAX_BODY: usize = 64 * 1024;

/// Takes every charge and every mail.
pub(super) async fn answer(
    request: Request<Incoming>,
    asked: Asked,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let receipt = match (request.method(), request.uri().path()) {
        (&Method::POST, "/charges") => Some(json!({ "charge_id": id("ch"), "status": "succeeded" })),
        (&Method::POST, "/mails") => Some(json!({ "mail_id": id("mail"), "status": "queued" })),
        _ => None,
    };
    let path = request.uri().path().to_owned();
    let read = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let (status, body) = match (receipt, read) {
        (Some(receipt), Ok(body)) => {
            asked.note(&path, &body.to_bytes());
            (StatusCode::OK, receipt.to_string())
        }
        (Some(_), Err(_)) => (StatusCode::PAYLOAD_TOO_LARGE, String::new()),
        (None, _) => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn id(kind: &str) -> String {
    format!("{kind}_{}", uuid::Uuid::new_v4().simple())
}
