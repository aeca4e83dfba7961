//! A wrapped function that sends messages over a connection that answers at once, through an instrumented client or a
//! plain one, and says how long that took.

use std::time::Instant;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = || {
        Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::for_tests())
            .http_client(Answering)
    };
    let plain = &Client::from_conf(config().build());
    let traced = &Client::from_conf(config().interceptor(throughline::aws::interceptor()).build());
    throughline::run(service_fn(|event: LambdaEvent<Value>| async move {
        let client = if event.payload["traced"] == true { traced } else { plain };
        let sends = event.payload["sends"].as_u64().unwrap_or(1);
        let begun = Instant::now();
        for _ in 0..sends {
            let message =
                client.send_message().queue_url("http://sqs/000000000000/orders").message_body("{}");
            message.send().await?;
        }
        // Nanoseconds for one.
        Ok::<_, Error>(begun.elapsed().as_nanos() as u64 / sends)
    }))
    .await
}

/// A connection that answers at once.
#[derive(Clone, Debug)]
struct Answering;

impl HttpConnector for Answering {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let body = SdkBody::from(r#"{"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}"#);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(StatusCode::from(http::StatusCode::OK), body)))
    }
}

impl HttpClient for Answering {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
