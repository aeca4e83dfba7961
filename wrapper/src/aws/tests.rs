//! The hooks, through a real client.

#[cfg(feature = "full")]
mod bodies;
#[cfg(feature = "full")]
mod captured;
#[cfg(feature = "full")]
mod hazards;

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::testing::{BAGGAGE, Lambda, Service, TRACE, attribute, client, traceparent};
use super::*;
use crate::recorder::testing::written_down;
use crate::testing::Extension;

const SENT: (u16, &str) = (200, r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#);
const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/payments";

async fn send(client: &aws_sdk_sqs::Client) -> Result<String, aws_sdk_sqs::Error> {
    let sent = client.send_message().queue_url(URL).message_body("hello").send().await?;
    Ok(sent.message_id.unwrap_or_default())
}

#[tokio::test]
async fn a_call_is_a_span_and_its_context_travels() {
    let (lambda, service) = (Lambda::new(), Service::answering([SENT]));
    let id = lambda.run(send(&client!(aws_sdk_sqs, service))).await.unwrap();
    assert_eq!(id, "m-1");

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!((span.name.as_str(), span.kind()), ("send payments", SpanKind::Producer));
    assert_eq!(span.parent_span_id, lambda.scope.span().span_id().to_bytes());
    assert_eq!(span.status, None);
    for (key, value) in [
        ("rpc.system.name", "aws-api"),
        ("rpc.method", "SQS/SendMessage"),
        ("messaging.system", "aws_sqs"),
        ("messaging.destination.name", "payments"),
        ("messaging.operation.type", "send"),
        ("messaging.message.id", "m-1"),
        ("throughline.join.out", "sqs:m-1"),
        ("throughline.injected", "attributes"),
        ("http.response.status_code", "200"),
        ("aws.request_id", "aws-1"),
        ("correlation.id", "c-1"),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }

    let [request] = service.requests().try_into().unwrap();
    let sent = request.json();
    assert_eq!(sent["MessageBody"], "hello");
    assert_eq!(sent["MessageAttributes"]["traceparent"]["StringValue"], traceparent(&span));
    assert_eq!(sent["MessageAttributes"]["traceparent"]["DataType"], "String");
    assert_eq!(sent["MessageAttributes"]["tracestate"]["StringValue"], "vendor=1");
    assert_eq!(sent["MessageAttributes"]["baggage"]["StringValue"], BAGGAGE);
    // Root and Parent are ours, the rest is the invocation's.
    let parent = &traceparent(&span)[36..52];
    let xray =
        format!("Root=1-{}-{};Parent={parent};Sampled=1;Lineage=25:a87bd80c:1", &TRACE[..8], &TRACE[8..]);
    assert_eq!(sent["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"], xray);
    assert_eq!(request.xray, Some(xray));
}

#[tokio::test]
async fn retries_send_the_same_context_and_are_counted() {
    let busy = (503, r#"{"__type":"ServiceUnavailable"}"#);
    let (lambda, service) = (Lambda::new(), Service::answering([busy, busy, SENT]));
    lambda.run(send(&client!(aws_sdk_sqs, service))).await.unwrap();

    let requests = service.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.body == requests[0].body));
    assert!(requests.iter().all(|request| request.xray == requests[0].xray));
    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&span, "http.request.resend_count").as_deref(), Some("2"));
    assert_eq!(span.status, None);
}

#[tokio::test]
async fn an_error_of_the_service_is_on_the_span_and_with_the_caller() {
    for (answer, code) in [
        (r#"{"__type":"com.amazonaws.sqs#InvalidMessageContents","message":"no"}"#, "InvalidMessageContents"),
        (r#"{"__type":"com.amazonaws.sqs#SomethingNew","message":"no"}"#, "SomethingNew"),
    ] {
        let (lambda, service) = (Lambda::new(), Service::answering([(400, answer)]));
        let error = lambda.run(send(&client!(aws_sdk_sqs, service))).await.unwrap_err();
        assert_eq!(error.code(), Some(code));

        let [span] = lambda.spans().try_into().unwrap();
        assert_eq!(attribute(&span, "error.type").as_deref(), Some(code));
        assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("400"));
        let status = span.status.unwrap();
        assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "no"));
        assert_eq!(span.events[0].name, "exception");
    }
}

#[tokio::test]
async fn an_operation_of_another_service_has_a_span_and_the_header_alone() {
    let (lambda, service) = (Lambda::new(), Service::answering([(400, "not even JSON")]));
    let client = client!(aws_sdk_sqs, service);
    let error = lambda.run(client.list_queues().send()).await.unwrap_err();

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!((span.name.as_str(), span.kind()), ("SQS.ListQueues", SpanKind::Client));
    assert_eq!(attribute(&span, "throughline.injected"), None);
    assert!(attribute(&span, "error.type").is_some(), "{error:?}");
    assert_eq!(service.requests()[0].body, "{}");
    assert!(service.requests()[0].xray.as_ref().unwrap().contains(&traceparent(&span)[36..52]));
}

#[tokio::test]
async fn outside_an_invocation_or_switched_off_the_call_goes_out_unchanged() {
    let service = Service::answering([SENT, SENT]);
    let client = client!(aws_sdk_sqs, service);
    send(&client).await.unwrap();
    let off = Lambda::with(&[("THROUGHLINE_ENABLED", "false")], "");
    off.run(send(&client)).await.unwrap();

    assert!(off.spans().is_empty());
    for request in service.requests() {
        assert_eq!(request.json(), serde_json::json!({"QueueUrl": URL, "MessageBody": "hello"}));
        assert_eq!(request.xray, None);
    }
}

#[tokio::test]
async fn an_interceptor_that_panics_in_every_hook_changes_nothing() {
    let (lambda, service) = (Lambda::new(), Service::answering([SENT]));
    let broken = client!(aws_sdk_sqs, service, Interceptor { broken: true });
    assert_eq!(lambda.run(send(&broken)).await.unwrap(), "m-1");
    assert_eq!(service.requests()[0].json(), serde_json::json!({"QueueUrl": URL, "MessageBody": "hello"}));
}

#[tokio::test]
async fn two_interceptors_make_one_span() {
    let (lambda, service) = (Lambda::new(), Service::answering([SENT]));
    let client = client!(aws_sdk_sqs, service);
    let call =
        client.send_message().queue_url(URL).message_body("hello").customize().interceptor(interceptor());
    lambda.run(call.send()).await.unwrap();
    assert_eq!(lambda.spans().len(), 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_still_ends_its_span() {
    let (lambda, service) = (Lambda::new(), Service::default());
    let client = client!(aws_sdk_sqs, service);
    let given_up = async {
        let call = std::pin::pin!(send(&client));
        futures_util::future::select(call, std::future::ready(())).await;
    };
    lambda.run(given_up).await;
    assert_eq!(service.requests().len(), 1);
    assert_eq!(lambda.spans().len(), 1);
}

#[tokio::test]
async fn a_call_is_written_down_before_it_is_sent() {
    let extension = Extension::start().await;
    let lambda = Lambda::with(&[("AWS_LAMBDA_RUNTIME_API", extension.runtime_api())], "");
    let service = Service::answering([SENT]);
    lambda.run(send(&client!(aws_sdk_sqs, service))).await.unwrap();
    let [_, sending, sent] = written_down(extension.runtime_api()).try_into().unwrap();
    assert_eq!((sending.name.as_str(), &sending.span_id), ("send payments", &sent.span_id));
    assert!(sending.end_time_unix_nano == 0 && sent.end_time_unix_nano > 0);
    assert_eq!(attribute(&sending, "throughline.injected").as_deref(), Some("attributes"));
    assert_eq!(attribute(&sending, "http.response.status_code"), None, "there is no answer yet");
}
