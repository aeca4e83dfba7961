//! What holds for every trigger, and what the tests of each share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::propagation::MEMBER;
use crate::settings::Trust;

pub(super) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(super) const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
pub(super) const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

/// A sample of AWS's, to be changed.
macro_rules! sample {
    ($name:literal) => {
        serde_json::from_str::<serde_json::Value>(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/events/",
            $name,
            ".json"
        )))
        .unwrap()
    };
}
pub(super) use sample;

pub(super) fn settings(trust: Trust) -> Settings {
    Settings { trust, ..Settings::from_env(&|_| None) }
}

pub(super) fn read_bytes(event: impl Into<Bytes>) -> Reading {
    super::read(&event.into(), &Caller::default(), &settings(Trust::Trace))
}

pub(super) fn read(event: &Value) -> Reading {
    read_bytes(event.to_string())
}

/// The reading of a batch of one and its record.
pub(super) fn read_record(event: &Value) -> (Reading, Record) {
    let reading = read(event);
    assert_eq!(reading.records.len(), 1, "{event}");
    let record = reading.records[0].clone();
    (reading, record)
}

pub(super) fn context(traceparent: &str, baggage: Option<&str>) -> Context {
    Context::from_headers(traceparent, None, baggage).unwrap()
}

pub(super) fn parent(traceparent: &str) -> Option<Sender> {
    Some(Sender::Parent(context(traceparent, None)))
}

pub(super) fn link(traceparent: &str) -> Option<Sender> {
    Some(Sender::Link(context(traceparent, None)))
}

/// The caller in [`XRAY`].
pub(super) fn xray() -> Option<Sender> {
    parent("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01")
}

pub(super) fn millis(millis: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_millis(millis))
}

pub(super) use crate::testing::{lines, record_lines};

pub(super) fn stripped(reading: &Reading) -> Option<&str> {
    reading.stripped.as_ref().map(|bytes| std::str::from_utf8(bytes).unwrap())
}

fn is_unknown(reading: &Reading) -> bool {
    reading.trigger == "other"
        && reading.records.is_empty()
        && reading.sender.is_none()
        && reading.stripped.is_none()
}

#[test]
fn what_is_no_event_of_any_shape_is_an_unknown_one() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_records = format!(r#"{{"Records":{deep}}}"#);
    for event in [
        "",
        "null",
        "[]",
        "\"Records\"",
        "{",
        "not JSON",
        r#"{"Records":[]}"#,
        r#"{"Records":{}}"#,
        r#"{"Records":"aws:sqs"}"#,
        r#"{"Records":[null]}"#,
        r#"{"Records":[[]]}"#,
        r#"{"Records":[1,2]}"#,
        r#"{"Records":[{"eventSource":1}]}"#,
        r#"{"Records":[{"eventSource":"aws:sqs"},{"eventSource":"aws:sns"}]}"#,
        r#"{"Records":[{"eventSource":"aws:sqs"},{}]}"#,
        r#"{"Records":[{"eventSource":"aws:sqs"}],"Records":[]}"#,
        r#"{"requestContext":{"http":"POST"}}"#,
        r#"{"requestContext":["http"],"httpMethod":"GET"}"#,
        r#"{"detail-type":"a","source":"b","detail":"c"}"#,
        r#"{"traceparent":"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}"#,
        r#"{"traceparent":"00-xyz"}"#,
        deep.as_str(),
        deep_records.as_str(),
    ] {
        let head: String = event.chars().take(60).collect();
        assert!(is_unknown(&read_bytes(event.to_owned())), "{head}");
    }
    assert!(is_unknown(&read_bytes(&b"{\"traceparent\":\"\xff\"}"[..])), "not UTF-8");
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let twice = r#"{"Records":[],"Records":[{"eventSource":"aws:sns","eventSource":"aws:sqs"}]}"#;
    assert_eq!(read_bytes(twice).source, "sqs unknown");
    let twice = r#"{"Records":[{"eventSource":"aws:s3"}],"Records":[{"eventSource":"aws:\u0073qs"},{"eventSource":"aws:sqs"}]}"#;
    let reading = read_bytes(twice);
    assert_eq!((reading.source.as_str(), reading.records.len()), ("sqs unknown", 2), "however it is spelled");
    let ours = format!(r#""_throughline":{{"traceparent":"{TRACEPARENT}"}}"#);
    let event =
        format!(r#"{{"source":"a","detail-type":"b","detail":{{{ours}}},"detail":{{"x":1,{ours}}}}}"#);
    let reading = read_bytes(event);
    assert_eq!(reading.sender, parent(TRACEPARENT));
    assert!(stripped(&reading).unwrap().ends_with(r#""detail":{"x":1}}"#), "the one that a handler sees");
}

#[test]
fn more_records_than_lambda_sends_are_not_read() {
    let event = |records: usize| {
        read_bytes(format!(r#"{{"Records":[{}]}}"#, vec![r#"{"eventSource":"aws:sqs"}"#; records].join(",")))
    };
    assert_eq!(event(10_000).records.len(), 10_000);
    assert!(is_unknown(&event(10_001)));
}

#[test]
fn a_wrong_neighbour_costs_nothing() {
    let record = |rest: &str| {
        read_bytes(format!(
            r#"{{"Records":[{{"eventSource":"aws:sqs","messageAttributes":
                {{"traceparent":{{"stringValue":"{TRACEPARENT}"}},"x":null}},{rest}}}],"headers":7,"source":[1e999]}}"#
        ))
    };
    for rest in [
        r#""messageId":7,"attributes":null"#,
        r#""attributes":[],"body":{},"eventSourceARN":"nonsense""#,
        r#""attributes":{"SentTimestamp":"soon","ApproximateReceiveCount":null}"#,
        r#""body":"\ud800 TopicArn","eventSourceARN":["arn"]"#,
    ] {
        let reading = record(rest);
        assert_eq!(reading.records[0].sender, parent(TRACEPARENT), "{rest}");
        assert_eq!(reading.source, "sqs unknown");
    }
}

#[test]
fn thousands_of_baggage_members_are_dropped_and_the_trace_stays() {
    let many = (0..5_000).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    let too_long = format!("k={}", "v".repeat(10_000));
    for baggage in [many, too_long] {
        let reading = read(&json!({MEMBER: {"traceparent": TRACEPARENT, "baggage": baggage}}));
        assert_eq!(reading.sender, parent(TRACEPARENT));
    }
    let huge = json!({MEMBER: {"traceparent": TRACEPARENT, "more": "x".repeat(100_000)}});
    let reading = read(&huge);
    assert_eq!((&reading.sender, stripped(&reading)), (&None, Some("{}")), "not read, but still taken out");
}

#[test]
fn a_torn_event_is_survived() {
    for event in [sample!("sqs"), sample!("sns"), sample!("dynamodb"), sample!("http-api")] {
        let event = event.to_string();
        for at in 0..event.len() {
            assert!(is_unknown(&read_bytes(event[..at].to_owned())), "{}", &event[..at]);
        }
    }
}

/// Events of every known shape with members of any kind in their places.
fn any_event() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "aws:sqs",
            "aws:sns",
            "aws:kinesis",
            "aws:dynamodb",
            "POST",
            "POST /a",
            "REQUEST",
            "Query",
            "[::1]:80",
            "11803532876627986230",
            "Notification",
            "eyJ9",
            TRACEPARENT,
            "arn:aws:sns:eu-west-1:1:t",
            "arn:aws:kinesis:eu-west-1:1:stream/s",
            "2015-02-31T18:02:32.111Z",
            "9999-99-99T99:99:99Z",
            XRAY,
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "Records",
        "eventSource",
        "EventSource",
        "eventSourceARN",
        "messageAttributes",
        "traceparent",
        "stringValue",
        "attributes",
        "SentTimestamp",
        "AWSTraceHeader",
        "body",
        "Sns",
        "TopicArn",
        "Timestamp",
        "MessageAttributes",
        "kinesis",
        "data",
        "approximateArrivalTimestamp",
        "dynamodb",
        "NewImage",
        "OldImage",
        "M",
        "S",
        "N",
        "at",
        "ApproximateCreationDateTime",
        "requestContext",
        "http",
        "method",
        "routeKey",
        "httpMethod",
        "resource",
        "headers",
        "multiValueHeaders",
        "detail",
        "detail-type",
        "source",
        "resources",
        "baggage",
        "Message",
        "_datadog",
        "__context__",
        "x-datadog-trace-id",
        "x-correlation-id",
        "elb",
        "connectionId",
        "eventType",
        "serviceNetworkArn",
        "raw_path",
        "info",
        "parentTypeName",
        "fieldName",
        "request",
        "type",
        "methodArn",
        "requestHeaders",
        "protocolData",
        "identity",
        "host",
    ]);
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|members| members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_survived(event in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(read_bytes(event).stripped.is_none());
    }

    #[test]
    fn an_event_without_our_member_is_never_changed(event in any_event()) {
        prop_assert!(read(&event).stripped.is_none());
    }

    #[test]
    fn any_record_of_a_known_service_is_one_record(
        service in prop::sample::select(vec!["aws:sqs", "aws:sns", "aws:kinesis", "aws:dynamodb"]),
        rest in any_event(),
        body in any_event(),
    ) {
        let mut record = rest.as_object().cloned().unwrap_or_default();
        record.remove("EventSource");
        record.insert("eventSource".to_owned(), service.into());
        record.insert("body".to_owned(), body.to_string().into());
        for key in ["Sns", "kinesis", "dynamodb"] {
            record.insert(key.to_owned(), body.clone());
        }
        let reading = read(&json!({"Records": [record]}));
        prop_assert_eq!(reading.records.len(), 1);
        prop_assert!(reading.stripped.is_none());
    }
}
