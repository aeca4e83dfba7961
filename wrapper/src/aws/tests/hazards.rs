//! What tracing breaks where it is done without care, each with its test; those of one service are with it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_types::Blob;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::aws::interceptor;
use crate::aws::testing::{BROKEN, Lambda, Request, Service, attribute, client};

const BUSY: (u16, &str) = (503, r#"{"__type":"ServiceUnavailable"}"#);
const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo";

fn lambda() -> Lambda {
    let env = [("THROUGHLINE_DYNAMODB_TABLES", "*"), ("THROUGHLINE_FIREHOSE_STREAMS", "*")];
    Lambda::with(&env, "vendor=1")
}

/// How often a context stands in a request, whichever of its parts are Base64.
fn contexts(request: &Request) -> usize {
    let plain = request.body.matches("00-4bf92f3577b34da6a3ce929d0e0e4736-").count();
    let data = |part: &str| {
        let data = BASE64_STANDARD.decode(part).ok().and_then(|data| String::from_utf8(data).ok());
        data.map_or(0, |data| data.matches("00-4bf92f3577b34da6a3ce929d0e0e4736-").count())
    };
    let context = request.headers.get("x-amz-client-context").map_or(0, |context| data(context));
    plain + context + request.body.split('"').map(data).sum::<usize>()
}

/// Makes a call of each service inside an invocation, all through `$service`, and looks at its requests.
macro_rules! each_call {
    ($answers:expr, $look:expr) => {{
        macro_rules! call {
            ($sdk:ident, $name:ident => $call:expr) => {{
                let (lambda, service) = (lambda(), Service::answering($answers));
                let $name = client!($sdk, service);
                let call = $call.customize().interceptor(interceptor());
                lambda.run(call.send()).await.unwrap();
                let spans = lambda.spans();
                $look(stringify!($call), &service.requests(), &spans[0]);
            }};
        }
        call!(aws_sdk_sqs, sqs => sqs.send_message().queue_url(QUEUE).message_body("{}"));
        call!(aws_sdk_kinesis, kinesis => {
            kinesis.put_record().stream_name("s").partition_key("k").data(Blob::new("{}"))
        });
        call!(aws_sdk_firehose, firehose => {
            let record = aws_sdk_firehose::types::Record::builder().data(Blob::new("{}")).build().unwrap();
            firehose.put_record().delivery_stream_name("s").record(record)
        });
        call!(aws_sdk_dynamodb, dynamodb => {
            dynamodb.put_item().table_name("t").item("id", AttributeValue::S("1".to_owned()))
        });
        call!(aws_sdk_dynamodb, dynamodb => {
            let key = HashMap::from([("id".to_owned(), AttributeValue::S("1".to_owned()))]);
            dynamodb.update_item().table_name("t").set_key(Some(key)).update_expression("REMOVE a")
        });
        call!(aws_sdk_eventbridge, events => {
            let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().detail("{}").build();
            events.put_events().entries(entry)
        });
        call!(aws_sdk_lambda, functions => {
            let call = functions.invoke().function_name("f").payload(Blob::new("{}"));
            call.invocation_type(InvocationType::Event)
        });
        call!(aws_sdk_lambda, functions => functions.invoke().function_name("f").payload(Blob::new("{}")));
    }};
}

/// An answer that every service takes for one.
const DONE: (u16, &str) = (
    200,
    r#"{"MessageId":"m","MD5OfMessageBody":"x","ShardId":"s","SequenceNumber":"1","RecordId":"r","Entries":[]}"#,
);

#[tokio::test]
async fn the_context_is_written_once_for_all_attempts_and_all_interceptors() {
    let look = |call: &str, requests: &[Request], span: &_| {
        assert_eq!(requests.len(), 3, "{call}");
        for request in requests {
            assert_eq!(contexts(request), 1, "{call}: {request:?}");
            assert_eq!(request.body, requests[0].body, "{call}");
        }
        assert_eq!(attribute(span, "http.request.resend_count").as_deref(), Some("2"), "{call}");
    };
    each_call!([BUSY, BUSY, DONE], look);
}

#[tokio::test]
async fn a_connection_that_breaks_twice_changes_nothing() {
    let look = |call: &str, requests: &[Request], _: &_| {
        assert_eq!(requests.len(), 3, "{call}");
        assert!(requests.iter().all(|request| contexts(request) == 1 && request.xray == requests[0].xray));
    };
    each_call!([BROKEN, BROKEN, DONE], look);
}

#[tokio::test]
async fn a_message_of_a_fifo_queue_is_the_same_to_content_based_deduplication() {
    let service = Service::answering([DONE, DONE, DONE]);
    let client = client!(aws_sdk_sqs, service);
    let send =
        || client.send_message().queue_url(QUEUE).message_group_id("g").message_body("{\"a\": 1.0}").send();
    send().await.unwrap();
    for _ in 0..2 {
        lambda().run(send()).await.unwrap();
    }
    // SQS hashes the body alone.
    for request in service.requests() {
        assert_eq!(request.json()["MessageBody"], "{\"a\": 1.0}");
        assert!(request.json().get("MessageDeduplicationId").is_none());
    }
}

#[tokio::test]
async fn attempts_that_were_refused_for_their_number_are_counted() {
    let slow = (400, r#"{"__type":"ProvisionedThroughputExceededException","message":"slow down"}"#);
    for (answers, throttled, error) in [
        ([slow, slow, DONE], Some("2"), None),
        ([BUSY, slow, DONE], Some("1"), None),
        ([BUSY, BROKEN, DONE], None, None),
        ([slow, slow, slow], Some("3"), Some("ProvisionedThroughputExceededException")),
    ] {
        let (lambda, service) = (lambda(), Service::answering(answers));
        let client = client!(aws_sdk_dynamodb, service);
        let call = client.get_item().table_name("t").key("id", AttributeValue::S("1".to_owned()));
        assert_eq!(lambda.run(call.send()).await.is_err(), error.is_some());
        let [span] = lambda.spans().try_into().unwrap();
        assert_eq!(attribute(&span, "throughline.throttled").as_deref(), throttled);
        assert_eq!(attribute(&span, "error.type").as_deref(), error);
    }
}
