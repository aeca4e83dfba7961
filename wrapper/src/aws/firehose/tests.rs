use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Json, json};

use super::*;
use crate::aws::testing::{Lambda, Service as Answers, attribute, client, injection, traceparent};

fn record(data: &str) -> Record {
    Record::builder().data(Blob::new(data)).build().unwrap()
}

fn lambda() -> Lambda {
    Lambda::with(&[("THROUGHLINE_FIREHOSE_STREAMS", "lake")], "vendor=1")
}

fn inject_one(data: &str) -> (String, Span) {
    let input = PutRecordInput::builder().delivery_stream_name("lake").record(record(data)).build().unwrap();
    let (input, spans) = lambda().inject("Firehose", "PutRecord", input);
    let data = input.record.unwrap().data.into_inner();
    (String::from_utf8(data).unwrap(), spans.into_iter().next().unwrap())
}

fn inject_all(stream: &str, records: Vec<Record>) -> (Vec<Record>, Vec<Span>) {
    let input = PutRecordBatchInput::builder().delivery_stream_name(stream).set_records(Some(records));
    let (input, spans) = lambda().inject("Firehose", "PutRecordBatch", input.build().unwrap());
    (input.records.unwrap(), spans)
}

#[test]
fn an_object_carries_the_context_and_keeps_its_newline() {
    let (data, span) = inject_one("{\"a\":1}\n");
    assert!(data.starts_with("{\"a\":1,\"_throughline\":{") && data.ends_with("}}\n"));
    let read: Json = serde_json::from_str(&data).unwrap();
    assert_eq!(read["_throughline"]["traceparent"], traceparent(&span));
    assert_eq!(injection(&span), ("body".to_owned(), None));
    assert_eq!(attribute(&span, "messaging.destination.name").as_deref(), Some("lake"));

    for (data, why) in [
        ("{\"a\":1}\n{\"a\":2}\n", "not-json-object"),
        ("a,b,c\n", "not-json-object"),
        ("{\"traceparent\":1}", "caller-set"),
    ] {
        let (after, span) = inject_one(data);
        assert_eq!(after, data);
        assert_eq!(injection(&span), ("none".to_owned(), Some(why.to_owned())));
    }
}

#[test]
fn a_stream_that_is_not_named_keeps_its_records() {
    let (records, spans) = inject_all("other", vec![record("{}"), record("{}")]);
    assert_eq!(records, [record("{}"), record("{}")]);
    let [span] = spans.try_into().unwrap();
    assert_eq!(injection(&span), ("none".to_owned(), Some("not-enabled".to_owned())));
    assert_eq!(attribute(&span, "messaging.batch.message_count").as_deref(), Some("2"));
}

#[test]
fn at_and_over_each_limit() {
    let data = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    let added = inject_one(&data(8)).0.len() - 8;
    for (bytes, why) in [(MAX_RECORD - added, None), (MAX_RECORD - added + 1, Some("too-large"))] {
        let (sent, span) = inject_one(&data(bytes));
        assert_eq!(injection(&span).1.as_deref(), why);
        assert!(sent.len() <= MAX_RECORD);
    }
    for limit in LIMITS {
        for (room, why) in [(5 * added, None), (5 * added - 1, Some("too-large"))] {
            let part = (limit - room) / 5;
            let rest = limit - room - 4 * part;
            let sizes = [part, part, part, part, rest];
            let (sent, spans) = inject_all("lake", sizes.iter().map(|size| record(&data(*size))).collect());
            let total: usize = sent.iter().map(|record| record.data().as_ref().len()).sum();
            assert!(total <= limit, "{total} over {limit}");
            assert_eq!(injection(&spans[4]), ("body".to_owned(), None));
            assert_eq!(injection(&spans[5]).1.as_deref(), why, "{room} under {limit}");
        }
    }
}

#[tokio::test]
async fn the_answer_to_a_batch_is_on_the_spans_of_its_records() {
    let answer = json!({"FailedPutCount": 1, "RequestResponses": [
        {"RecordId": "r-1"},
        {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"},
    ]});
    let service = Answers::answering([(200, &answer.to_string())]);
    let (lambda, client) = (lambda(), client!(aws_sdk_firehose, service));
    let call = client.put_record_batch().delivery_stream_name("lake");
    lambda.run(call.records(record("{}")).records(record("{}")).send()).await.unwrap();
    let [_, sent, refused] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&sent, "messaging.message.id").as_deref(), Some("r-1"));
    assert_eq!(attribute(&refused, "error.type").as_deref(), Some("ServiceUnavailableException"));
}

#[tokio::test]
async fn a_stream_that_is_not_named_gets_what_the_caller_sent() {
    let answer = (200, r#"{"RecordId":"r-1"}"#);
    let service = Answers::answering([answer, answer]);
    let (lambda, client) = (Lambda::new(), client!(aws_sdk_firehose, service));
    let call = || client.put_record().delivery_stream_name("lake").record(record("{}")).send();
    call().await.unwrap();
    lambda.run(call()).await.unwrap();
    let [plain, with_us] = service.requests().try_into().unwrap();
    assert_eq!((with_us.body, with_us.headers), (plain.body, plain.headers));
}
