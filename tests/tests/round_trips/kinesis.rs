//! Kinesis: JSON objects carry the context inside, everything else joins by its sequence number.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::put_record::builders::PutRecordFluentBuilder;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use throughline_tests::spans::Arrived;

use crate::check::{Seen, assert_child, consumer, injection, injections, outcome, producer};
use crate::emulator::{Emulator, REGION, clients, sdk, unique};
use crate::function::{Call, Function};
use crate::proxy::Proxy;

const MIB: usize = 1024 * 1024;

/// A stream of one shard, read from its beginning.
struct Stream<'a> {
    emulator: &'a Emulator,
    name: String,
    arn: String,
    iterator: String,
}

impl<'a> Stream<'a> {
    async fn new(emulator: &'a Emulator) -> Self {
        let name = unique("audit");
        let call = async |operation: &str, body: Value| {
            emulator.call("kinesis", &format!("Kinesis_20131202.{operation}"), &body).await
        };
        call("CreateStream", json!({ "StreamName": name, "ShardCount": 1 })).await;
        let described = call("DescribeStream", json!({ "StreamName": name })).await;
        let described = &described["StreamDescription"];
        let shard = &described["Shards"][0]["ShardId"];
        let request = json!({ "StreamName": name, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
        let iterator = call("GetShardIterator", request).await["ShardIterator"].as_str().unwrap().to_owned();
        let arn = described["StreamARN"].as_str().unwrap().to_owned();
        Self { emulator, name, arn, iterator }
    }

    /// The records that came since the last time.
    async fn read(&mut self) -> Vec<Value> {
        let request = json!({ "ShardIterator": self.iterator, "Limit": 10_000 });
        let answer = self.emulator.call("kinesis", "Kinesis_20131202.GetRecords", &request).await;
        answer["NextShardIterator"].as_str().unwrap().clone_into(&mut self.iterator);
        answer["Records"].as_array().cloned().unwrap_or_default()
    }

    /// The event that Lambda makes of `records`
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example>).
    fn event(&self, records: &[Value]) -> Value {
        let record = |record: &Value| {
            let mut kinesis = json!({ "kinesisSchemaVersion": "1.0" });
            for (theirs, ours) in [
                ("PartitionKey", "partitionKey"),
                ("SequenceNumber", "sequenceNumber"),
                ("Data", "data"),
                ("ApproximateArrivalTimestamp", "approximateArrivalTimestamp"),
            ] {
                kinesis[ours] = record[theirs].clone();
            }
            json!({
                "kinesis": kinesis,
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": format!("shardId-000000000000:{}", record["SequenceNumber"].as_str().unwrap()),
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
                "awsRegion": REGION,
                "eventSourceARN": self.arn,
            })
        };
        json!({ "Records": records.iter().map(record).collect::<Vec<_>>() })
    }

    fn join(&self, sequence: &str) -> String {
        format!("kinesis:{}/shardId-000000000000:{sequence}", self.name)
    }

    fn put(&self, client: &Client, data: impl Into<Vec<u8>>) -> PutRecordFluentBuilder {
        client.put_record().stream_name(&self.name).partition_key("k").data(Blob::new(data))
    }
}

fn data(record: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(record["Data"].as_str().unwrap()).unwrap()
}

/// Processes an event record by record; what the handler saw of each.
async fn process(receiver: &Function, event: &Value) -> Vec<(Seen, Vec<u8>)> {
    receiver
        .invoke(Call::of(event), async |event| {
            let event: KinesisEvent = serde_json::from_str(event.get()).unwrap();
            let seen = Mutex::new(Vec::new());
            let response = throughline::batch::kinesis(event, async |record: KinesisEventRecord| {
                let kinesis = record.kinesis;
                seen.lock().unwrap().push((Seen::now(kinesis.sequence_number, ""), kinesis.data.0));
                Ok::<(), std::convert::Infallible>(())
            });
            assert!(response.await.batch_item_failures.is_empty());
            seen.into_inner().unwrap()
        })
        .await
}

#[tokio::test]
async fn an_object_carries_the_context_and_is_seen_as_it_was_sent() {
    let emulator = Emulator::start().await;
    let mut stream = Stream::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_kinesis, emulator.sdk().await);
    for sent in ["{}", "{\n  \"a\": 1.50, \"b\":\"ü}\"\n}\n", " { \"a\" : [ ]\t,\"a\":{ } } "] {
        let (sender, receiver) = (Function::new(), Function::new());
        let call = stream.put(&traced, sent);
        let sequence = sender.sends(async || call.send().await).await.unwrap().sequence_number;
        let records = stream.read().await;
        assert_ne!(data(&records[0]), sent.as_bytes());
        let [(seen, data)] = process(&receiver, &stream.event(&records)).await.try_into().unwrap();
        assert_eq!((seen.id.as_str(), data.as_slice()), (sequence.as_str(), sent.as_bytes()));
        seen.assert_baggage();
        let join = stream.join(&sequence);
        let producer = producer(&sender, &join);
        assert_eq!(injection(&producer), outcome("body", None));
        assert_child(&receiver, &consumer(&receiver, &join), &producer);
    }
}

#[tokio::test]
async fn what_is_no_object_stays_and_joins_by_its_sequence_number() {
    let emulator = Emulator::start().await;
    let mut stream = Stream::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_kinesis, emulator.sdk().await);
    let own = br#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-aaaaaaaaaaaaaaaa-01"}"#;
    for (sent, why) in [
        (&b"[{}]"[..], "not-json-object"),
        (b"\x00\xff", "not-json-object"),
        (b"{\"a\":1}{\"b\":2}", "not-json-object"),
        (own, "caller-set"),
    ] {
        let (sender, receiver) = (Function::new(), Function::new());
        let call = stream.put(&traced, sent);
        let sequence = sender.sends(async || call.send().await).await.unwrap().sequence_number;
        let records = stream.read().await;
        assert_eq!(data(&records[0]), sent);
        process(&receiver, &stream.event(&records)).await;
        let join = stream.join(&sequence);
        assert_eq!(injection(&producer(&sender, &join)), outcome("none", Some(why)));
        consumer(&receiver, &join);
    }
}

#[tokio::test]
async fn a_document_that_is_passed_on_does_not_bring_its_own_sender() {
    let emulator = Emulator::start().await;
    let mut stream = Stream::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_kinesis, emulator.sdk().await);
    let foreign =
        r#"{"_throughline":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-aaaaaaaaaaaaaaaa-01"},"a":1}"#;
    let (sender, receiver) = (Function::new(), Function::new());
    let call = stream.put(&traced, foreign.as_bytes());
    let sequence = sender.sends(async || call.send().await).await.unwrap().sequence_number;
    let records = stream.read().await;
    let [(seen, data)] = process(&receiver, &stream.event(&records)).await.try_into().unwrap();
    assert_eq!(data, br#"{"a":1}"#);
    seen.assert_baggage();
    let join = stream.join(&sequence);
    assert_child(&receiver, &consumer(&receiver, &join), &producer(&sender, &join));
}

#[tokio::test]
async fn each_record_of_500_has_a_sender_of_its_own() {
    let emulator = Emulator::start().await;
    let mut stream = Stream::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_kinesis, emulator.sdk().await);
    let (sender, receiver) = (Function::new(), Function::new());
    let sent = |n: usize| if n % 5 == 4 { format!("line {n}") } else { json!({ "n": n }).to_string() };
    let entries = (0..500).map(|n| {
        PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new(sent(n))).build().unwrap()
    });
    let call = traced.put_records().stream_name(&stream.name).set_records(Some(entries.collect()));
    let answer = sender.sends(async || call.send().await).await.unwrap();

    let records = stream.read().await;
    let seen = process(&receiver, &stream.event(&records)).await;
    assert_eq!(seen.len(), 500);
    let by_join = |function: &Function, which: &str| -> HashMap<String, Arrived> {
        let records = function.spans_where(|span| !span.is_invocation());
        records.into_iter().filter_map(|span| Some((span.attribute(which)?, span))).collect()
    };
    let producers = by_join(&sender, "throughline.join.out");
    let consumers = by_join(&receiver, "throughline.join.in");
    assert_eq!((producers.len(), consumers.len()), (500, 500));
    for (n, (record, (seen, data))) in answer.records().iter().zip(&seen).enumerate() {
        let join = stream.join(record.sequence_number().unwrap());
        assert_eq!(data, sent(n).as_bytes());
        let (producer, consumer) = (&producers[&join], &consumers[&join]);
        if n % 5 == 4 {
            assert_eq!(injection(producer), outcome("none", Some("not-json-object")));
        } else {
            seen.assert_baggage();
            assert_eq!(injection(producer), outcome("body", None));
            assert_eq!(consumer.span.trace_id, producer.span.trace_id);
            // The first one's sender is the invocation's parent.
            assert!(n == 0 || consumer.span.parent_span_id == producer.span.span_id);
        }
    }
    let spans: HashSet<_> = producers.values().map(|span| &span.span.span_id).collect();
    assert_eq!(spans.len(), 500);
}

/// A JSON object of so many bytes.
fn object(length: usize) -> Vec<u8> {
    format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8)).into_bytes()
}

#[tokio::test]
async fn a_record_at_its_limit_is_taken_with_us_if_it_is_without() {
    let emulator = Emulator::start().await;
    let mut stream = Stream::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_kinesis, emulator.sdk().await);
    for (length, expected) in [
        (MIB - 1024, outcome("body", None)),
        (MIB - 50, outcome("none", Some("too-large"))),
        (MIB, outcome("none", Some("too-large"))),
        (MIB + 1, outcome("none", Some("too-large"))),
    ] {
        let sent = object(length);
        // AWS and rustack take a record of more than 1 MiB only where the stream allows it; moto takes any.
        let without = stream.put(&plain, sent.clone()).send().await;
        let (sender, call) = (Function::new(), stream.put(&traced, sent.clone()));
        let with = sender.sends(async || call.send().await).await;
        assert_eq!(with.is_ok(), without.is_ok(), "{length}");
        assert_eq!(with.is_ok(), length <= MIB || emulator.is_moto(), "{length}: {with:?}");
        assert_eq!(injections(&sender), [expected], "{length}");
        for record in stream.read().await {
            assert!(data(&record).len() <= MIB.max(length));
        }
    }
}

#[tokio::test]
async fn a_request_stays_under_its_limit_in_all() {
    let emulator = Emulator::start().await;
    let stream = Stream::new(&emulator).await;
    // AWS takes 10 MiB, partition keys included; both emulators take 5 MiB, as AWS did until 2025. So what goes out
    // is looked at, whatever they say to it.
    let wire = Proxy::flaky(0, emulator.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_kinesis, sdk(wire.endpoint()).await);
    let whole = MIB / 2 - 1;
    for (last, injected) in [(whole - 600, true), (whole, false), (whole + 1, false)] {
        let entries = (0..20).map(|n| {
            let data = object(if n == 19 { last } else { whole });
            PutRecordsRequestEntry::builder().partition_key("k").data(Blob::new(data)).build().unwrap()
        });
        let call = traced.put_records().stream_name(&stream.name).set_records(Some(entries.collect()));
        let sender = Function::new();
        _ = sender.sends(async || call.send().await).await;
        let done: Vec<_> = injections(&sender).into_iter().filter(|done| done.0 == "body").collect();
        assert_eq!((injections(&sender).len(), !done.is_empty()), (20, injected), "{last}");
        let sent = wire.bodies().pop().unwrap();
        let sum: usize =
            sent["Records"].as_array().unwrap().iter().map(|record| data(record).len() + 1).sum();
        assert!(sum <= 10 * MIB || last > whole && sum == 10 * MIB + 1, "{sum}");
    }
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let mut stream = Stream::new(&emulator).await;
    let flaky = Proxy::flaky(2, emulator.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_kinesis, sdk(flaky.endpoint()).await);
    let (sender, receiver) = (Function::new(), Function::new());
    let call = stream.put(&traced, "{\"a\":1}");
    let sequence = sender.sends(async || call.send().await).await.unwrap().sequence_number;
    flaky.assert_same(3);
    let records = stream.read().await;
    assert_eq!(String::from_utf8(data(&records[0])).unwrap().matches("_throughline").count(), 1);
    let [(_, data)] = process(&receiver, &stream.event(&records)).await.try_into().unwrap();
    assert_eq!(data, b"{\"a\":1}");
    let join = stream.join(&sequence);
    assert_child(&receiver, &consumer(&receiver, &join), &producer(&sender, &join));
}
