//! The members of an event, and of a record in it, that any trigger asks for: found in one pass and left unread, but for
//! the objects in a record.

use std::borrow::Cow;
use std::ops::Deref;

use super::carrier::Carrier;
use super::dynamodb::Change;
use super::json::{self, Shape, shape};
use super::kinesis::Kinesis;
use super::s3::{Pointer, ResponseElements};
use super::scan::Scanner;
use super::sns::Notification;
use super::sqs::SystemAttributes;

/// An event, by its members.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// The whole of it.
    pub(super) text: &'a str,
    /// Those of its members that a context may be made of.
    pub(super) carrier: Carrier<'a>,
    top: TopLevel<'a>,
}

impl<'a> Shape<'a> for Event<'a> {
    fn take(&mut self, name: Cow<'a, str>, value: &mut Scanner<'a>) -> Option<()> {
        if Carrier::knows(&name) { self.carrier.take(name, value) } else { self.top.take(name, value) }
    }
}

shape! {
    /// The members at its top level.
    pub(super) struct TopLevel {
        pub(super) records: "Records",

        pub(super) authorization_token: "authorizationToken",
        pub(super) headers: "headers",
        pub(super) http_method: "httpMethod",
        pub(super) info: "info",
        pub(super) kind: "type",
        pub(super) method: "method",
        pub(super) method_arn: "methodArn",
        pub(super) multi_value_headers: "multiValueHeaders",
        pub(super) path: "path",
        pub(super) protocol_data: "protocolData",
        pub(super) raw_path: "rawPath",
        /// As VPC Lattice spells it.
        pub(super) raw_path_v1: "raw_path",
        pub(super) request: "request",
        pub(super) request_context: "requestContext",
        pub(super) request_headers: "requestHeaders",
        pub(super) resource: "resource",
        pub(super) route_arn: "routeArn",
        pub(super) route_key: "routeKey",
        pub(super) signature_verified: "signatureVerified",

        pub(super) detail: "detail",
        pub(super) detail_type: "detail-type",
        pub(super) id: "id",
        pub(super) resources: "resources",
        pub(super) source: "source",

        pub(super) awslogs: "awslogs",
        pub(super) delivery_stream_arn: "deliveryStreamArn",
        pub(super) event_source: "eventSource",
        /// Firehose's list, Kafka's object.
        pub(super) items: "records",
        pub(super) messages: "messages",
        pub(super) rmq_messages_by_queue: "rmqMessagesByQueue",
        pub(super) source_kinesis_stream_arn: "sourceKinesisStreamArn",
    }
}

impl<'a> Event<'a> {
    /// Finds the members; none, if `text` is not a JSON object.
    pub(super) fn parse(text: &'a str) -> Self {
        Self { text, ..json::object(text).unwrap_or_default() }
    }
}

impl<'a> Deref for Event<'a> {
    type Target = TopLevel<'a>;

    fn deref(&self) -> &Self::Target {
        &self.top
    }
}

shape! {
    /// A member of `Records`.
    pub(super) struct RawRecord {
        pub(super) event_id: "eventID",
        pub(super) event_name: "eventName",
        // SNS spells it otherwise than all others.
        pub(super) event_source: "eventSource" | "EventSource",
        pub(super) event_source_arn: "eventSourceARN",
        pub(super) event_time: "eventTime",

        pub(super) attributes: "attributes" as SystemAttributes,
        pub(super) body: "body",
        pub(super) message_attributes: "messageAttributes" as Carrier,
        pub(super) message_id: "messageId",

        pub(super) dynamodb: "dynamodb" as Change,
        pub(super) kinesis: "kinesis" as Kinesis,
        pub(super) response_elements: "responseElements" as ResponseElements,
        pub(super) s3: "s3" as Pointer,
        pub(super) sns: "Sns" as Notification,
    }
}

impl RawRecord<'_> {
    /// The name in the ARN of where it comes from, by `of`, which takes it out of the ARN's last part.
    pub(super) fn resource(&self, of: impl Fn(&str) -> Option<&str>) -> Option<String> {
        let arn = self.event_source_arn.text()?;
        // arn:partition:service:region:account:resource
        of(arn.splitn(6, ':').nth(5)?).filter(|name| !name.is_empty()).map(str::to_owned)
    }
}
