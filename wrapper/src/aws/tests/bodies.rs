//! What calls send and get is told where that is asked for, and nowhere else.

use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;
use crate::aws::call::Call;
use crate::aws::testing::{Lambda, Service, attribute, client};

fn asked(when: &str) -> Lambda {
    Lambda::with(&[("THROUGHLINE_CAPTURE_CALLS", when)], "")
}

/// What is told of request and response, and why not.
fn told(span: &Span) -> [Option<String>; 4] {
    ["request", "request.skipped", "response", "response.skipped"]
        .map(|key| attribute(span, &format!("throughline.{key}")))
}

fn only(lambda: &Lambda) -> Span {
    let [span] = lambda.spans().try_into().unwrap();
    span
}

const PUBLISHED: &str =
    "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
const BODY: &str = r#"{"user":"u-1","password":"hunter2"}"#;

async fn send(client: &aws_sdk_sqs::Client) -> bool {
    client.send_message().queue_url(URL).message_body(BODY).send().await.is_ok()
}

#[tokio::test]
async fn bodies_are_told_when_they_are_asked_for() {
    let refused = (400, r#"{"__type":"com.amazonaws.sqs#Refused","message":"no","apiKey":"s3cret"}"#);
    for (when, answer, tells) in [
        ("", refused, false),
        ("off", refused, false),
        ("on-error", SENT, false),
        ("on-error", refused, true),
        ("always", SENT, true),
    ] {
        let (lambda, service) = (asked(when), Service::answering([answer]));
        let sent = lambda.run(send(&client!(aws_sdk_sqs, service))).await;
        assert_eq!(sent, answer == SENT);
        let [request, no_request, response, no_response] = told(&only(&lambda));
        assert_eq!((no_request, no_response), (None, None), "{when}");
        assert_eq!((request.is_some(), response.is_some()), (tells, tells), "{when}");
        if let (Some(request), Some(response)) = (request, response) {
            assert!(
                request.contains(r#""MessageBody":"{\"user\":\"u-1\",\"password\":\"***\"}""#),
                "{request}"
            );
            assert_eq!(response, answer.1.replace("s3cret", "***"));
        }
        assert!(service.requests()[0].body.contains("hunter2"), "what is sent stays");
    }
}

#[tokio::test]
async fn a_call_that_was_tried_again_tells_its_last_response() {
    let busy = (503, r#"{"__type":"ServiceUnavailable"}"#);
    let (lambda, service) = (asked("always"), Service::answering([busy, SENT]));
    assert!(lambda.run(send(&client!(aws_sdk_sqs, service))).await);
    let [request, _, response, _] = told(&only(&lambda));
    assert!(request.is_some());
    assert_eq!(response.as_deref(), Some(SENT.1));
}

#[tokio::test]
async fn what_is_encoded_is_masked_as_well() {
    let (lambda, service) = (asked("always"), Service::answering([(200, PUBLISHED)]));
    let client = client!(aws_sdk_sns, service);
    let publish = client.publish().topic_arn("arn:aws:sns:eu-west-1:1:t").message(BODY);
    lambda.run(publish.send()).await.unwrap();
    // The form of a query, percent-encoded.
    let [request, ..] = told(&only(&lambda));
    let request = request.unwrap();
    assert!(request.contains("Action=Publish") && !request.contains("hunter2"), "{request}");

    let (lambda, service) =
        (asked("always"), Service::answering([(200, r#"{"SequenceNumber":"1","ShardId":"s"}"#)]));
    let client = client!(aws_sdk_kinesis, service);
    let put = client.put_record().stream_name("s").partition_key("order-7").data(BODY.as_bytes().into());
    lambda.run(put.send()).await.unwrap();
    let [request, ..] = told(&only(&lambda));
    let request = request.unwrap();
    // Base64.
    assert!(
        request.contains("order-7") && request.contains("u-1") && !request.contains("hunter2"),
        "{request}"
    );
}

/// What S3 is sent and sends may be of any length.
#[tokio::test]
async fn a_stream_is_not_looked_at() {
    let (lambda, service) = (asked("always"), Service::answering([(200, "an object")]));
    let client = client!(aws_sdk_s3, service);
    let got = lambda.run(client.get_object().bucket("uploads").key("a").send()).await.unwrap();
    assert_eq!(told(&only(&lambda)), [None, None, None, Some("stream".to_owned())]);
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"an object");

    let (lambda, service) = (asked("always"), Service::answering([(200, "")]));
    let client = client!(aws_sdk_s3, service);
    let put =
        client.put_object().bucket("uploads").key("a").body(ByteStream::from_static(b"password=hunter2"));
    lambda.run(put.send()).await.unwrap();
    assert_eq!(told(&only(&lambda)), [Some("password=***".to_owned()), None, None, None]);
}

#[test]
fn what_keeps_secrets_tells_nothing() {
    for (service, tells) in [("Secrets Manager", false), ("SSM", false), ("KMS", false), ("EC2", true)] {
        let metadata = Metadata::new("Get", service);
        let mut layer = Layer::new("test");
        layer.store_put(metadata.clone());
        let cfg = ConfigBag::of_layers(vec![layer]);
        let lambda = asked("always");
        let mut call = Call::start(lambda.scope.clone(), &metadata, &Input::erase(()), &cfg, false);
        let mut request = HttpRequest::empty();
        *request.body_mut() = SdkBody::from(r#"{"Name":"db"}"#);
        call.serialized(&request, &cfg);
        let response =
            HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(r#"{"Value":"hunter2"}"#));
        call.tell_bodies(Some(&response), &cfg);
        drop(call);
        let [request, no_request, response, no_response] = told(&only(&lambda));
        assert_eq!((request.is_some(), response.is_some()), (tells, tells), "{service}");
        let why = (!tells).then(|| "secret".to_owned());
        assert_eq!((no_request, no_response), (why.clone(), why), "{service}");
    }
}
