//! Calls of programs that are no functions.

use super::testing::{Service, client, traceparent};
use crate::outside::tests::in_service;
use crate::outside::transaction;
use crate::testing::text;

const SENT: (u16, &str) = (200, r#"{"MessageId":"m-1","MD5OfMessageBody":"x"}"#);

async fn send(client: &aws_sdk_sqs::Client) {
    let call = client.send_message().queue_url("https://sqs.eu-west-1.amazonaws.com/1/payments");
    call.message_body("hello").send().await.unwrap();
}

fn sent(service: &Service) -> Vec<String> {
    let attribute = |json: serde_json::Value| json["MessageAttributes"]["traceparent"]["StringValue"].clone();
    let requests = service.requests();
    requests.into_iter().map(|request| attribute(request.json()).as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_call_in_a_transaction_is_its_child_and_one_outside_begins_its_own() {
    let service = Service::answering([SENT, SENT]);
    let client = client!(aws_sdk_sqs, service);
    let (spans, ()) = in_service(async {
        transaction("job", send(&client)).await;
        send(&client).await;
    })
    .await;
    let [inside, job, alone] = spans.try_into().unwrap();
    assert_eq!((inside.trace_id, inside.parent_span_id), (job.trace_id.clone(), job.span_id));
    assert_ne!(alone.trace_id, job.trace_id);
    assert!(alone.parent_span_id.is_empty());
    assert_eq!(sent(&service)[1], traceparent(&alone));
    assert!(text(&alone, "correlation.id").is_some());
}
