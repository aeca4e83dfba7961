use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::propagation::MEMBER;
use crate::triggers::tests::*;

/// The sample with this in its first record.
fn event(data: &str) -> Value {
    let mut event = sample!("kinesis");
    event["Records"][0]["kinesis"]["data"] = json!(BASE64_STANDARD.encode(data));
    event
}

#[test]
fn the_sample_says_stream_shard_and_time() {
    let reading = read(&sample!("kinesis"));
    assert_eq!((reading.trigger, reading.source.as_str()), ("pubsub", "kinesis simple-stream"));
    assert_eq!(reading.name.as_deref(), Some("process simple-stream"));
    assert_eq!((reading.records.len(), &reading.stripped), (2, &None));
    let record = &reading.records[0];
    assert_eq!(record.id, "49568167373333333333333333333333333333333333333333333333");
    assert_eq!((record.sent, &record.sender), (millis(1_480_641_523_477), &None));
    assert_eq!(
        record_lines(record),
        [
            "messaging.destination.name=simple-stream",
            "messaging.destination.partition.id=shardId-000000000000",
            "messaging.message.id=49568167373333333333333333333333333333333333333333333333",
            "messaging.system=aws.kinesis",
        ]
    );
}

#[test]
fn a_record_is_of_its_own_stream_and_shard() {
    let arn = |stream: &str| format!("arn:aws:kinesis:eu-west-1:1:stream/{stream}");
    let record = |stream: &str, shard: &str| {
        json!({
            "eventSource": "aws:kinesis", "eventSourceARN": arn(stream), "eventID": format!("{shard}:7"),
            "kinesis": {"sequenceNumber": "7"},
        })
    };
    let places = [("a", "s-1"), ("a", "s-2"), ("b", "s-2"), ("b", "s-2"), ("a", "s-1")];
    let reading = read(&json!({"Records": places.map(|(stream, shard)| record(stream, shard))}));
    assert_eq!(reading.source, "kinesis a");
    for (record, (stream, shard)) in reading.records.iter().zip(places) {
        assert_eq!(*record.source, format!("kinesis {stream}"));
        assert_eq!(record.join(), Some(format!("kinesis:{stream}/{shard}:7")));
        assert!(record_lines(record).contains(&format!("messaging.destination.partition.id={shard}")));
    }
}

#[test]
fn a_fan_out_consumer_is_not_part_of_the_name() {
    let mut event = sample!("kinesis");
    let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/audit/consumer/app:1510000000";
    event["Records"][0]["eventSourceARN"] = json!(arn);
    assert_eq!(read(&event).source, "kinesis audit");
}

#[test]
fn the_member_is_read_and_taken_out_and_nothing_else_changes() {
    let ours = json!({"traceparent": TRACEPARENT, "baggage": "correlation.id=c-1"});
    let event = event(&format!("{{\"order\": 1.0, \"{MEMBER}\": {ours},\t\"é\":[]}}"));
    let reading = read(&event);
    let Some(super::Sender::Parent(sender)) = &reading.records[0].sender else { panic!("no sender") };
    assert_eq!(*sender, context(TRACEPARENT, Some("correlation.id=c-1")));
    assert_eq!(reading.records[1].sender, None);

    let mut without = event.clone();
    without["Records"][0]["kinesis"]["data"] = json!(BASE64_STANDARD.encode("{\"order\": 1.0,\t\"é\":[]}"));
    assert_eq!(stripped(&reading), Some(without.to_string().as_str()));
}

#[test]
fn data_that_is_no_object_with_the_member_is_left_as_it_is() {
    for data in
        ["", "plain", "[1]", "{\"a\":{\"_throughline\":{}}}", "\"_throughline\"", "{\"_throughline\":"]
    {
        let reading = read(&event(data));
        assert_eq!((&reading.records[0].sender, &reading.stripped), (&None, &None), "{data}");
    }
    let mut not_base64 = sample!("kinesis");
    not_base64["Records"][0]["kinesis"]["data"] = json!("{\"_throughline\":{}}");
    assert_eq!(read(&not_base64).stripped, None);
}
