//! The HTTP front: what an API Gateway HTTP API does for one route.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use throughline_host::Outcome;

use super::events;
use super::fleet::Fleet;
use super::ledger::Ledger;
use crate::mappings::{Activity, Delivered, Delivery, Fate, Function as _};

/// The response header with the request id under which the function ran.
pub(super) const REQUEST_ID: &str = "x-lambda-request-id";
const MAX_BODY: usize = 6 * 1024 * 1024;

/// `POST /orders` → a function.
#[derive(Debug, Clone)]
pub(super) struct Front {
    pub function: Arc<Fleet>,
    pub ledger: Ledger,
    pub activity: Activity,
}

impl Front {
    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        if (&parts.method, parts.uri.path()) != (&Method::POST, "/orders") {
            return Ok(message(StatusCode::NOT_FOUND, "Not Found"));
        }
        let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
            return Ok(message(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long"));
        };
        let _busy = self.activity.begin();
        let event = events::http_api(&parts, &body.to_bytes(), SystemTime::now());
        let reply = self.function.invoke(event.clone()).await;
        let error = reply.outcome.error().cloned();
        let fate = if error.is_some() { Fate::Failed } else { Fate::Done };
        self.ledger.note(Delivery {
            function: self.function.name().to_owned(),
            request_id: reply.request_id.clone(),
            records: vec![Delivered { id: None, record: event, fate }],
            error,
        });
        let mut response = response(&reply.outcome);
        if let Ok(id) = HeaderValue::from_str(&reply.request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Ok(response)
    }
}

/// The HTTP response that an answer means: with a status code as it says, any other JSON is the body.
fn response(outcome: &Outcome) -> Response<Full<Bytes>> {
    let Outcome::Response(body) = outcome else {
        return message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(status) = answer.get("statusCode").and_then(Value::as_u64) else {
        return json_response(StatusCode::OK, body.clone());
    };
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == json!(true) {
        STANDARD.decode(text).unwrap_or_default().into()
    } else {
        Bytes::from(text.to_owned())
    };
    let mut response = json_response(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let header = (name.parse::<HeaderName>(), HeaderValue::from_str(value.as_str().unwrap_or_default()));
        if let (Ok(name), Ok(value)) = header {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn message(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    json_response(status, json!({ "message": text }).to_string().into())
}

fn json_response(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use throughline_host::FunctionError;

    use super::*;

    fn answered(answer: &Value) -> Response<Full<Bytes>> {
        response(&Outcome::Response(answer.to_string().into()))
    }

    #[test]
    fn an_answer_becomes_a_response() {
        let response = answered(
            &json!({ "statusCode": 202, "headers": { "x-a": "b" }, "body": "{\"order_id\":\"o\"}" }),
        );
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(answered(&json!({ "hello": 1 })).status(), StatusCode::OK);
        assert_eq!(answered(&json!({ "statusCode": 99 })).status(), StatusCode::INTERNAL_SERVER_ERROR);
        let error = FunctionError { kind: "Boom".into(), message: String::new() };
        assert_eq!(super::response(&Outcome::Failed(error)).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
