//! A table in the place of the service.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

use super::*;

/// Its name.
pub(super) const TABLE: &str = "traces";

/// What the table answers to its n-th request.
pub(super) type Answer = fn(usize, &Value) -> Option<(u16, Value)>;

/// A table in the place of the service. Without an answer it says nothing for ever.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    pub(super) answer: Answer,
    pub(super) requests: Arc<Mutex<Vec<Value>>>,
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut requests = self.requests.lock().unwrap();
        let answer = (self.answer)(requests.len(), &body);
        requests.push(body);
        match answer {
            None => HttpConnectorFuture::new(std::future::pending()),
            Some((status, body)) => HttpConnectorFuture::ready(Ok(HttpResponse::new(
                StatusCode::try_from(status).unwrap(),
                SdkBody::from(body.to_string()),
            ))),
        }
    }
}

impl HttpClient for Fake {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

pub(super) fn store(fake: &Fake) -> Store {
    // All clients of a process share what they may ask again: a test that is refused would take it from another.
    let own = RetryPartition::custom("fake").token_bucket(TokenBucket::default()).build();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .retry_partition(own)
        .http_client(fake.clone());
    Store::new(Client::from_conf(config.build()), TABLE)
}
