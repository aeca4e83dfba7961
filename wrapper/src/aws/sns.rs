//! SNS: the context in message attributes, each message of a batch its own.
//!
//! Values hold no quotes, which would break filter policies downstream: baggage is percent-encoded.

use std::collections::HashMap;

use aws_sdk_sns::operation::publish::{PublishError, PublishInput, PublishOutput};
use aws_sdk_sns::operation::publish_batch::{PublishBatchError, PublishBatchInput, PublishBatchOutput};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::attributes::{STRING, choose, room, size};
use super::call::Call;
use super::outcome::{Injected, Outcome, Skipped};
use super::service::{Service, metadata_of};
use crate::propagation::{Carrier, join};
use crate::span::SpanKind;

const SYSTEM: &str = "aws.sns";

type Attributes = Option<HashMap<String, MessageAttributeValue>>;

#[derive(Debug)]
pub(super) struct Sns;

impl Service for Sns {
    fn name(&self) -> &'static str {
        "SNS"
    }

    fn kind(&self, operation: &str) -> SpanKind {
        match operation {
            "Publish" | "PublishBatch" => SpanKind::Producer,
            _ => SpanKind::Client,
        }
    }

    fn destination<'a>(&self, input: &'a Input) -> Option<&'a str> {
        topic(input)
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        inject(input, call);
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        finish(output, call);
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(error, PublishError, PublishBatchError)
    }
}

/// The name of the topic, which ends its ARN. An endpoint for push notifications has slashes there.
fn topic(input: &Input) -> Option<&str> {
    let single =
        || input.downcast_ref::<PublishInput>().and_then(|input| input.topic_arn().or(input.target_arn()));
    let batch = || input.downcast_ref::<PublishBatchInput>().and_then(PublishBatchInput::topic_arn);
    let name = single().or_else(batch)?.rsplit(':').next()?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn inject(input: &mut Input, call: &mut Call) {
    if let Some(input) = input.downcast_mut::<PublishInput>() {
        let arn = input.topic_arn.as_deref().or(input.target_arn.as_deref());
        describe(call, arn, None);
        // A text message or a push notification: nobody reads a context there.
        if call.destination().is_none() {
            call.injected(Outcome::skipped(Skipped::NotEnabled));
            return;
        }
        let text = input.message.as_deref().unwrap_or_default();
        let before = message_size(text, input.subject.as_deref(), &input.message_attributes);
        let outcome = write(&mut input.message_attributes, call.hop().carrier, room(before));
        call.injected(outcome);
    } else if let Some(input) = input.downcast_mut::<PublishBatchInput>() {
        let entries = input.publish_batch_request_entries.as_deref_mut().unwrap_or_default();
        describe(call, input.topic_arn.as_deref(), Some(entries.len()));
        let mut total: usize = entries.iter().map(entry_size).sum();
        for entry in entries {
            call.create(&entry.id, SYSTEM);
            let before = entry_size(entry);
            let left = room(before).min(room(total));
            let outcome = write(&mut entry.message_attributes, call.hop().carrier, left);
            call.injected(outcome);
            total += entry_size(entry) - before;
        }
    }
}

fn finish(output: &Output, call: &mut Call) {
    if let Some(output) = output.downcast_ref::<PublishOutput>() {
        if let Some(id) = output.message_id() {
            call.sent(None, id, join::sns(id));
        }
    } else if let Some(output) = output.downcast_ref::<PublishBatchOutput>() {
        for sent in output.successful() {
            if let (Some(entry), Some(id)) = (sent.id(), sent.message_id()) {
                call.sent(Some(entry), id, join::sns(id));
            }
        }
        for failed in output.failed() {
            call.refused(failed.id(), failed.code(), failed.message().unwrap_or_default());
        }
    }
}

fn describe(call: &mut Call, arn: Option<&str>, batch: Option<usize>) {
    call.sends(SYSTEM, batch);
    if let (Some(arn), Some(_)) = (arn, call.destination()) {
        call.set("aws.sns.topic.arn", arn);
    }
}

/// Writes a context into the attributes of a message.
fn write(attributes: &mut Attributes, carrier: Carrier, room: usize) -> Outcome {
    let set = |name: &str| attributes.as_ref().is_some_and(|known| known.contains_key(name));
    let choice = choose(carrier, set, attributes.as_ref().map_or(0, HashMap::len), room);
    let mut injected = Injected::None;
    for (name, value) in choice.attributes {
        let value = MessageAttributeValue::builder().data_type(STRING).string_value(value).build();
        if let Ok(value) = value {
            attributes.get_or_insert_default().insert(name.to_owned(), value);
            injected = Injected::Attributes;
        }
    }
    Outcome { injected, skipped: choice.skipped }
}

fn entry_size(entry: &PublishBatchRequestEntry) -> usize {
    message_size(&entry.message, entry.subject.as_deref(), &entry.message_attributes)
}

fn message_size(text: &str, subject: Option<&str>, attributes: &Attributes) -> usize {
    let one = |(name, attribute): (&String, &MessageAttributeValue)| {
        let text = attribute.string_value.as_deref().map_or(0, str::len);
        let bytes = attribute.binary_value.as_ref().map_or(0, |blob| blob.as_ref().len());
        size(name, &attribute.data_type, text + bytes)
    };
    text.len() + subject.map_or(0, str::len) + attributes.iter().flatten().map(one).sum::<usize>()
}

#[cfg(all(test, feature = "sqs"))]
mod tests;
