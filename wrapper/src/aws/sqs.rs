//! SQS: the context in message attributes, each message of a batch its own, and in `AWSTraceHeader`.
//!
//! Attributes are safe on FIFO queues: content-based deduplication hashes the body alone.

use std::collections::HashMap;

use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageInput, SendMessageOutput};
use aws_sdk_sqs::operation::send_message_batch::{
    SendMessageBatchError, SendMessageBatchInput, SendMessageBatchOutput,
};
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::ErrorMetadata;

use super::attributes::{STRING, choose, room, size};
use super::call::{Call, Hop};
use super::outcome::{Injected, Outcome};
use super::service::{Service, metadata_of};
use crate::propagation::join;
use crate::span::SpanKind;

const SYSTEM: &str = "aws_sqs";

type Attributes = Option<HashMap<String, MessageAttributeValue>>;
type SystemAttributes = Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>;

#[derive(Debug)]
pub(super) struct Sqs;

impl Service for Sqs {
    fn name(&self) -> &'static str {
        "SQS"
    }

    fn kind(&self, operation: &str) -> SpanKind {
        match operation {
            "SendMessage" | "SendMessageBatch" => SpanKind::Producer,
            _ => SpanKind::Client,
        }
    }

    fn destination<'a>(&self, input: &'a Input) -> Option<&'a str> {
        queue(input)
    }

    fn inject(&self, input: &mut Input, call: &mut Call, _cfg: &ConfigBag) {
        inject(input, call);
    }

    fn finish(&self, output: &Output, call: &mut Call) {
        finish(output, call);
    }

    fn metadata<'a>(&self, error: &'a Error) -> Option<&'a ErrorMetadata> {
        metadata_of!(error, SendMessageError, SendMessageBatchError)
    }
}

/// The name of the queue, which ends its URL.
fn queue(input: &Input) -> Option<&str> {
    let single = || input.downcast_ref::<SendMessageInput>().and_then(SendMessageInput::queue_url);
    let batch = || input.downcast_ref::<SendMessageBatchInput>().and_then(SendMessageBatchInput::queue_url);
    single().or_else(batch)?.rsplit('/').next().filter(|name| !name.is_empty())
}

fn inject(input: &mut Input, call: &mut Call) {
    if let Some(input) = input.downcast_mut::<SendMessageInput>() {
        describe(call, input.queue_url.as_deref(), None);
        let body = input.message_body.as_deref().unwrap_or_default().len();
        let left = room(body + attributes_size(&input.message_attributes));
        let outcome =
            write(&mut input.message_attributes, &mut input.message_system_attributes, call.hop(), left);
        call.injected(outcome);
    } else if let Some(input) = input.downcast_mut::<SendMessageBatchInput>() {
        let entries = input.entries.as_deref_mut().unwrap_or_default();
        describe(call, input.queue_url.as_deref(), Some(entries.len()));
        let mut total: usize = entries.iter().map(entry_size).sum();
        for entry in entries {
            call.create(&entry.id, SYSTEM);
            let before = entry_size(entry);
            let left = room(before).min(room(total));
            let (attributes, system) = (&mut entry.message_attributes, &mut entry.message_system_attributes);
            let outcome = write(attributes, system, call.hop(), left);
            call.injected(outcome);
            total += entry_size(entry) - before;
        }
    }
}

fn finish(output: &Output, call: &mut Call) {
    if let Some(output) = output.downcast_ref::<SendMessageOutput>() {
        if let Some(id) = output.message_id() {
            call.sent(None, id, join::sqs(id));
        }
    } else if let Some(output) = output.downcast_ref::<SendMessageBatchOutput>() {
        for sent in output.successful() {
            call.sent(Some(sent.id()), sent.message_id(), join::sqs(sent.message_id()));
        }
        for failed in output.failed() {
            call.refused(failed.id(), failed.code(), failed.message().unwrap_or_default());
        }
    }
}

fn describe(call: &mut Call, url: Option<&str>, batch: Option<usize>) {
    call.sends(SYSTEM, batch);
    if let Some(url) = url {
        call.set("aws.sqs.queue.url", url);
    }
}

/// Writes a context into the attributes of a message.
fn write(attributes: &mut Attributes, system: &mut SystemAttributes, hop: Hop, room: usize) -> Outcome {
    let set = |name: &str| attributes.as_ref().is_some_and(|known| known.contains_key(name));
    let choice = choose(hop.carrier, set, attributes.as_ref().map_or(0, HashMap::len), room);
    let caller_set = set("traceparent");
    let mut injected = Injected::None;
    for (name, value) in choice.attributes {
        let value = MessageAttributeValue::builder().data_type(STRING).string_value(value).build();
        if let Ok(value) = value {
            attributes.get_or_insert_default().insert(name.to_owned(), value);
            injected = Injected::Attributes;
        }
    }
    // Counts neither toward the size nor toward the ten.
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    if !caller_set && !system.as_ref().is_some_and(|known| known.contains_key(&name)) {
        let header = MessageSystemAttributeValue::builder().data_type(STRING).string_value(hop.xray).build();
        if let Ok(header) = header {
            system.get_or_insert_default().insert(name, header);
            if injected == Injected::None {
                injected = Injected::Header;
            }
        }
    }
    Outcome { injected, skipped: choice.skipped }
}

fn entry_size(entry: &SendMessageBatchRequestEntry) -> usize {
    entry.message_body.len() + attributes_size(&entry.message_attributes)
}

fn attributes_size(attributes: &Attributes) -> usize {
    let one = |(name, attribute): (&String, &MessageAttributeValue)| {
        let text = attribute.string_value.as_deref().map_or(0, str::len);
        let bytes = attribute.binary_value.as_ref().map_or(0, |blob| blob.as_ref().len());
        size(name, &attribute.data_type, text + bytes)
    };
    attributes.iter().flatten().map(one).sum()
}

#[cfg(all(test, feature = "sqs"))]
mod tests;
