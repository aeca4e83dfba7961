//! The third parties of the shop: a payment provider, a mail provider, and where there is one a fraud check.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::effects::Asked;
use super::fault::{Does, Fault};

const MAX_BODY: usize = 64 * 1024;

/// Takes every charge and every mail, but for what is wrong.
#[derive(Debug, Clone)]
pub(super) struct Providers {
    asked: Asked,
    fault: Fault,
    /// The orders that the fraud check has told the payment provider of.
    scored: Arc<Mutex<BTreeSet<String>>>,
}

impl Providers {
    pub(super) fn new(asked: Asked, fault: Fault) -> Self {
        Self { asked, fault, scored: Arc::default() }
    }

    pub(super) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let is_post = request.method() == Method::POST;
        let read = Limited::new(request.into_body(), MAX_BODY).collect().await;
        let (status, body) = match read {
            Ok(body) if is_post => self.take(&path, &body.to_bytes()).await,
            Ok(_) => (StatusCode::METHOD_NOT_ALLOWED, Value::Null),
            Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, Value::Null),
        };
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn take(&self, path: &str, body: &[u8]) -> (StatusCode, Value) {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |member: &str| said[member].as_str().unwrap_or_default().to_owned();
        let (user, order) = (text("user_id"), text("order_id"));
        let troubles = self.fault.troubles.iter();
        for trouble in troubles.filter(|trouble| trouble.hits(path, &user)) {
            match trouble.what {
                Does::Take(time) => tokio::time::sleep(time).await,
                Does::Answer(status) => {
                    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                    return (status, json!({ "error": status.canonical_reason() }));
                }
            }
        }
        let receipt = match path {
            "/scores" => {
                self.scored().insert(order);
                return (StatusCode::OK, json!({ "score": 7 }));
            }
            "/charges" if self.fault.fraud_check && !self.scored().contains(&order) => {
                return (StatusCode::PAYMENT_REQUIRED, json!({ "error": "no score is known of this order" }));
            }
            "/charges" => json!({ "charge_id": id("ch"), "status": "succeeded" }),
            "/mails" => json!({ "mail_id": id("mail"), "status": "queued" }),
            _ => return (StatusCode::NOT_FOUND, Value::Null),
        };
        self.asked.note(path, body);
        (StatusCode::OK, receipt)
    }

    fn scored(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.scored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn id(kind: &str) -> String {
    format!("{kind}_{}", uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::fault::Trouble;

    #[tokio::test]
    async fn who_has_no_score_is_not_charged() {
        const DOWN: Trouble = Trouble { path: "/scores", users: &["u-2"], what: Does::Answer(503) };
        let fault = Fault { fraud_check: true, troubles: &[DOWN], ..Fault::NONE };
        let providers = Providers::new(Asked::default(), fault);
        let mut answers = Vec::new();
        for (path, user) in [("/scores", "u-1"), ("/scores", "u-2"), ("/charges", "u-1"), ("/charges", "u-2")]
        {
            let body = json!({ "user_id": user, "order_id": format!("o-{user}") }).to_string();
            answers.push(providers.take(path, body.as_bytes()).await.0.as_u16());
        }
        assert_eq!(answers, [200, 503, 200, 402]);
    }
}
