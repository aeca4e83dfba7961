//! What is cut out of events of every shape: our members wherever they are ours, and not a byte more. That an object is
//! left as it should be is held against `serde_json`, and an object in an event against that object alone.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::kinesis::aggregate;
use super::scan::tests::any_json;
use super::tests::{read_bytes, stripped};
use crate::propagation::MEMBER;

/// What stands round an object in an event, from the inside out.
type Place = &'static [Layer];

enum Layer {
    /// Text before it and after it.
    Between(&'static str, &'static str),
    /// It is the text of a string.
    Text,
    /// It is data in Base64, in a string.
    Base64,
    /// It is one part of what the Kinesis Producer Library aggregated.
    Aggregated,
}
use Layer::{Aggregated, Base64, Between, Text};

const BUS: Layer = Between(r#"{"id":"1", "source":"a","detail-type":"b","detail": "#, " }");
const TOPIC: Layer = Between(
    r#"{"Type":"Notification","TopicArn":"arn:aws:sns:eu-west-1:1:t","MessageId":"m","Message":"#,
    "}",
);
const SQS: Layer =
    Between(r#"{"Records":[{"eventSource":"aws:sqs"},{"eventSource":"aws:sqs","body":"#, r#","x":"1"} ]}"#);
const SNS: Layer = Between(r#"{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"#, "}}]}\n");
const KINESIS: Layer =
    Between(r#"{"Records":[{"kinesis":{"data": "#, r#","x":"1"},"eventSource":"aws:kinesis"}]}"#);
const FIREHOSE: Layer =
    Between(r#"{"deliveryStreamArn":"arn","records":[{"recordId":"1"},{"data":"#, r#"}],"x":1}"#);

/// Every place where an object may have our member.
const PLACES: [Place; 13] = [
    &[],
    &[Between(" \n", "\t")],
    &[BUS],
    &[Between(r#"{"Records":[{"eventSource":"aws:dynamodb","dynamodb":{"NewImage":"#, r#","x":1}}]}"#)],
    &[Between(r#"{"Records":[{"dynamodb":{"OldImage": "#, r#" },"eventSource":"aws:dynamodb"}]}"#)],
    &[BUS, Text, SQS],
    &[BUS, Text, TOPIC, Text, SQS],
    &[BUS, Text, SNS],
    &[Base64, KINESIS],
    &[BUS, Base64, KINESIS],
    &[Aggregated, Base64, KINESIS],
    &[BUS, Aggregated, Base64, KINESIS],
    &[Base64, FIREHOSE],
];

fn put(object: &str, place: Place) -> String {
    let bytes = place.iter().fold(object.as_bytes().to_vec(), |inner, layer| match layer {
        Between(before, after) => [before.as_bytes(), &inner, after.as_bytes()].concat(),
        Text => Value::from(text(inner)).to_string().into_bytes(),
        Base64 => format!("\"{}\"", BASE64_STANDARD.encode(inner)).into_bytes(),
        Aggregated => aggregate(&[b"plain".as_slice(), &inner, b"{\"x\":1}"]),
    });
    text(bytes)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Members as they are written, with their names unread.
type Members = Vec<(String, String)>;

fn any_members() -> impl Strategy<Value = Members> {
    let ours = format!("\"{MEMBER}\"");
    let others =
        ["\"a\"", "\"é\"", r#""\u005fthroughline""#, r#""\"_throughline""#, "\"_throughline2\"", "\"\""];
    let name = prop_oneof![
        2 => Just(ours.clone()),
        3 => prop::sample::select(others.map(str::to_owned).to_vec()),
    ];
    let value = prop_oneof![
        // A number that is too large for `serde_json` is none for a handler either.
        3 => any_json().prop_map(|json| json.replace("1e999", "1")),
        1 => Just(format!("{{{ours}:{{}}, \"b\" : {ours}}}")),
    ];
    let empty = (name.clone(), Just("{}".to_owned()));
    prop_oneof![
        9 => prop::collection::vec((name, value), 0..7),
        // More than are kept while they are read.
        1 => prop::collection::vec(empty, 1..4).prop_map(|some| vec![some; 150].concat()),
    ]
}

fn is_ours(name: &str) -> bool {
    name == format!("\"{MEMBER}\"")
}

fn object<'a>(members: impl IntoIterator<Item = &'a (String, String)>, space: &str) -> String {
    let members =
        members.into_iter().map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The event as the handler gets it.
fn seen(event: &str) -> String {
    let reading = read_bytes(event.to_owned());
    stripped(&reading).unwrap_or(event).to_owned()
}

proptest! {
    #[test]
    fn an_object_is_left_without_our_members_and_every_other_as_it_was(
        members in any_members(), space in "[ \t\r\n]{0,2}",
    ) {
        let left = seen(&object(&members, &space));
        let kept: Vec<_> = members.iter().filter(|(name, _)| !is_ours(name)).collect();
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        prop_assert_eq!(value(&left), value(&object(kept.iter().copied(), &space)));
        let mut rest = left.as_str();
        for (name, value) in kept {
            let member = format!("{name}{space}:{space}{value}");
            let at = rest.find(&member).unwrap();
            rest = &rest[at + member.len()..];
        }
    }

    #[test]
    fn so_it_is_in_an_event_of_any_shape_and_the_event_stays_as_it_was(
        members in any_members(), space in "[ \t\r\n]{0,2}",
    ) {
        let object = object(&members, &space);
        for place in PLACES {
            prop_assert_eq!(seen(&put(&object, place)), put(&seen(&object), place));
        }
    }

    #[test]
    fn of_two_objects_in_one_event_each_is_cut_by_itself(
        one in any_members(), two in any_members(), space in "[ \t\r\n]{0,2}",
    ) {
        let images = |[first, second]: [&str; 2], one: &str, two: &str| {
            format!(r#"{{"Records":[{{"eventSource":"aws:dynamodb","dynamodb":{{"{first}":{one}, "{second}":{two}}}}}]}}"#)
        };
        let (first, second) = (object(&one, &space), object(&two, &space));
        let (first_left, second_left) = (seen(&first), seen(&second));
        for names in [["NewImage", "OldImage"], ["OldImage", "NewImage"]] {
            let event = images(names, &first, &second);
            prop_assert_eq!(seen(&event), images(names, &first_left, &second_left));
        }

        // An event of a bus with members of ours beside its `detail` too.
        let bus = |detail: &str| {
            let own = [("id", "\"1\""), ("source", "\"a\""), ("detail-type", "\"b\""), ("detail", detail)];
            let own = own.map(|(name, value)| (format!("\"{name}\""), value.to_owned()));
            let middle = one.len() / 2;
            [&one[..middle], &own, &one[middle..]].concat()
        };
        let kept = |members: Members| -> Members {
            members.into_iter().filter(|(name, _)| !is_ours(name)).collect()
        };
        // Without white space nothing else is left of a member.
        let (with, without) = (object(&bus(&second), ""), object(&kept(bus(&second_left)), ""));
        for place in [&[Base64, KINESIS][..], &[Aggregated, Base64, KINESIS], &[Base64, FIREHOSE]] {
            prop_assert_eq!(seen(&put(&with, place)), put(&without, place));
        }
    }
}
