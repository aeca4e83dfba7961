//! Messages and batches at and over the limits of a queue.

use super::*;

const KIB: usize = 1024;

/// What our attributes take (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
const TRACEPARENT: usize = "traceparent".len() + "String".len() + 55;
const STATE: usize = "tracestate".len() + "String".len() + TRACESTATE.len();

/// The size of a message as SQS counts it.
fn size(message: &Value) -> usize {
    let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
    let one = |(name, value): (&String, &Value)| {
        name.len() + "String".len() + value["StringValue"].as_str().unwrap().len()
    };
    message["Body"].as_str().unwrap().len() + attributes.map(one).sum::<usize>()
}

#[tokio::test]
async fn a_message_at_a_limit_is_taken_with_us_if_it_is_without() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sqs, emulator.sdk().await);
    // AWS takes 1 MiB, and so does moto. rustack takes 256 KiB, as AWS did until 2025.
    let limit = if emulator.is_moto() { 1024 * KIB } else { 256 * KIB };
    for (length, taken) in [
        (limit - 2 * KIB, true),
        (limit - TRACEPARENT - STATE, true),
        (limit - TRACEPARENT - STATE + 1, true),
        (limit - TRACEPARENT, true),
        (limit - TRACEPARENT + 1, true),
        (limit, true),
        (limit + 1, false),
        (256 * KIB, true),
    ] {
        let body = "x".repeat(length);
        let without = message(&plain, &queue, &body, 0).send().await;
        assert_eq!(without.is_ok(), taken, "{length}: {without:?}");
        let (sender, call) = (Function::new(), message(&traced, &queue, &body, 0));
        let with = sender.sends(async || call.send().await).await;
        assert_eq!(with.is_ok(), taken, "{length}: {with:?}");
        let received = queue.receive().await;
        assert_eq!(received.len(), if taken { 2 } else { 0 });
        for received in &received {
            assert!(received["Body"] == body.as_str() && size(received) <= limit);
        }
        let Ok(sent) = with else { continue };
        // Which of its two limits the queue has is not known: a message is under both that it was under.
        let room = if length <= 256 * KIB { 256 * KIB - length } else { limit - length };
        let expected = match room {
            room if room >= 2 * KIB => outcome("attributes", None),
            room if room >= TRACEPARENT => outcome("attributes", Some("too-large")),
            _ => outcome("header", Some("too-large")),
        };
        let id = sent.message_id.unwrap();
        assert_eq!(injection(&producer(&sender, &format!("sqs:{id}"))), expected, "{length}");
    }
}

#[tokio::test]
async fn a_batch_at_its_limit_in_all_is_taken_with_us_if_it_is_without() {
    let emulator = Emulator::start().await;
    let queue = Queue::new(&emulator).await;
    let (traced, plain) = clients!(aws_sdk_sqs, emulator.sdk().await);
    let limit = if emulator.is_moto() { 1024 * KIB } else { 256 * KIB };
    for total in [limit - 2 * KIB, limit - 200, limit, limit + 1] {
        // AWS and moto add the messages of a batch up; rustack does not.
        let taken = total <= limit || !emulator.is_moto();
        let bodies = ["x".repeat(total / 2), "y".repeat(total - total / 2)];
        let entries: Vec<_> = bodies.iter().enumerate().map(|(n, body)| entry(n, body)).collect();
        let call = |client: &Client| {
            client.send_message_batch().queue_url(&queue.url).set_entries(Some(entries.clone()))
        };
        let without = call(&plain).send().await;
        assert_eq!(without.is_ok(), taken, "{total}: {without:?}");
        queue.receive().await;
        let (sender, call) = (Function::new(), call(&traced));
        let with = sender.sends(async || call.send().await).await;
        assert_eq!(with.is_ok(), taken, "{total}: {with:?}");
        let received = queue.receive().await;
        assert_eq!(received.len(), if taken { 2 } else { 0 });
        let sum: usize = received.iter().map(size).sum();
        assert!(total > limit || sum <= limit, "{sum}");
    }
}
