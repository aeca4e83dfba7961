//! A wrapped function that sends messages over a connection that answers at once, and says how long that took: through
//! an instrumented client or a plain one, which may be given what the other adds.

use std::time::Instant;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
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
        let (client, by_hand) = match event.payload["client"].as_str() {
            Some("traced") => (traced, false),
            Some("by hand") => (plain, true),
            _ => (plain, false),
        };
        let sends = event.payload["sends"].as_u64().unwrap_or(1);
        let begun = Instant::now();
        for _ in 0..sends {
            let message =
                client.send_message().queue_url("http://sqs/000000000000/orders").message_body("{}");
            if by_hand { carrying(message) } else { message }.send().await?;
        }
        // Nanoseconds for one.
        Ok::<_, Error>(begun.elapsed().as_nanos() as u64 / sends)
    }))
    .await
}

/// What the interceptor would make of a message, in as many bytes.
fn carrying(message: SendMessageFluentBuilder) -> SendMessageFluentBuilder {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let baggage = "correlation.id=JKJaXmPLvHcESHA=,throughline.entry=http%20GET%20/orders,throughline.hops=1";
    let xray = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
    let text = |value| MessageAttributeValue::builder().data_type("String").string_value(value).build().ok();
    let system = MessageSystemAttributeValue::builder().data_type("String").string_value(xray).build().ok();
    let mut message = message;
    for (name, value) in [("traceparent", text(traceparent)), ("baggage", text(baggage))] {
        message = value.into_iter().fold(message, |message, value| message.message_attributes(name, value));
    }
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    system.into_iter().fold(message, |message, value| message.message_system_attributes(name.clone(), value))
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
