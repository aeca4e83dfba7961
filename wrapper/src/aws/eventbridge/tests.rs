use aws_smithy_types::DateTime;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value as Json, json};

use super::*;
use crate::aws::testing::{Lambda, Service as Answers, attribute, client, injection, traceparent};

fn entry(detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder().source("shop").detail_type("Order").detail(detail).build()
}

fn request(entries: Vec<PutEventsRequestEntry>) -> PutEventsInput {
    PutEventsInput::builder().set_entries(Some(entries)).build().unwrap()
}

/// The event as it is sent, and its own span.
fn inject_one(entry: PutEventsRequestEntry) -> (PutEventsRequestEntry, Span) {
    let (input, spans) = Lambda::new().inject("EventBridge", "PutEvents", request(vec![entry]));
    (input.entries()[0].clone(), spans.into_iter().nth(1).unwrap())
}

fn carried(entry: &PutEventsRequestEntry) -> Option<String> {
    let detail: Json = serde_json::from_str(entry.detail()?).ok()?;
    detail["_throughline"]["traceparent"].as_str().map(str::to_owned)
}

#[test]
fn the_detail_and_the_header_carry_the_context() {
    let (sent, span) = inject_one(entry(r#"{"order": 1.0}"#));
    assert!(sent.detail().unwrap().starts_with(r#"{"order": 1.0,"_throughline":{"#));
    assert_eq!(carried(&sent), Some(traceparent(&span)));
    assert!(sent.trace_header().unwrap().contains(&traceparent(&span)[36..52]));
    assert_eq!(injection(&span), ("body".to_owned(), None));
    assert_eq!((span.name.as_str(), span.kind()), ("create default", SpanKind::Producer));
}

#[test]
fn a_detail_that_is_no_object_has_the_header_alone() {
    for detail in ["[1]", "text", ""] {
        let (sent, span) = inject_one(entry(detail));
        assert_eq!(sent.detail(), Some(detail));
        assert!(sent.trace_header().is_some());
        assert_eq!(injection(&span), ("header".to_owned(), Some("not-json-object".to_owned())));
    }
}

#[test]
fn what_the_caller_set_stays() {
    let own = entry(r#"{"traceparent":"mine"}"#);
    let (sent, span) = inject_one(own.clone());
    assert_eq!(sent, own);
    assert_eq!(injection(&span), ("none".to_owned(), Some("caller-set".to_owned())));

    let mut own = entry("{}");
    own.trace_header = Some("Root=mine".to_owned());
    let (sent, span) = inject_one(own);
    assert_eq!(sent.trace_header(), Some("Root=mine"));
    assert_eq!(carried(&sent), Some(traceparent(&span)));
}

#[test]
fn a_header_that_is_too_long_is_left_out() {
    let mut sent = entry("text");
    let mut hop = Hop {
        carrier: crate::propagation::Carrier { traceparent: "t".to_owned(), tracestate: None, baggage: None },
        xray: "x".repeat(MAX_HEADER),
    };
    assert_eq!(write(&mut sent, &hop, 1000).injected, Injected::Header);
    let mut sent = entry("text");
    hop.xray.push('x');
    assert_eq!(write(&mut sent, &hop, 1000), Outcome::skipped(Skipped::NotJsonObject));
    assert_eq!(sent.trace_header(), None);
}

#[test]
fn an_event_counts_as_aws_counts_it() {
    let mut event = entry("{}");
    event.resources = Some(vec!["arn:1".to_owned(), "arn:é".to_owned()]);
    assert_eq!(size(&event), "shop".len() + "Order".len() + "{}".len() + 5 + 6);
    event.time = Some(DateTime::from_secs(1));
    event.trace_header = Some("Root=1".to_owned());
    event.event_bus_name = Some("orders".to_owned());
    assert_eq!(size(&event), "shop".len() + "Order".len() + "{}".len() + 5 + 6 + 14);
}

#[test]
fn at_and_over_each_limit() {
    // What the context takes beside an object that has a member.
    let (sent, _) = inject_one(entry(r#"{"a":1}"#));
    let added = sent.detail().unwrap().len() - r#"{"a":1}"#.len();
    // The first of two events fills the request but for the envelope and so many bytes.
    for limit in LIMITS {
        for (room, expected) in [
            (2 * added, ["body", "body"]),
            (2 * added - 1, ["body", "header"]),
            (added, ["body", "header"]),
            (added - 1, ["header", "header"]),
            (0, ["header", "header"]),
        ] {
            let second = entry(r#"{"a":1}"#);
            let mut first = entry(r#"{"a":""}"#);
            let fill = limit - ENVELOPE - room - size(&first) - size(&second);
            first.detail = Some(format!(r#"{{"a":"{}"}}"#, "x".repeat(fill)));
            let (input, spans) =
                Lambda::new().inject("EventBridge", "PutEvents", request(vec![first, second]));
            let total: usize = input.entries().iter().map(size).sum();
            assert!(total <= limit - ENVELOPE, "{total} over {limit}");
            let [_, first, second] = spans.try_into().unwrap();
            for (span, expected) in [first, second].iter().zip(expected) {
                let why = (expected == "header").then(|| "too-large".to_owned());
                assert_eq!(injection(span), (expected.to_owned(), why), "{room} under {limit}");
            }
        }
    }
}

#[test]
fn events_for_several_buses_have_each_its_own_name() {
    let bus = |name: Option<&str>| {
        let mut event = entry("{}");
        event.event_bus_name = name.map(str::to_owned);
        event
    };
    let arn = "arn:aws:events:eu-west-1:123456789012:event-bus/orders";
    for (buses, names) in [
        (vec![Some("orders"), Some(arn)], ["send orders", "create orders", "create orders"]),
        (vec![Some("orders"), None], ["send", "create orders", "create default"]),
    ] {
        let input = request(buses.into_iter().map(bus).collect());
        let (input, spans) = Lambda::new().inject("EventBridge", "PutEvents", input);
        assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(attribute(&spans[0], "messaging.batch.message_count").as_deref(), Some("2"));
        for (event, span) in input.entries().iter().zip(&spans[1..]) {
            assert_eq!(carried(event), Some(traceparent(span)));
        }
    }
}

#[tokio::test]
async fn events_go_out_with_the_context_alone_added_and_join_by_their_ids() {
    let answer = r#"{"FailedEntryCount":1,"Entries":[{"EventId":"e-1"},
        {"ErrorCode":"ThrottlingException","ErrorMessage":"slow down"}]}"#;
    let service = Answers::answering([(200, answer), (200, answer)]);
    let (lambda, client) = (Lambda::new(), client!(aws_sdk_eventbridge, service));
    let call = || client.put_events().entries(entry(r#"{"a":1}"#)).entries(entry(r#"{"b":2}"#)).send();
    call().await.unwrap();
    lambda.run(call()).await.unwrap();

    let [send, sent, refused] = lambda.spans().try_into().unwrap();
    assert_eq!((send.name.as_str(), send.kind()), ("send default", SpanKind::Producer));
    for (key, value) in [
        ("rpc.method", "EventBridge/PutEvents"),
        ("messaging.system", "aws.eventbridge"),
        ("messaging.destination.name", "default"),
        ("cloud.region", "eu-west-1"),
        ("server.address", "events.eu-west-1.amazonaws.com"),
    ] {
        assert_eq!(attribute(&send, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(attribute(&sent, "throughline.join.out").as_deref(), Some("eventbridge:e-1"));
    assert_eq!(attribute(&sent, "messaging.message.id").as_deref(), Some("e-1"));
    assert_eq!(attribute(&refused, "error.type").as_deref(), Some("ThrottlingException"));

    let [plain, with_us] = service.requests().try_into().unwrap();
    let mut body = with_us.json();
    for (entry, span) in body["Entries"].as_array_mut().unwrap().iter_mut().zip([&sent, &refused]) {
        let header = entry.as_object_mut().unwrap().remove("TraceHeader").unwrap();
        assert!(header.as_str().unwrap().contains(&traceparent(span)[36..52]));
        let mut detail: Json = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        let ours = detail.as_object_mut().unwrap().remove("_throughline").unwrap();
        assert_eq!(ours["traceparent"], traceparent(span));
        entry["Detail"] = json!(detail.to_string());
    }
    assert_eq!(body, plain.json());
}
