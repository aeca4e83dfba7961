use std::collections::HashMap;

use serde_json::{Value, json};

use crate::propagation::{Baggage, MEMBER};
use crate::settings::Trust;
use crate::span::SpanKind;
use crate::triggers::tests::*;
use crate::triggers::{self, Caller, Reading};

fn invoke(event: &Value, custom: &[(&str, &str)], trust: Trust) -> Reading {
    let custom: HashMap<String, String> =
        custom.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    triggers::read(
        &event.to_string().into(),
        &Caller { custom: Some(&custom), request_id: None },
        &settings(trust),
    )
}

#[test]
fn the_first_carrier_wins() {
    let ours = json!({"traceparent": OTHER, "baggage": "user.id=u-1"});
    let trusted = Some(triggers::Sender::Parent(context(OTHER, Some("user.id=u-1"))));
    let user = triggers::Sender::Ids(Baggage::parse("user.id=u-1"));
    for (event, custom, sender, why) in [
        (json!({MEMBER: ours}), vec![("traceparent", TRACEPARENT)], parent(TRACEPARENT), "client context"),
        (json!({MEMBER: ours}), vec![("traceparent", "what")], trusted.clone(), "payload"),
        (json!({"traceparent": OTHER, "baggage": "user.id=u-1"}), vec![], trusted, "top level"),
        (json!({MEMBER: 1, "traceparent": TRACEPARENT}), vec![], parent(TRACEPARENT), "the next, if wrong"),
        (json!({"headers": {"Traceparent": OTHER, "baggage": "user.id=u-1"}}), vec![], parent(OTHER), "edge"),
        (json!("text"), vec![("traceparent", TRACEPARENT)], parent(TRACEPARENT), "any payload"),
        (json!({"order": 1}), vec![("baggage", "user.id=u-1")], Some(user), "baggage alone"),
    ] {
        assert_eq!(invoke(&event, &custom, Trust::Trace).sender, sender, "{why}");
    }
    let edge = json!({"headers": {"traceparent": OTHER}});
    assert_eq!(invoke(&edge, &[], Trust::None).sender, link(OTHER));
}

#[test]
fn the_event_of_a_service_that_a_function_hands_on_is_from_that_function() {
    let ours = json!({"traceparent": OTHER, "baggage": "user.id=u-1"});
    let sender = Some(triggers::Sender::Parent(context(OTHER, Some("user.id=u-1"))));
    for event in
        [sample!("sqs"), sample!("kinesis"), sample!("s3"), sample!("http-api"), sample!("eventbridge")]
    {
        let as_it_came = read(&event);
        let mut handed_on = event.clone();
        handed_on[MEMBER] = ours.clone();
        let reading = invoke(&handed_on, &[], Trust::Trace);
        assert_eq!((&reading.sender, reading.source.as_str()), (&sender, as_it_came.source.as_str()));
        assert_eq!(stripped(&reading), Some(event.to_string().as_str()));
        let beside = invoke(&event, &[("traceparent", TRACEPARENT)], Trust::None);
        assert_eq!((beside.sender, beside.stripped), (parent(TRACEPARENT), None), "in the client context");
    }
    let mut both = sample!("eventbridge");
    let without = both.to_string();
    both["detail"][MEMBER] = json!({"traceparent": TRACEPARENT});
    both[MEMBER] = ours;
    let reading = invoke(&both, &[], Trust::Trace);
    assert_eq!((&reading.sender, stripped(&reading)), (&sender, Some(without.as_str())));
}

#[test]
fn our_member_is_taken_out_of_the_payload_alone() {
    let event = json!({"order": {MEMBER: 1}, MEMBER: {"traceparent": TRACEPARENT}, "z": 1});
    let reading = invoke(&event, &[], Trust::Trace);
    assert_eq!(stripped(&reading), Some(json!({"order": {MEMBER: 1}, "z": 1}).to_string().as_str()));
    assert_eq!(
        (reading.trigger, reading.kind, reading.source.as_str()),
        ("other", SpanKind::Server, "invoke")
    );
    assert_eq!(invoke(&json!({"order": {MEMBER: 1}}), &[], Trust::Trace).stripped, None);
}

#[test]
fn services_that_are_not_known_yet_are_called_by_their_name() {
    assert_eq!(read(&json!({"Records": [{"eventSource": "aws:codecommit"}]})).source, "codecommit");
    assert_eq!(read(&json!({"Records": [{"eventSource": "aws:"}]})).source, "invoke");
    assert_eq!(read(&json!({"Records": [{"eventSource": "aws:a b"}]})).source, "invoke");
}

#[test]
fn an_http_service_that_is_not_known_has_headers_that_are_read() {
    let mut event = sample!("alb");
    event["requestContext"] = json!({"service": {}});
    event["multiValueHeaders"]["traceparent"] = json!([TRACEPARENT]);
    let reading = read(&event);
    assert_eq!((reading.trigger, reading.sender), ("other", parent(TRACEPARENT)));
}
