//! SNS: raw and wrapped delivery to queues, functions that subscribe, filter policies, the attribute ladder, sizes.

use aws_sdk_sns::Client;
use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use serde_json::{Value, json};

use crate::check::{Seen, assert_child, consumer, injection, outcome, producer};
use crate::emulator::{Emulator, clients, sdk, unique};
use crate::function::{Call, Function, TRACE, TRACESTATE};
use crate::proxy::Proxy;
use crate::queue::{Queue, process};
use crate::topic::{Delivery, event, join, published, subscribe, topic};

const KIB: usize = 1024;
const BOTH: [Delivery; 2] = [Delivery::Raw, Delivery::Wrapped];

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

/// A message that has so many attributes already.
fn message(client: &Client, topic: &str, body: &str, attributes: usize) -> PublishFluentBuilder {
    let call = client.publish().topic_arn(topic).message(body);
    (0..attributes).fold(call, |call, n| call.message_attributes(format!("own{n}"), text("x")))
}

/// The names of our attributes.
fn carried(attributes: &Value) -> Vec<&str> {
    let names = attributes.as_object().unwrap().keys().map(String::as_str);
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("own")).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_message_is_processed_in_its_senders_trace_raw_and_wrapped() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    for delivery in BOTH {
        let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
        subscribe(&plain, &topic, &queue, delivery, &[]).await;
        let (sender, receiver) = (Function::new(), Function::new());
        let body = "{\"a\": 1.50, \"b\":\"ü\"}\n";
        let number =
            MessageAttributeValue::builder().data_type("Number").string_value("1.50").build().unwrap();
        let mut call = message(&traced, &topic, body, 0).message_attributes("price", number);
        // moto cannot receive a binary attribute that was delivered raw; AWS does.
        let binary = !(emulator.is_moto() && delivery == Delivery::Raw);
        if binary {
            let blob = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new("\0x"));
            call = call.message_attributes("blob", blob.build().unwrap());
        }
        let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();

        let [received] = queue.receive().await.try_into().unwrap();
        let (text, envelope_id, attributes) = published(&received, delivery);
        assert_eq!(text, body);
        assert_eq!(envelope_id, (delivery == Delivery::Wrapped).then_some(id.clone()));
        assert_eq!(attributes["price"], json!(["Number", "1.50"]));
        assert_eq!(attributes["tracestate"], json!(["String", TRACESTATE]));
        let names = ["baggage", "blob", "price", "traceparent", "tracestate"];
        assert_eq!(
            carried(&attributes),
            names.into_iter().filter(|name| binary || *name != "blob").collect::<Vec<_>>()
        );
        let [seen] =
            process(&receiver, &queue.event(std::slice::from_ref(&received))).await.try_into().unwrap();
        assert_eq!(seen.payload, received["Body"].as_str().unwrap());
        seen.assert_baggage();
        let producer = producer(&sender, &format!("sns:{id}"));
        assert_eq!(injection(&producer), outcome("attributes", None));
        let join = join(&received, delivery);
        assert_child(&receiver, &consumer(&receiver, &join), &producer);
    }
}

#[tokio::test]
async fn a_function_that_subscribes_goes_on_with_the_transaction() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
    subscribe(&plain, &topic, &queue, Delivery::Wrapped, &[]).await;
    let (sender, receiver) = (Function::new(), Function::new());
    let call = message(&traced, &topic, "hello", 0).subject("greetings");
    let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();

    let [received] = queue.receive().await.try_into().unwrap();
    let event = event(&received);
    let seen = receiver
        .invoke(Call::of(&event), async |seen| {
            assert_eq!(seen.get(), event.to_string(), "the handler sees the event as it came");
            Seen::now(&id, "")
        })
        .await;
    seen.assert_baggage();
    let join = format!("sns:{id}");
    assert_child(&receiver, &consumer(&receiver, &join), &producer(&sender, &join));
}

#[tokio::test]
async fn never_more_than_ten_attributes_go_out_whichever_delivery_waits() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    for delivery in BOTH {
        let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
        subscribe(&plain, &topic, &queue, delivery, &[]).await;
        for (own, expected, outcome_of_all) in [
            (7, vec!["baggage", "traceparent", "tracestate"], outcome("attributes", None)),
            (8, vec!["traceparent", "tracestate"], outcome("attributes", Some("attributes-full"))),
            (9, vec!["traceparent"], outcome("attributes", Some("attributes-full"))),
            (10, vec![], outcome("none", Some("attributes-full"))),
            // AWS takes eleven and discards the message where delivery is raw. The emulators deliver it.
            (11, vec![], outcome("none", Some("attributes-full"))),
        ] {
            let (sender, receiver) = (Function::new(), Function::new());
            let without = message(&plain, &topic, "hello", own).send().await.is_ok();
            let without_received = queue.receive().await.len();
            let call = message(&traced, &topic, "hello", own);
            let sent = sender.sends(async || call.send().await).await;
            assert_eq!(sent.is_ok(), without, "{own}");
            let received = queue.receive().await;
            assert_eq!(received.len(), without_received, "{own} {delivery:?}");
            let (Ok(sent), [received]) = (sent, received.as_slice()) else { continue };
            assert_eq!(carried(&published(received, delivery).2), expected);
            let producer = producer(&sender, &format!("sns:{}", sent.message_id.unwrap()));
            assert_eq!(injection(&producer), outcome_of_all, "{own}");
            process(&receiver, &queue.event(std::slice::from_ref(received))).await;
            let join = join(received, delivery);
            if expected.is_empty() {
                // There was no room and SNS has no other place: the hop joins by the message's id, if the
                // envelope is there to say it.
                assert_ne!(consumer(&receiver, &join).span.trace_id, producer.span.trace_id);
            } else {
                assert_child(&receiver, &consumer(&receiver, &join), &producer);
            }
        }
    }
}

#[tokio::test]
async fn filter_policies_choose_as_without_us() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    let of_attributes =
        [("FilterPolicy", r#"{"kind":["order"],"own0":[{"exists":true}],"price":[{"numeric":[">",1]}]}"#)];
    let of_body =
        [("FilterPolicyScope", "MessageBody"), ("FilterPolicy", r#"{"kind":["order"],"express":["yes"]}"#)];
    for delivery in BOTH {
        for policy in [&of_attributes[..], &of_body] {
            let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
            subscribe(&plain, &topic, &queue, delivery, policy).await;
            for (kind, chosen) in [("order", 1), ("refund", 0)] {
                let body = json!({ "kind": kind, "express": "yes" }).to_string();
                let number = MessageAttributeValue::builder()
                    .data_type("Number")
                    .string_value("1.50")
                    .build()
                    .unwrap();
                let call = |client: &Client| {
                    let call = message(client, &topic, &body, 1).message_attributes("price", number.clone());
                    call.message_attributes("kind", text(kind))
                };
                call(&plain).send().await.unwrap();
                assert_eq!(queue.receive().await.len(), chosen, "{policy:?}");
                let (sender, receiver, call) = (Function::new(), Function::new(), call(&traced));
                // Quotes in a value would break the policies of SNS.
                let baggage = "tenant=acme,quoted=%22a%22%5C";
                let sent = sender.sends_in(TRACE, baggage, async || call.send().await).await.unwrap();
                let received = queue.receive().await;
                assert_eq!(received.len(), chosen, "{delivery:?} {policy:?}");
                let Some(received) = received.first() else { continue };
                let (text, _, attributes) = published(received, delivery);
                assert_eq!(text, body);
                for name in ["traceparent", "tracestate", "baggage"] {
                    assert!(!attributes[name][1].as_str().unwrap().contains(['"', '\\']), "{attributes}");
                }
                let [seen] = process(&receiver, &queue.event(std::slice::from_ref(received)))
                    .await
                    .try_into()
                    .unwrap();
                seen.assert_baggage();
                let producer = producer(&sender, &format!("sns:{}", sent.message_id.unwrap()));
                assert_child(&receiver, &consumer(&receiver, &join(received, delivery)), &producer);
            }
        }
    }
}

#[tokio::test]
async fn each_message_of_a_batch_has_a_sender_of_its_own() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    for delivery in BOTH {
        let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
        subscribe(&plain, &topic, &queue, delivery, &[]).await;
        let (sender, receiver) = (Function::new(), Function::new());
        let entries = (0..10).map(|n| {
            PublishBatchRequestEntry::builder()
                .id(n.to_string())
                .message(format!("body {n}"))
                .build()
                .unwrap()
        });
        let call = traced
            .publish_batch()
            .topic_arn(&topic)
            .set_publish_batch_request_entries(Some(entries.collect()));
        let sent = sender.sends(async || call.send().await).await.unwrap();
        let received = queue.receive().await;
        assert_eq!((sent.successful().len(), received.len()), (10, 10));

        for seen in process(&receiver, &queue.event(&received)).await {
            seen.assert_baggage();
            let received = received.iter().find(|received| received["MessageId"] == *seen.id).unwrap();
            let (text, ..) = published(received, delivery);
            let sent =
                sent.successful().iter().find(|sent| text == format!("body {}", sent.id().unwrap())).unwrap();
            let producer = producer(&sender, &format!("sns:{}", sent.message_id().unwrap()));
            let record = consumer(&receiver, &join(received, delivery));
            assert!(!record.is_invocation());
            assert_child(&receiver, &record, &producer);
        }
        let mut spans: Vec<_> = sender.spans().into_iter().map(|span| span.span.span_id).collect();
        spans.sort_unstable();
        spans.dedup();
        assert_eq!(spans.len(), 12, "the invocation, the call, and a span for each of ten");
    }
}

#[tokio::test]
async fn a_message_at_its_limit_is_taken_with_us_if_it_is_without() {
    const LIMIT: usize = 256 * KIB;
    const TRACEPARENT: usize = "traceparent".len() + "String".len() + 55;
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
    subscribe(&plain, &topic, &queue, Delivery::Raw, &[]).await;
    for (length, expected) in [
        (LIMIT - 2 * KIB, outcome("attributes", None)),
        (LIMIT - TRACEPARENT, outcome("attributes", Some("too-large"))),
        (LIMIT - TRACEPARENT + 1, outcome("none", Some("too-large"))),
        (LIMIT, outcome("none", Some("too-large"))),
        // AWS refuses it unless the topic allows more; then there is room again, up to 1 MiB.
        (LIMIT + 1, outcome("attributes", None)),
    ] {
        let body = "x".repeat(length);
        let without = message(&plain, &topic, &body, 0).send().await;
        assert_eq!(without.is_ok(), length <= LIMIT, "{length}: {without:?}");
        let (sender, call) = (Function::new(), message(&traced, &topic, &body, 0));
        let with = sender.sends(async || call.send().await).await;
        assert_eq!(with.is_ok(), without.is_ok(), "{length}: {with:?}");
        let received = queue.receive().await;
        assert_eq!(received.len(), if with.is_ok() { 2 } else { 0 });
        let span = sender.spans_where(|span| span.attribute("throughline.injected").is_some()).remove(0);
        assert_eq!(injection(&span), expected, "{length}");
    }
}

#[tokio::test]
async fn a_fifo_topic_deduplicates_by_content_as_without_us() {
    let emulator = Emulator::start().await;
    let (traced, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    let queue = Queue::fifo(&emulator).await;
    let call = plain.create_topic().name(format!("{}.fifo", unique("orders")));
    let call = call.attributes("FifoTopic", "true").attributes("ContentBasedDeduplication", "true");
    let topic = call.send().await.unwrap().topic_arn.unwrap();
    subscribe(&plain, &topic, &queue, Delivery::Raw, &[]).await;
    let call = |client: &Client, body: &str| message(client, &topic, body, 0).message_group_id("g");
    for _ in 0..2 {
        call(&plain, "without").send().await.unwrap();
    }
    assert_eq!(queue.receive().await.len(), 1);
    let (sender, receiver) = (Function::new(), Function::new());
    for _ in 0..2 {
        let call = call(&traced, "with");
        sender.sends(async || call.send().await).await.unwrap();
    }
    let [seen] = queue.deliver(&receiver).await.try_into().unwrap();
    assert_eq!(seen.payload, "with");
    seen.assert_baggage();
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let (_, plain) = clients!(aws_sdk_sns, emulator.sdk().await);
    let (queue, topic) = (Queue::new(&emulator).await, topic(&plain).await);
    subscribe(&plain, &topic, &queue, Delivery::Raw, &[]).await;
    let flaky = Proxy::flaky(2, emulator.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_sns, sdk(flaky.endpoint()).await);
    let (sender, receiver) = (Function::new(), Function::new());
    let call = message(&traced, &topic, "hello", 0);
    let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();
    flaky.assert_same(3);
    let [seen] = queue.deliver(&receiver).await.try_into().unwrap();
    let producer = producer(&sender, &format!("sns:{id}"));
    assert_child(&receiver, &consumer(&receiver, &format!("sqs:{}", seen.id)), &producer);
}
