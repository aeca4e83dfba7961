//! Topics, and the queues that subscribe to them.

use aws_sdk_sns::Client;
use serde_json::{Value, json};

use crate::emulator::unique;
use crate::queue::Queue;

/// How a queue gets a topic's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The message and its attributes themselves.
    Raw,
    /// An envelope as the body.
    Wrapped,
}

/// Makes a topic and returns its ARN. `client` does not trace.
pub(crate) async fn topic(client: &Client) -> String {
    client.create_topic().name(unique("orders")).send().await.unwrap().topic_arn.unwrap()
}

/// Subscribes a queue, with such attributes more.
pub(crate) async fn subscribe(
    client: &Client,
    topic: &str,
    queue: &Queue<'_>,
    delivery: Delivery,
    more: &[(&str, &str)],
) {
    let mut call = client.subscribe().topic_arn(topic).protocol("sqs").endpoint(&queue.arn);
    if delivery == Delivery::Raw {
        call = call.attributes("RawMessageDelivery", "true");
    }
    for (name, value) in more {
        call = call.attributes(*name, *value);
    }
    call.send().await.unwrap();
}

/// What was published, of a message that a queue received: the text, its id (none where it was raw), and the
/// attributes as `(type, value)` by name.
pub(crate) fn published(message: &Value, delivery: Delivery) -> (String, Option<String>, Value) {
    let body = message["Body"].as_str().unwrap();
    let attribute = |kind: &Value, value: &Value| json!([kind, value]);
    let each = |attributes: &Value, kind: &str, value: &str| -> Value {
        let attributes = attributes.as_object().into_iter().flatten();
        attributes
            .map(|(name, it)| (name.clone(), attribute(&it[kind], &it[value])))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    match delivery {
        Delivery::Raw => {
            (body.to_owned(), None, each(&message["MessageAttributes"], "DataType", "StringValue"))
        }
        Delivery::Wrapped => {
            let envelope: Value = serde_json::from_str(body).unwrap();
            let text = |name: &str| envelope[name].as_str().unwrap().to_owned();
            (text("Message"), Some(text("MessageId")), each(&envelope["MessageAttributes"], "Type", "Value"))
        }
    }
}

/// The event that Lambda makes of a message to a function that subscribes itself
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html>): the envelope, under other names.
pub(crate) fn event(message: &Value) -> Value {
    let mut envelope: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    for (theirs, ours) in [("SigningCertURL", "SigningCertUrl"), ("UnsubscribeURL", "UnsubscribeUrl")] {
        if let Some(url) = envelope.as_object_mut().unwrap().remove(theirs) {
            envelope[ours] = url;
        }
    }
    let subscription = format!("{}:5a6f", envelope["TopicArn"].as_str().unwrap());
    json!({ "Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription, "Sns": envelope,
    }] })
}

/// What a function is joined by that a queue gives `message` to.
pub(crate) fn join(message: &Value, delivery: Delivery) -> String {
    match published(message, delivery).1 {
        Some(id) => format!("sns:{id}"),
        None => format!("sqs:{}", message["MessageId"].as_str().unwrap()),
    }
}
