//! An SQS event of messages that a poller received itself.

use aws_lambda_events::encodings::Base64Data;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute};
use aws_sdk_sqs::types::{Message, MessageAttributeValue};

/// The event that Lambda would make of messages received from the queue `arn`, for [`sqs`](super::sqs) in programs that
/// poll the queue themselves.
///
/// The receiving call must ask for the attributes, which hold the context: `message_attribute_names("All")` and
/// `message_system_attribute_names(MessageSystemAttributeName::All)`.
///
/// ```
/// use aws_sdk_sqs::types::Message;
/// use throughline::batch;
///
/// # async fn poll() {
/// let messages = vec![Message::builder().message_id("m-1").body("hello").build()];
/// let event = batch::sqs_event("arn:aws:sqs:eu-west-1:123456789012:payments", messages);
/// let response = batch::sqs(event, |message| async move {
///     println!("{message:?}");
///     Ok::<_, std::io::Error>(())
/// })
/// .await;
/// // Delete the messages that are not among response.batch_item_failures.
/// # assert!(response.batch_item_failures.is_empty());
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(poll());
/// ```
#[must_use]
pub fn sqs_event(arn: &str, messages: impl IntoIterator<Item = Message>) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = messages.into_iter().map(|message| record(arn, message)).collect();
    event
}

fn record(arn: &str, message: Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = message.message_id;
    record.receipt_handle = message.receipt_handle;
    record.md5_of_body = message.md5_of_body;
    record.md5_of_message_attributes = message.md5_of_message_attributes;
    record.body = message.body;
    let system = message.attributes.unwrap_or_default();
    record.attributes = system.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    let attributes = message.message_attributes.unwrap_or_default();
    record.message_attributes =
        attributes.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    record.event_source = Some("aws:sqs".to_owned());
    record.event_source_arn = Some(arn.to_owned());
    // arn:partition:sqs:region:account:queue
    record.aws_region = arn.split(':').nth(3).map(str::to_owned);
    record
}

fn attribute(value: MessageAttributeValue) -> SqsMessageAttribute {
    let mut attribute = SqsMessageAttribute::default();
    attribute.data_type = Some(value.data_type);
    attribute.string_value = value.string_value;
    attribute.binary_value = value.binary_value.map(|blob| {
        let mut data = Base64Data::default();
        *data = blob.into_inner();
        data
    });
    attribute
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::primitives::Blob;
    use aws_sdk_sqs::types::MessageSystemAttributeName;

    use super::*;

    #[test]
    fn a_received_message_is_the_record_that_lambda_would_make() {
        let text = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
        let blob = MessageAttributeValue::builder()
            .data_type("Binary")
            .binary_value(Blob::new(b"v"))
            .build()
            .unwrap();
        let message = Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body("hello")
            .attributes(MessageSystemAttributeName::MessageGroupId, "g-1")
            .message_attributes("text", text)
            .message_attributes("blob", blob)
            .build();
        let event = sqs_event("arn:aws:sqs:eu-west-1:123456789012:payments.fifo", [message]);
        let json = serde_json::to_value(event).unwrap();
        let record = &json["Records"][0];
        assert_eq!(record["messageId"], "m-1");
        assert_eq!(record["body"], "hello");
        assert_eq!(record["attributes"]["MessageGroupId"], "g-1");
        assert_eq!(record["messageAttributes"]["text"]["stringValue"], "v");
        assert_eq!(record["messageAttributes"]["blob"]["binaryValue"], "dg==");
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["awsRegion"], "eu-west-1");
    }
}
