//! A wrapped function that sends what its event asks for, through instrumented AWS clients.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sdk_lambda::types::InvocationType;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use throughline::context;

/// One call of an AWS service.
#[derive(Debug, Deserialize)]
#[serde(tag = "call")]
enum Request {
    SendMessage { queue_url: String, body: String },
    SendMessageBatch { queue_url: String, bodies: Vec<String> },
    Publish { topic_arn: String, body: String },
    PublishBatch { topic_arn: String, bodies: Vec<String> },
    PutEvents { bus: String, bodies: Vec<String> },
    PutRecord { stream: String, body: String },
    PutRecords { stream: String, bodies: Vec<String> },
    Invoke { function: String, body: String, asynchronous: bool },
    StartExecution { machine_arn: String, body: String },
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clients = &Clients::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    throughline::run(service_fn(|event: LambdaEvent<Request>| async move {
        context::set_baggage("tenant", "acme");
        clients.send(event.payload).await
    }))
    .await
}

/// A client of a service, instrumented.
macro_rules! client {
    ($sdk:ident, $config:expr) => {
        $sdk::Client::from_conf(
            $sdk::config::Builder::from($config).interceptor(throughline::aws::interceptor()).build(),
        )
    };
}

struct Clients {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    eventbridge: aws_sdk_eventbridge::Client,
    kinesis: aws_sdk_kinesis::Client,
    lambda: aws_sdk_lambda::Client,
    sfn: aws_sdk_sfn::Client,
}

impl Clients {
    fn new(config: &SdkConfig) -> Self {
        Self {
            sqs: client!(aws_sdk_sqs, config),
            sns: client!(aws_sdk_sns, config),
            eventbridge: client!(aws_sdk_eventbridge, config),
            kinesis: client!(aws_sdk_kinesis, config),
            lambda: client!(aws_sdk_lambda, config),
            sfn: client!(aws_sdk_sfn, config),
        }
    }

    async fn send(&self, request: Request) -> Result<(), Error> {
        match request {
            Request::SendMessage { queue_url, body } => {
                self.sqs.send_message().queue_url(queue_url).message_body(body).send().await?;
            }
            Request::SendMessageBatch { queue_url, bodies } => {
                let mut call = self.sqs.send_message_batch().queue_url(queue_url);
                for (id, body) in bodies.into_iter().enumerate() {
                    let entry = SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(body);
                    call = call.entries(entry.build()?);
                }
                call.send().await?;
            }
            Request::Publish { topic_arn, body } => {
                self.sns.publish().topic_arn(topic_arn).message(body).send().await?;
            }
            Request::PublishBatch { topic_arn, bodies } => {
                let mut call = self.sns.publish_batch().topic_arn(topic_arn);
                for (id, body) in bodies.into_iter().enumerate() {
                    let entry = PublishBatchRequestEntry::builder().id(id.to_string()).message(body);
                    call = call.publish_batch_request_entries(entry.build()?);
                }
                call.send().await?;
            }
            Request::PutEvents { bus, bodies } => {
                let mut call = self.eventbridge.put_events();
                for body in bodies {
                    let entry = PutEventsRequestEntry::builder().source("shop").detail_type("ordered");
                    call = call.entries(entry.event_bus_name(&bus).detail(body).build());
                }
                call.send().await?;
            }
            Request::PutRecord { stream, body } => {
                let record = self.kinesis.put_record().stream_name(stream).partition_key("7");
                record.data(Blob::new(body)).send().await?;
            }
            Request::PutRecords { stream, bodies } => {
                let mut call = self.kinesis.put_records().stream_name(stream);
                for body in bodies {
                    let entry = PutRecordsRequestEntry::builder().partition_key("7").data(Blob::new(body));
                    call = call.records(entry.build()?);
                }
                call.send().await?;
            }
            Request::Invoke { function, body, asynchronous } => {
                let kind = if asynchronous { InvocationType::Event } else { InvocationType::RequestResponse };
                let call = self.lambda.invoke().function_name(function).invocation_type(kind);
                call.payload(aws_sdk_lambda::primitives::Blob::new(body)).send().await?;
            }
            Request::StartExecution { machine_arn, body } => {
                self.sfn.start_execution().state_machine_arn(machine_arn).input(body).send().await?;
            }
        }
        Ok(())
    }
}
