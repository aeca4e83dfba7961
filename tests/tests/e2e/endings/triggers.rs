//! The triggers: the event that each brings, all in the same sender's trace, and what is on the invocation span because of
//! it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

pub(super) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(super) const SENDER: &str = "00f067aa0ba902b7";
/// What every order has in it, and nobody may see again.
pub(super) const SECRET: &str = "hunter2-7d1f";
/// What every order has in it besides.
pub(super) const SKU: &str = "soup-of-the-day";

/// Whether a document has the context in it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Carried {
    Yes,
    No,
}

/// A column of the table.
pub(super) struct Trigger {
    pub(super) name: &'static str,
    /// With the context in the document, where that is its carrier, or as it would be without us.
    pub(super) event: fn(Carried) -> Value,
    pub(super) kind: SpanKind,
    pub(super) span: &'static str,
    pub(super) attributes: &'static [(&'static str, &'static str)],
}

pub(super) const TRIGGERS: [Trigger; 6] = [
    Trigger {
        name: "HTTP",
        event: http,
        kind: SpanKind::Server,
        span: "POST /orders",
        attributes: &[("faas.trigger", "http"), ("http.request.method", "POST"), ("http.route", "/orders")],
    },
    Trigger {
        name: "SQS",
        event: sqs,
        kind: SpanKind::Consumer,
        span: "process orders",
        attributes: &[
            ("faas.trigger", "pubsub"),
            ("messaging.system", "aws_sqs"),
            ("messaging.destination.name", "orders"),
            ("messaging.batch.message_count", "2"),
        ],
    },
    Trigger {
        name: "SNS",
        event: sns,
        kind: SpanKind::Consumer,
        span: "process orders",
        attributes: &[("faas.trigger", "pubsub"), ("messaging.system", "aws.sns")],
    },
    Trigger {
        name: "EventBridge",
        event: event_bridge,
        kind: SpanKind::Consumer,
        span: "test-function",
        attributes: &[("faas.trigger", "pubsub")],
    },
    Trigger {
        name: "Kinesis",
        event: kinesis,
        kind: SpanKind::Consumer,
        span: "process orders",
        attributes: &[("messaging.system", "aws.kinesis")],
    },
    Trigger {
        name: "invoke",
        event: invoke,
        kind: SpanKind::Server,
        span: "test-function",
        attributes: &[("faas.trigger", "other")],
    },
];

/// Whose trigger a response can be streamed to.
pub(super) const STREAMS: &[&str] = &["HTTP", "invoke"];

fn traceparent() -> String {
    format!("00-{TRACE}-{SENDER}-01")
}

fn order() -> Value {
    json!({ "sku": SKU, "password": SECRET })
}

/// An order as a document that carries the context.
fn document(carried: Carried) -> Value {
    let mut order = order();
    if carried == Carried::Yes {
        order["_throughline"] = json!({ "traceparent": traceparent() });
    }
    order
}

fn http(_: Carried) -> Value {
    json!({
        "version": "2.0", "routeKey": "POST /orders", "rawPath": "/orders", "rawQueryString": "",
        "headers": { "traceparent": traceparent(), "authorization": format!("Bearer {SECRET}") },
        "requestContext": {
            "http": { "method": "POST", "path": "/orders" }, "requestId": "api", "routeKey": "POST /orders",
            "stage": "$default",
        },
        "body": order().to_string(), "isBase64Encoded": false,
    })
}

fn sqs(_: Carried) -> Value {
    let message = |id: &str| {
        json!({
            "messageId": id, "receiptHandle": "r", "body": order().to_string(),
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1795139223112" },
            "messageAttributes": { "traceparent": { "stringValue": traceparent(), "dataType": "String" } },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": [message("m-1"), message("m-2")] })
}

fn sns(_: Carried) -> Value {
    json!({ "Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0",
        "EventSubscriptionArn": "arn:aws:sns:us-east-1:000000000000:orders:s",
        "Sns": {
            "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:us-east-1:000000000000:orders",
            "Subject": null, "Message": order().to_string(), "Timestamp": "2026-11-20T00:00:00.000Z",
            "MessageAttributes": { "traceparent": { "Type": "String", "Value": traceparent() } },
        },
    }] })
}

fn event_bridge(carried: Carried) -> Value {
    json!({
        "version": "0", "id": "e-1", "detail-type": "OrderPlaced", "source": "shop", "account": "000000000000",
        "time": "2026-11-20T00:00:00Z", "region": "us-east-1", "resources": [], "detail": document(carried),
    })
}

fn kinesis(carried: Carried) -> Value {
    let record = |number: &str| {
        json!({
            "eventSource": "aws:kinesis", "eventID": format!("shardId-000000000000:{number}"),
            "eventName": "aws:kinesis:record", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/orders",
            "kinesis": {
                "partitionKey": "u-1", "sequenceNumber": number, "approximateArrivalTimestamp": 1795139223.1,
                "data": BASE64_STANDARD.encode(document(carried).to_string()),
            },
        })
    };
    json!({ "Records": [record("1"), record("2")] })
}

fn invoke(carried: Carried) -> Value {
    document(carried)
}
