use serde_json::{Value, json};

use crate::triggers::tests::*;

/// The sample with these members of its record replaced.
fn event(changes: Value) -> Value {
    let mut event = sample!("sqs");
    for (key, value) in changes.as_object().unwrap() {
        event["Records"][0][key] = value.clone();
    }
    event
}

fn attribute(value: &str) -> Value {
    json!({"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"})
}

fn envelope(traceparent: &str) -> String {
    json!({
        "Type": "Notification",
        "MessageId": "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
        "TopicArn": "arn:aws:sns:us-east-2:111122223333:orders",
        "Subject": "TestSubject",
        "Message": "{\"order\":1}",
        "Timestamp": "2021-02-16T21:41:19.978Z",
        "MessageAttributes": {"traceparent": {"Type": "String", "Value": traceparent}},
    })
    .to_string()
}

#[test]
fn the_sample_says_where_it_comes_from_and_how_often_it_was_tried() {
    let (reading, record) = read_record(&sample!("sqs"));
    assert_eq!((reading.trigger, reading.source.as_str()), ("pubsub", "sqs SQSQueue"));
    assert_eq!(reading.name.as_deref(), Some("process SQSQueue"));
    assert_eq!(
        lines(&reading.attributes),
        [
            "messaging.batch.message_count=1",
            "messaging.destination.name=SQSQueue",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=aws_sqs",
        ]
    );
    assert_eq!(record.id, "MessageID_1");
    assert_eq!((record.sent, &record.sender), (millis(1_520_621_625_029), &None));
    assert_eq!(
        record_lines(&record),
        [
            "messaging.destination.name=SQSQueue",
            "messaging.message.id=MessageID_1",
            "messaging.system=aws_sqs",
            "throughline.receive_count=2",
        ]
    );
    assert_eq!(reading.stripped, None);
}

#[test]
fn the_first_carrier_wins() {
    let own = json!({"traceparent": attribute(TRACEPARENT)});
    let binary = json!({"traceparent": {"binaryValue":
        "MDAtNGJmOTJmMzU3N2IzNGRhNmEzY2U5MjlkMGUwZTQ3MzYtMDBmMDY3YWEwYmE5MDJiNy0wMQ==", "dataType": "Binary"}});
    let broken = json!({"traceparent": attribute("00-what")});
    let header = json!({"AWSTraceHeader": XRAY});
    for (changes, sender, why) in [
        (
            json!({"messageAttributes": own, "body": envelope(OTHER), "attributes": header}),
            parent(TRACEPARENT),
            "own",
        ),
        (json!({"messageAttributes": binary}), parent(TRACEPARENT), "binary"),
        (json!({"body": envelope(OTHER), "attributes": header}), parent(OTHER), "envelope"),
        (
            json!({"messageAttributes": broken, "body": envelope(OTHER)}),
            parent(OTHER),
            "broken, then envelope",
        ),
        (json!({"attributes": header, "body": envelope("no")}), xray(), "X-Ray last"),
        (
            json!({"attributes": {"AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793"}}),
            None,
            "no parent",
        ),
        (
            json!({"messageAttributes": {"Traceparent": attribute(TRACEPARENT)}}),
            None,
            "attribute names have a case",
        ),
    ] {
        assert_eq!(read_record(&event(changes)).1.sender, sender, "{why}");
    }
}

#[test]
fn baggage_and_state_come_along() {
    let attributes = json!({
        "traceparent": attribute(TRACEPARENT),
        "tracestate": attribute("vendor=1"),
        "baggage": attribute("correlation.id=c-1"),
    });
    let Some(super::Sender::Parent(context)) =
        read_record(&event(json!({"messageAttributes": attributes}))).1.sender
    else {
        panic!("no sender");
    };
    assert_eq!(context.span.trace_state().header(), "vendor=1");
    assert_eq!(context.baggage.header().as_deref(), Some("correlation.id=c-1"));
}

#[test]
fn a_topic_in_between_is_part_of_the_source() {
    let raw = event(json!({"messageAttributes": {"traceparent": attribute(OTHER)}}));
    assert_eq!(read(&raw).source, "sqs SQSQueue", "raw delivery leaves no trace of the topic");
    let (reading, record) = read_record(&event(json!({"body": envelope(OTHER)})));
    assert_eq!(reading.source, "sqs SQSQueue < sns orders");
    assert_eq!(*record.source, reading.source);
    assert_eq!(reading.stripped, None);
}

#[test]
fn what_only_looks_like_an_envelope_is_a_plain_body() {
    let envelope: Value = serde_json::from_str(&envelope(OTHER)).unwrap();
    for (key, value) in [
        ("Type", json!("SubscriptionConfirmation")),
        ("Type", Value::Null),
        ("MessageId", json!(7)),
        ("Message", json!({"order": 1})),
        ("TopicArn", json!("orders")),
        ("TopicArn", json!("arn:aws:sqs:us-east-2:111122223333:orders")),
        ("TopicArn", json!("arn:aws:sns:us-east-2:111122223333:")),
    ] {
        let mut body = envelope.clone();
        body[key] = value;
        let (reading, record) = read_record(&event(json!({"body": body.to_string()})));
        assert_eq!((reading.source.as_str(), record.sender), ("sqs SQSQueue", None), "{body}");
    }
    for body in ["TopicArn", "[\"TopicArn\"]", "{\"TopicArn\":", "{\"TopicArn\":1,\"TopicArn\":2}"] {
        assert_eq!(read_record(&event(json!({"body": body}))).1.sender, None, "{body}");
    }
}

#[test]
fn every_record_has_its_own_sender() {
    let mut batch = sample!("sqs");
    let mut second = batch["Records"][0].clone();
    second["messageId"] = json!("MessageID_2");
    second["body"] = json!(envelope(OTHER));
    batch["Records"].as_array_mut().unwrap().push(second);
    batch["Records"][0]["messageAttributes"]["traceparent"] = attribute(TRACEPARENT);
    let reading = read(&batch);
    let senders: Vec<_> = reading.records.iter().map(|record| record.sender.clone()).collect();
    assert_eq!(senders, [parent(TRACEPARENT), parent(OTHER)]);
    assert_eq!(reading.source, "sqs SQSQueue", "of the first record");
    assert!(lines(&reading.attributes).contains(&"messaging.batch.message_count=2".to_owned()));
}
