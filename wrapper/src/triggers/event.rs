//! The members of an event that any trigger asks for, found in one pass and left unread.

use serde::Deserialize;

use super::json::{self, Part};

/// The top level of an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct Event<'a> {
    /// The whole of it.
    #[serde(skip)]
    pub(super) text: &'a str,

    #[serde(rename = "Records")]
    pub(super) records: Part<'a>,

    pub(super) authorization_token: Part<'a>,
    pub(super) headers: Part<'a>,
    pub(super) http_method: Part<'a>,
    pub(super) info: Part<'a>,
    #[serde(rename = "type")]
    pub(super) kind: Part<'a>,
    pub(super) method: Part<'a>,
    pub(super) method_arn: Part<'a>,
    pub(super) multi_value_headers: Part<'a>,
    pub(super) path: Part<'a>,
    pub(super) protocol_data: Part<'a>,
    pub(super) raw_path: Part<'a>,
    /// As VPC Lattice spells it.
    #[serde(rename = "raw_path")]
    pub(super) raw_path_v1: Part<'a>,
    pub(super) request: Part<'a>,
    pub(super) request_context: Part<'a>,
    pub(super) request_headers: Part<'a>,
    pub(super) resource: Part<'a>,
    pub(super) route_arn: Part<'a>,
    pub(super) route_key: Part<'a>,
    pub(super) signature_verified: Part<'a>,

    pub(super) detail: Part<'a>,
    #[serde(rename = "detail-type")]
    pub(super) detail_type: Part<'a>,
    pub(super) id: Part<'a>,
    pub(super) resources: Part<'a>,
    pub(super) source: Part<'a>,

    pub(super) awslogs: Part<'a>,
    pub(super) delivery_stream_arn: Part<'a>,
    pub(super) event_source: Part<'a>,
    /// Firehose's list, Kafka's object.
    #[serde(rename = "records")]
    pub(super) items: Part<'a>,
    pub(super) messages: Part<'a>,
    pub(super) rmq_messages_by_queue: Part<'a>,
    pub(super) source_kinesis_stream_arn: Part<'a>,
}

impl<'a> Event<'a> {
    /// Finds the members; none, if `text` is not a JSON object.
    pub(super) fn parse(text: &'a str) -> Self {
        Self { text, ..json::object(text).unwrap_or_default() }
    }
}

/// A member of `Records`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(super) struct RawRecord<'a> {
    #[serde(rename = "eventID")]
    pub(super) event_id: Part<'a>,
    pub(super) event_name: Part<'a>,
    // SNS spells it otherwise than all others.
    #[serde(alias = "EventSource")]
    pub(super) event_source: Part<'a>,
    #[serde(rename = "eventSourceARN")]
    pub(super) event_source_arn: Part<'a>,
    pub(super) event_time: Part<'a>,

    pub(super) attributes: Part<'a>,
    pub(super) body: Part<'a>,
    pub(super) message_attributes: Part<'a>,
    pub(super) message_id: Part<'a>,

    pub(super) dynamodb: Part<'a>,
    pub(super) kinesis: Part<'a>,
    pub(super) response_elements: Part<'a>,
    pub(super) s3: Part<'a>,
    #[serde(rename = "Sns")]
    pub(super) sns: Part<'a>,
}

impl RawRecord<'_> {
    /// Whether both name the same source.
    pub(super) fn same_source(&self, other: &Self) -> bool {
        self.event_source_arn.raw() == other.event_source_arn.raw()
    }

    /// The name in the ARN of where it comes from, by `of`, which takes it out of the ARN's last part.
    pub(super) fn resource(&self, of: impl Fn(&str) -> Option<&str>) -> Option<String> {
        let arn = self.event_source_arn.text()?;
        // arn:partition:service:region:account:resource
        of(arn.splitn(6, ':').nth(5)?).filter(|name| !name.is_empty()).map(str::to_owned)
    }
}
