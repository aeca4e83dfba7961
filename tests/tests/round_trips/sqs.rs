//! SQS: attributes and their ladder, sizes, batches, FIFO queues, retries.

mod limits;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use serde_json::Value;

use crate::check::{assert_child, consumer, injection, outcome, producer};
use crate::emulator::{Emulator, clients, sdk};
use crate::function::{Call, Function, TRACE, TRACESTATE};
use crate::proxy::Proxy;
use crate::queue::{Queue, process};

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

fn entry(id: usize, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(body).build().unwrap()
}

/// A message that has so many attributes already.
fn message(client: &Client, queue: &Queue<'_>, body: &str, attributes: usize) -> SendMessageFluentBuilder {
    let call = client.send_message().queue_url(&queue.url).message_body(body);
    (0..attributes).fold(call, |call, n| call.message_attributes(format!("own{n}"), text("x")))
}

/// The names of our attributes on a message.
fn carried(message: &Value) -> Vec<&str> {
    let names = message["MessageAttributes"].as_object().into_iter().flatten();
    let mut names: Vec<_> =
        names.map(|(name, _)| name.as_str()).filter(|name| !name.starts_with("own")).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_message_is_processed_in_its_senders_trace() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let (sender, receiver) = (Function::new(), Function::new());
    let body = "{\"a\": 1.50, \"b\":\"ü\"}\n";
    let call = message(&traced, &queue, body, 0);
    let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();

    let [seen] = queue.deliver(&receiver).await.try_into().unwrap();
    assert_eq!((seen.id.as_str(), seen.payload.as_str()), (id.as_str(), body));
    seen.assert_baggage();
    let join = format!("sqs:{id}");
    let producer = producer(&sender, &join);
    assert_eq!(injection(&producer), outcome("attributes", None));
    assert_eq!(producer.span.parent_span_id, sender.invocation().span.span_id);
    let record = consumer(&receiver, &join);
    assert_child(&receiver, &record, &producer);
    assert_eq!(record.span.trace_state, TRACESTATE);
}

#[tokio::test]
async fn attributes_are_given_up_one_by_one_and_the_hop_stays() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sqs, emulator.sdk().await);
    for (own, expected, outcome_of_all) in [
        (7, vec!["baggage", "traceparent", "tracestate"], outcome("attributes", None)),
        (8, vec!["traceparent", "tracestate"], outcome("attributes", Some("attributes-full"))),
        (9, vec!["traceparent"], outcome("attributes", Some("attributes-full"))),
        (10, vec![], outcome("header", Some("attributes-full"))),
    ] {
        let (sender, receiver) = (Function::new(), Function::new());
        let call = message(&traced, &queue, "hello", own);
        let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();
        let [received] = queue.receive().await.try_into().unwrap();
        assert_eq!(carried(&received), expected);
        let seen = process(&receiver, &queue.event(&[received])).await;
        assert_eq!(seen[0].payload, "hello");
        let producer = producer(&sender, &format!("sqs:{id}"));
        assert_eq!(injection(&producer), outcome_of_all);
        // Without an attribute `AWSTraceHeader` still names the sender.
        assert_child(&receiver, &consumer(&receiver, &format!("sqs:{id}")), &producer);
        assert_eq!(seen[0].tenant.is_some(), expected.contains(&"baggage"));
    }
    // AWS refuses eleven; neither emulator does (moto 5.2, rustack 0.12). Nothing is added to them.
    let sender = Function::new();
    let without = message(&plain, &queue, "hello", 11).send().await.is_ok();
    let call = message(&traced, &queue, "hello", 11);
    assert_eq!(sender.sends(async || call.send().await).await.is_ok(), without);
    for received in queue.receive().await {
        assert_eq!(carried(&received), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn attributes_of_the_caller_stay_as_they_are() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let (sender, receiver) = (Function::new(), Function::new());
    let own = format!("00-{TRACE}-aaaaaaaaaaaaaaaa-01");
    let binary = MessageAttributeValue::builder()
        .data_type("Binary.png")
        .binary_value(Blob::new(b"\0\xff"))
        .build()
        .unwrap();
    let number = MessageAttributeValue::builder().data_type("Number").string_value("1.50").build().unwrap();
    let call = message(&traced, &queue, "hello", 0)
        .message_attributes("traceparent", text(&own))
        .message_attributes("picture", binary)
        .message_attributes("price", number);
    let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();

    let [received] = queue.receive().await.try_into().unwrap();
    assert_eq!(carried(&received), ["picture", "price", "traceparent"]);
    let attributes = &received["MessageAttributes"];
    assert_eq!(attributes["picture"]["BinaryValue"], "AP8=");
    assert_eq!(attributes["picture"]["DataType"], "Binary.png");
    assert_eq!(
        (attributes["price"]["StringValue"].as_str(), attributes["price"]["DataType"].as_str()),
        (Some("1.50"), Some("Number"))
    );
    assert_eq!(injection(&producer(&sender, &format!("sqs:{id}"))), outcome("none", Some("caller-set")));
    process(&receiver, &queue.event(&[received])).await;
    assert_eq!(receiver.invocation().span.parent_span_id, [0xaa; 8]);
}

#[tokio::test]
async fn each_message_of_a_batch_has_a_sender_of_its_own() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, _) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let (sender, receiver) = (Function::new(), Function::new());
    let entries = (0..10).map(|n| entry(n, &format!("body {n}"))).collect();
    let call = traced.send_message_batch().queue_url(&queue.url).set_entries(Some(entries));
    let sent = sender.sends(async || call.send().await).await.unwrap();
    assert_eq!(sent.successful.len(), 10);

    let seen = queue.deliver(&receiver).await;
    let mut spans = Vec::new();
    for sent in sent.successful {
        let join = format!("sqs:{}", sent.message_id);
        let producer = producer(&sender, &join);
        assert_eq!(injection(&producer), outcome("attributes", None));
        assert_child(&receiver, &consumer_of(&receiver, &join), &producer);
        let seen = seen.iter().find(|seen| seen.id == sent.message_id).unwrap();
        assert_eq!(seen.payload, format!("body {}", sent.id));
        seen.assert_baggage();
        spans.push(producer.span.span_id);
    }
    spans.sort_unstable();
    spans.dedup();
    assert_eq!(spans.len(), 10);
}

/// The span of a record in a batch of several.
fn consumer_of(receiver: &Function, join: &str) -> throughline_tests::spans::Arrived {
    let span = consumer(receiver, join);
    assert!(!span.is_invocation());
    span
}

#[tokio::test]
async fn records_of_several_traces_each_stay_in_their_own() {
    const OTHER: &str = "0af7651916cd43dd8448eb211c80319c";
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let (sender, receiver) = (Function::new(), Function::new());
    let mut joins = Vec::new();
    for (trace, baggage) in [(TRACE, "tenant=acme"), (OTHER, "tenant=umbrella")] {
        let call = message(&traced, &queue, baggage, 0);
        let sent = sender.sends_in(trace, baggage, async || call.send().await).await.unwrap();
        joins.push(format!("sqs:{}", sent.message_id.unwrap()));
    }
    message(&plain, &queue, "nobody", 0).send().await.unwrap();

    for seen in queue.deliver(&receiver).await {
        assert_eq!(seen.payload.strip_prefix("tenant="), seen.tenant.as_deref());
    }
    for join in joins {
        assert_child(&receiver, &consumer_of(&receiver, &join), &producer(&sender, &join));
    }
    // The invocation is in neither and linked to both.
    assert_eq!(receiver.invocation().span.links.len(), 2);
}

#[tokio::test]
async fn a_handler_that_loops_over_a_mixed_batch_sends_in_a_trace_of_its_own_and_for_nobody() {
    const OTHER: &str = "0af7651916cd43dd8448eb211c80319c";
    let emulator = Emulator::start().await;
    let (queue, next) = (Queue::new(&emulator).await, Queue::new(&emulator).await);
    let (traced, _) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let (sender, looping, last) = (Function::new(), Function::new(), Function::new());
    for (trace, baggage) in [(TRACE, "tenant=acme"), (OTHER, "tenant=umbrella")] {
        let call = message(&traced, &queue, baggage, 0);
        sender.sends_in(trace, baggage, async || call.send().await).await.unwrap();
    }

    let event = queue.event(&queue.receive().await);
    looping
        .invoke(Call::of(&event), async |_| {
            for body in ["one", "two"] {
                message(&traced, &next, body, 0).send().await.unwrap();
            }
        })
        .await;
    for seen in next.deliver(&last).await {
        assert_eq!(seen.tenant, None, "{seen:?}");
        let join = format!("sqs:{}", seen.id);
        let sent = producer(&looping, &join);
        assert_eq!(sent.span.parent_span_id, looping.invocation().span.span_id);
        assert_child(&last, &consumer(&last, &join), &sent);
    }
    // In neither of the records' traces, and linked to both.
    let invocation = looping.invocation().span;
    assert_eq!(invocation.links.len(), 2);
    assert!(invocation.links.iter().all(|link| link.trace_id != invocation.trace_id));
}

#[tokio::test]
async fn a_fifo_queue_deduplicates_by_content_as_without_us() {
    let emulator = Emulator::start().await;
    let queue = Queue::fifo(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let call = |client: &Client, body: &str| message(client, &queue, body, 0).message_group_id("g");
    for _ in 0..2 {
        call(&plain, "without").send().await.unwrap();
    }
    let without = queue.receive().await;
    assert_eq!(without.len(), 1);

    let (sender, receiver) = (Function::new(), Function::new());
    let mut ids = Vec::new();
    for _ in 0..2 {
        // Two invocations: what travels with the second message differs from what travels with the first.
        let call = call(&traced, "with");
        ids.push(sender.sends(async || call.send().await).await.unwrap().message_id.unwrap());
    }
    let received = queue.receive().await;
    assert_eq!(received.len(), 1, "deduplicated as without us");
    let first = format!("sqs:{}", ids[0]);
    let [seen] = process(&receiver, &queue.event(&received)).await.try_into().unwrap();
    assert_eq!((seen.payload.as_str(), &seen.id), ("with", &ids[0]));
    let producers =
        sender.spans_where(|span| span.attribute("throughline.join.out").as_deref() == Some(&first));
    assert_child(&receiver, &consumer(&receiver, &first), &producers[0]);
}

#[tokio::test]
async fn retries_carry_one_context() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let flaky = Proxy::flaky(2, emulator.endpoint()).await;
    let (traced, _) = clients!(aws_sdk_sqs, sdk(flaky.endpoint()).await);
    let (sender, receiver) = (Function::new(), Function::new());
    let call = message(&traced, &queue, "hello", 0);
    let id = sender.sends(async || call.send().await).await.unwrap().message_id.unwrap();

    flaky.assert_same(3);
    let [seen] = queue.deliver(&receiver).await.try_into().unwrap();
    assert_eq!(seen.id, id);
    let producer = producer(&sender, &format!("sqs:{id}"));
    assert_eq!(producer.attribute("http.request.resend_count").as_deref(), Some("2"));
    assert_child(&receiver, &consumer(&receiver, &format!("sqs:{id}")), &producer);
}
