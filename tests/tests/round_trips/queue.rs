//! Queues: what is received from one, as Lambda makes an event of it, and how a function processes that.

use std::sync::Mutex;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use serde_json::{Map, Value, json};

use crate::check::Seen;
use crate::emulator::{Emulator, REGION, unique};
use crate::function::{Call, Function};

/// A queue of a test's own.
#[derive(Debug)]
pub(crate) struct Queue<'a> {
    emulator: &'a Emulator,
    pub(crate) url: String,
    pub(crate) arn: String,
}

impl<'a> Queue<'a> {
    pub(crate) async fn new(emulator: &'a Emulator) -> Self {
        Self::with(emulator, &unique("payments"), &json!({})).await
    }

    /// A queue with such attributes.
    pub(crate) async fn with(emulator: &'a Emulator, name: &str, attributes: &Value) -> Self {
        let request = json!({ "QueueName": name, "Attributes": attributes });
        let made = emulator.call("sqs", "AmazonSQS.CreateQueue", &request).await;
        let url = made["QueueUrl"].as_str().unwrap().to_owned();
        let request = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        let attributes = emulator.call("sqs", "AmazonSQS.GetQueueAttributes", &request).await;
        let arn = attributes["Attributes"]["QueueArn"].as_str().unwrap().to_owned();
        Self { emulator, url, arn }
    }

    /// A FIFO queue that deduplicates by content.
    pub(crate) async fn fifo(emulator: &'a Emulator) -> Self {
        let attributes = json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" });
        Self::with(emulator, &format!("{}.fifo", unique("payments")), &attributes).await
    }

    /// The messages that are there, taken off the queue.
    pub(crate) async fn receive(&self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let messages = self.take(10, 0).await;
            if messages.is_empty() {
                return all;
            }
            all.extend(messages);
        }
    }

    /// Waits until so many messages have come, and takes them off the queue.
    pub(crate) async fn expect(&self, count: usize) -> Vec<Value> {
        let mut come = 0;
        self.until(|_| {
            come += 1;
            come == count
        })
        .await
    }

    /// Takes messages off the queue until the one that `is_last` is true of.
    pub(crate) async fn until(&self, mut is_last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let come = self.take(1, 20).await;
            assert!(!come.is_empty(), "{} messages came, and then none", all.len());
            let last = come.iter().any(&mut is_last);
            all.extend(come);
            if last {
                return all;
            }
        }
    }

    /// Takes at most so many messages off the queue, for the first of which it waits so many seconds.
    async fn take(&self, most: usize, seconds: usize) -> Vec<Value> {
        let request = json!({
            "QueueUrl": self.url,
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": seconds,
            "MessageAttributeNames": ["All"],
            "AttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.emulator.call("sqs", "AmazonSQS.ReceiveMessage", &request).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        for message in &messages {
            let request = json!({ "QueueUrl": self.url, "ReceiptHandle": message["ReceiptHandle"] });
            self.emulator.call("sqs", "AmazonSQS.DeleteMessage", &request).await;
        }
        messages
    }

    /// The event that Lambda makes of `messages`
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>).
    pub(crate) fn event(&self, messages: &[Value]) -> Value {
        json!({ "Records": messages.iter().map(|message| self.record(message)).collect::<Vec<_>>() })
    }

    fn record(&self, message: &Value) -> Value {
        let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
        let attributes: Map<String, Value> = attributes
            .map(|(name, value)| {
                let mut attribute =
                    json!({ "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"] });
                for (theirs, ours) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
                    if let Some(value) = value.get(theirs).filter(|value| !value.is_null()) {
                        attribute[ours] = value.clone();
                    }
                }
                (name.clone(), attribute)
            })
            .collect();
        json!({
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": REGION,
        })
    }

    /// Receives what is there and processes it in one invocation of `receiver`.
    pub(crate) async fn deliver(&self, receiver: &Function) -> Vec<Seen> {
        let messages = self.receive().await;
        assert!(!messages.is_empty(), "the queue is empty");
        process(receiver, &self.event(&messages)).await
    }
}

/// Processes an event of messages record by record.
pub(crate) async fn process(receiver: &Function, event: &Value) -> Vec<Seen> {
    receiver
        .invoke(Call::of(event), async |event| {
            let event: SqsEvent = serde_json::from_str(event.get()).unwrap();
            let seen = Mutex::new(Vec::new());
            let response = throughline::batch::sqs(event, async |message: SqsMessage| {
                let seen_now =
                    Seen::now(message.message_id.unwrap_or_default(), message.body.unwrap_or_default());
                seen.lock().unwrap().push(seen_now);
                Ok::<(), std::convert::Infallible>(())
            });
            assert!(response.await.batch_item_failures.is_empty());
            seen.into_inner().unwrap()
        })
        .await
}
