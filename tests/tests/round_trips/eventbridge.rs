//! EventBridge: functions and queues that are targets of a rule, rules that choose, sizes.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::put_events::builders::PutEventsFluentBuilder;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use crate::bus::Bus;
use crate::check::{Seen, assert_child, consumer, injection, injections, outcome, producer};
use crate::emulator::{Emulator, clients, sdk};
use crate::function::{Call, Function};
use crate::proxy::Proxy;
use crate::queue::{Queue, process};

mod limits;

fn entry(bus: &Bus, detail: &str) -> PutEventsRequestEntry {
    let entry = PutEventsRequestEntry::builder().event_bus_name(&bus.name).source("shop");
    entry.detail_type("Order").resources("arn:aws:s3:::b").detail(detail).build()
}

/// Events with such details.
fn events(client: &Client, bus: &Bus, details: &[&str]) -> PutEventsFluentBuilder {
    let entries = details.iter().map(|detail| entry(bus, detail)).collect();
    client.put_events().set_entries(Some(entries))
}

/// An event as a rule delivered it to a queue.
fn delivered(message: &Value) -> Value {
    serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()
}

/// The same without what differs from one event to the next, and without us.
fn alike(mut event: Value) -> Value {
    let event_members = event.as_object_mut().unwrap();
    for name in ["id", "time", "ingestion-time"] {
        event_members.remove(name);
    }
    without_us(event)
}

fn without_us(mut event: Value) -> Value {
    if let Some(detail) = event["detail"].as_object_mut() {
        detail.remove("_throughline");
    }
    event
}

#[tokio::test]
async fn an_event_is_processed_in_its_senders_trace_by_a_function_and_through_a_queue() {
    let emulator = Emulator::start().await;
    let (bus, queue) = (Bus::new(&emulator).await, Queue::new(&emulator).await);
    bus.rule(&json!({ "source": ["shop"] }), &queue).await;
    let (traced, plain) = clients!(aws_sdk_eventbridge, sdk(&bus.endpoint).await);
    let detail = r#"{"a": 1.5, "b": "ü", "c": {"_throughline": 1}}"#;
    events(&plain, &bus, &[detail]).send().await.unwrap();
    let [without] = queue.expect(1).await.try_into().unwrap();

    let sender = Function::new();
    let call = events(&traced, &bus, &[detail]);
    let sent = sender.sends(async || call.send().await).await.unwrap();
    let join = format!("eventbridge:{}", sent.entries()[0].event_id().unwrap());
    let [received] = queue.expect(1).await.try_into().unwrap();
    let event = delivered(&received);
    assert_eq!(alike(event.clone()), alike(delivered(&without)));
    assert!(event["detail"]["_throughline"]["traceparent"].is_string());
    let producer = producer(&sender, &join);
    assert_eq!(injection(&producer), outcome("body", None));

    // A function that is the rule's target gets the event as it is.
    let receiver = Function::new();
    let seen = receiver
        .invoke(Call::of_bytes(event.to_string()), async |seen| {
            let seen: Value = serde_json::from_str(seen.get()).unwrap();
            assert_eq!(seen, without_us(event.clone()));
            Seen::now("", "")
        })
        .await;
    seen.assert_baggage();
    assert_child(&receiver, &consumer(&receiver, &join), &producer);

    let receiver = Function::new();
    let event = queue.event(std::slice::from_ref(&received));
    let [seen] = process(&receiver, &event).await.try_into().unwrap();
    seen.assert_baggage();
    assert_child(&receiver, &consumer(&receiver, &join), &producer);
}

#[tokio::test]
async fn each_event_of_a_request_has_a_sender_of_its_own() {
    let emulator = Emulator::start().await;
    let (bus, queue) = (Bus::new(&emulator).await, Queue::new(&emulator).await);
    bus.rule(&json!({ "source": ["shop"] }), &queue).await;
    let (traced, _) = clients!(aws_sdk_eventbridge, sdk(&bus.endpoint).await);
    let (sender, receiver) = (Function::new(), Function::new());
    let details: Vec<_> = (0..10).map(|n| json!({ "n": n }).to_string()).collect();
    let call = events(&traced, &bus, &details.iter().map(String::as_str).collect::<Vec<_>>());
    let sent = sender.sends(async || call.send().await).await.unwrap();

    let received = queue.expect(10).await;
    for seen in process(&receiver, &queue.event(&received)).await {
        seen.assert_baggage();
    }
    let mut spans = Vec::new();
    for (n, sent) in sent.entries().iter().enumerate() {
        let id = sent.event_id().unwrap();
        let received = received.iter().map(delivered).find(|event| event["id"] == id).unwrap();
        assert_eq!(without_us(received)["detail"], json!({ "n": n }));
        let producer = producer(&sender, &format!("eventbridge:{id}"));
        assert_child(&receiver, &consumer(&receiver, &format!("eventbridge:{id}")), &producer);
        spans.push(producer.span.span_id);
    }
    spans.sort_unstable();
    spans.dedup();
    assert_eq!(spans.len(), 10);
}

#[tokio::test]
async fn rules_choose_as_without_us() {
    let emulator = Emulator::start().await;
    for (pattern, chosen) in [
        (json!({ "source": ["shop"], "detail": { "kind": ["order"], "none": [{ "exists": false }] } }), 1),
        (json!({ "detail": { "kind": [{ "prefix": "ord" }], "price": [{ "numeric": [">", 1] }] } }), 1),
        (json!({ "detail-type": ["Order"], "detail": { "kind": ["refund"] } }), 0),
    ] {
        let (bus, queue) = (Bus::new(&emulator).await, Queue::new(&emulator).await);
        bus.rule(&pattern, &queue).await;
        let end = json!({ "source": ["shop"], "detail": { "end": ["yes"] } });
        bus.rule(&end, &queue).await;
        let (traced, plain) = clients!(aws_sdk_eventbridge, sdk(&bus.endpoint).await);
        let details = [r#"{"kind":"order","price":1.5}"#, r#"{"end":"yes"}"#];
        events(&plain, &bus, &details).send().await.unwrap();
        assert_eq!(queue.expect(chosen + 1).await.len(), chosen + 1, "{pattern}");
        let (sender, call) = (Function::new(), events(&traced, &bus, &details));
        sender.sends(async || call.send().await).await.unwrap();
        // The last event is there: whatever was chosen before it is, too.
        assert_eq!(queue.expect(chosen + 1).await.len(), chosen + 1, "{pattern}");
    }
}

#[tokio::test]
async fn a_detail_that_cannot_carry_it_arrives_as_it_is_and_the_header_names_the_sender() {
    let emulator = Emulator::start().await;
    let (bus, queue) = (Bus::new(&emulator).await, Queue::new(&emulator).await);
    bus.rule(&json!({ "source": ["shop"] }), &queue).await;
    let proxy = Proxy::flaky(0, &bus.endpoint).await;
    let (traced, plain) = clients!(aws_sdk_eventbridge, sdk(proxy.endpoint()).await);
    for (detail, expected) in [
        // AWS refuses all but objects; the emulators take any JSON.
        ("[1]", outcome("header", Some("not-json-object"))),
        ("text", outcome("header", Some("not-json-object"))),
        (r#"{"traceparent":"mine"}"#, outcome("none", Some("caller-set"))),
    ] {
        let without = events(&plain, &bus, &[detail]).send().await.unwrap();
        let (sender, call) = (Function::new(), events(&traced, &bus, &[detail]));
        let with = sender.sends(async || call.send().await).await.unwrap();
        assert_eq!(with.entries()[0].error_code(), without.entries()[0].error_code(), "{detail}");
        assert_eq!(injections(&sender), std::slice::from_ref(&expected));
        let sent = proxy.bodies().pop().unwrap();
        assert_eq!(sent["Entries"][0]["Detail"], detail);
        let Some(id) = with.entries()[0].event_id() else { continue };
        let [first, second] = queue.expect(2).await.try_into().unwrap();
        assert_eq!(delivered(&first)["detail"], delivered(&second)["detail"], "{detail}");
        let Some(header) = sent["Entries"][0]["TraceHeader"].as_str() else { continue };
        // The targets that are given the header are invoked in its trace; Lambda's own segment is their parent.
        let receiver = Function::new();
        let call = Call::of(&delivered(&second)).traced(header);
        receiver.invoke(call, async |_| ()).await;
        let producer = producer(&sender, &format!("eventbridge:{id}"));
        assert_eq!(receiver.invocation().span.trace_id, producer.span.trace_id);
    }
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let (bus, queue) = (Bus::new(&emulator).await, Queue::new(&emulator).await);
    bus.rule(&json!({ "source": ["shop"] }), &queue).await;
    let flaky = Proxy::flaky(2, &bus.endpoint).await;
    let (traced, _) = clients!(aws_sdk_eventbridge, sdk(flaky.endpoint()).await);
    let (sender, call) = (Function::new(), events(&traced, &bus, &["{}"]));
    let sent = sender.sends(async || call.send().await).await.unwrap();
    flaky.assert_same(3);
    let [received] = queue.expect(1).await.try_into().unwrap();
    let receiver = Function::new();
    process(&receiver, &queue.event(&[received])).await;
    let join = format!("eventbridge:{}", sent.entries()[0].event_id().unwrap());
    assert_child(&receiver, &consumer(&receiver, &join), &producer(&sender, &join));
}
