use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Json;

use super::*;
use crate::aws::testing::{Lambda, Service, attribute, client, injection, traceparent};

fn record(data: &[u8]) -> PutRecordInput {
    let input = PutRecordInput::builder().stream_name("audit").partition_key("key");
    input.data(Blob::new(data)).build().unwrap()
}

fn inject_one(data: &[u8]) -> (Vec<u8>, Span) {
    let (input, spans) = Lambda::new().inject("Kinesis", "PutRecord", record(data));
    (input.data.unwrap().into_inner(), spans.into_iter().next().unwrap())
}

fn carried(data: &[u8]) -> Option<String> {
    let data: Json = serde_json::from_slice(data).ok()?;
    data["_throughline"]["traceparent"].as_str().map(str::to_owned)
}

#[test]
fn an_object_gets_the_member_and_all_else_is_left() {
    let (data, span) = inject_one(br#"{"order": 1.0}"#);
    assert!(data.starts_with(br#"{"order": 1.0,"_throughline":{"#));
    assert_eq!(carried(&data), Some(traceparent(&span)));
    assert_eq!(injection(&span), ("body".to_owned(), None));

    for data in [b"[1]".as_slice(), b"text", b"", b"\xf3\x89\x9a\xc2\x0a\x00", b"{} {}"] {
        let (after, span) = inject_one(data);
        assert_eq!(after, data);
        assert_eq!(injection(&span), ("none".to_owned(), Some("not-json-object".to_owned())));
    }
}

#[test]
fn a_large_record_and_a_context_of_the_caller_stay() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_RECORD - 100));
    let own = r#"{"traceparent":"mine"}"#;
    for (data, why) in [(large.as_str(), "too-large"), (own, "caller-set")] {
        let (after, span) = inject_one(data.as_bytes());
        assert_eq!(after, data.as_bytes());
        assert_eq!(injection(&span), ("none".to_owned(), Some(why.to_owned())));
    }
}

fn entry(data: &str) -> PutRecordsRequestEntry {
    let entry = PutRecordsRequestEntry::builder().partition_key("key");
    entry.data(Blob::new(data)).build().unwrap()
}

#[test]
fn each_record_has_its_own_context() {
    let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/audit";
    let input = PutRecordsInput::builder().stream_arn(arn).records(entry("{}")).records(entry("no"));
    let input = input.records(entry("{\"a\":1}")).build().unwrap();
    let (input, spans) = Lambda::new().inject("Kinesis", "PutRecords", input);
    let [send, first, second, third] = spans.try_into().unwrap();
    assert_eq!(send.name, "send audit");
    assert_eq!(attribute(&send, "messaging.batch.message_count").as_deref(), Some("3"));
    let data = |index: usize| input.records()[index].data().as_ref();
    assert_eq!(carried(data(0)), Some(traceparent(&first)));
    assert_eq!(data(1), b"no");
    assert_eq!(injection(&second), ("none".to_owned(), Some("not-json-object".to_owned())));
    assert_eq!(carried(data(2)), Some(traceparent(&third)));
    assert_eq!((third.name.as_str(), &third.parent_span_id), ("create audit", &send.span_id));
}

#[test]
fn a_request_stays_under_its_limit_in_all() {
    // Ten records just under a record's limit, and one that fills the request but for 300 bytes.
    let data = |bytes: usize| entry(&format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)));
    let size = MAX_RECORD - 1024;
    let mut records = vec![data(size); 10];
    records.push(data(MAX_REQUEST - 10 * (size + 3) - 3 - 300));
    let input = PutRecordsInput::builder().stream_name("audit").set_records(Some(records)).build().unwrap();
    let (input, spans) = Lambda::new().inject("Kinesis", "PutRecords", input);
    let total: usize = input.records().iter().map(|r| r.data().as_ref().len() + key_size(r)).sum();
    assert!(total <= MAX_REQUEST);
    assert_eq!(injection(&spans[1]).0, "body");
    assert_eq!(injection(&spans[11]), ("none".to_owned(), Some("too-large".to_owned())));
}

#[tokio::test]
async fn a_record_carries_the_context_on_the_wire_and_is_joined_by_its_number() {
    let answer = r#"{"ShardId":"shardId-1","SequenceNumber":"42"}"#;
    let (lambda, service) = (Lambda::new(), Service::answering([(200, answer)]));
    let call = client!(aws_sdk_kinesis, service).put_record().stream_name("audit").partition_key("key");
    lambda.run(call.data(Blob::new("{}")).send()).await.unwrap();

    let [span] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&span, "messaging.system").as_deref(), Some("aws.kinesis"));
    assert_eq!(attribute(&span, "throughline.join.out").as_deref(), Some("kinesis:audit/shardId-1:42"));
    let sent = service.requests()[0].json();
    let data = STANDARD.decode(sent["Data"].as_str().unwrap()).unwrap();
    assert_eq!(carried(&data), Some(traceparent(&span)));
}

#[tokio::test]
async fn the_answer_to_a_batch_is_on_the_spans_of_its_records() {
    let answer = r#"{"FailedRecordCount":1,"Records":[
        {"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"slow down"},
        {"ShardId":"shardId-1","SequenceNumber":"42"}]}"#;
    let (lambda, service) = (Lambda::new(), Service::answering([(200, answer)]));
    let call = client!(aws_sdk_kinesis, service).put_records().stream_name("audit");
    lambda.run(call.records(entry("{}")).records(entry("{}")).send()).await.unwrap();

    let [_, refused, sent] = lambda.spans().try_into().unwrap();
    assert_eq!(attribute(&refused, "error.type").as_deref(), Some("ProvisionedThroughputExceededException"));
    assert_eq!(attribute(&sent, "messaging.message.id").as_deref(), Some("42"));
    assert_eq!(attribute(&sent, "throughline.join.out").as_deref(), Some("kinesis:audit/shardId-1:42"));
}

#[test]
fn at_and_over_each_limit() {
    let data = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    let added = inject_one(data(8).as_bytes()).0.len() - 8;
    // The partition key counts.
    let fits = MAX_RECORD - "key".len() - added;
    for (bytes, injected, why) in [(fits, "body", None), (fits + 1, "none", Some("too-large"))] {
        let (sent, span) = inject_one(data(bytes).as_bytes());
        assert!(sent.len() + "key".len() <= MAX_RECORD);
        assert_eq!(injection(&span), (injected.to_owned(), why.map(str::to_owned)));
    }
    // All records of a request, which leave room for the context of each, and a byte less.
    let records = 16;
    for (room, why) in [(records * added, None), (records * added - 1, Some("too-large"))] {
        let part = (MAX_REQUEST - room) / records - "key".len();
        let rest = MAX_REQUEST - room - (records - 1) * (part + "key".len()) - "key".len();
        let entries = (1..records).map(|_| part).chain([rest]).map(|bytes| entry(&data(bytes)));
        let input = PutRecordsInput::builder().stream_name("audit").set_records(Some(entries.collect()));
        let (input, spans) = Lambda::new().inject("Kinesis", "PutRecords", input.build().unwrap());
        let total: usize = input.records().iter().map(|r| r.data().as_ref().len() + key_size(r)).sum();
        assert!(total <= MAX_REQUEST);
        assert_eq!(injection(&spans[records - 1]), ("body".to_owned(), None));
        assert_eq!(injection(&spans[records]).1.as_deref(), why);
    }
}
