//! The events that the functions are measured with.

use bytes::Bytes;
use serde_json::{Value, json};

/// What invokes the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A request to an HTTP API.
    Http,
    /// A batch of ten messages, each of another transaction.
    Sqs,
}

impl Trigger {
    pub(crate) const ALL: [Self; 2] = [Self::Http, Self::Sqs];

    /// As reports say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP request",
            Self::Sqs => "SQS batch of 10",
        }
    }

    /// The value of `BENCH_TRIGGER`.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sqs => "sqs",
        }
    }

    /// The fewest spans that each contender makes of it: the invocation's, and one a message.
    pub(crate) fn spans(self) -> f64 {
        match self {
            Self::Http => 1.0,
            Self::Sqs => 11.0,
        }
    }

    /// The event.
    pub(crate) fn event(self) -> Bytes {
        match self {
            Self::Http => Bytes::from_static(HTTP.as_bytes()),
            Self::Sqs => json!({ "Records": (0..10).map(message).collect::<Vec<_>>() }).to_string().into(),
        }
    }
}

/// An HTTP API's event, with a trace to continue, since those are the ones that a client waits for.
const HTTP: &str = r#"{
  "version": "2.0", "routeKey": "POST /orders", "rawPath": "/orders", "rawQueryString": "",
  "headers": {
    "accept": "*/*", "content-length": "58", "content-type": "application/json", "host": "shop.example",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "user-agent": "bench/1.0",
    "x-amzn-trace-id": "Root=1-6affa697-1e2f3a4b5c6d7e8f90a1b2c3", "x-forwarded-for": "192.0.2.7",
    "x-forwarded-port": "443", "x-forwarded-proto": "https"
  },
  "requestContext": {
    "accountId": "000000000000", "apiId": "bench", "domainName": "shop.example", "domainPrefix": "shop",
    "http": { "method": "POST", "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "bench/1.0" },
    "requestId": "JKJaXmPLvHcESHA=", "routeKey": "POST /orders", "stage": "$default",
    "time": "20/Nov/2026:10:00:00 +0000", "timeEpoch": 1795168800000
  },
  "body": "{\"user\":\"u-1042\",\"items\":[{\"sku\":\"soup\",\"quantity\":1}]}", "isBase64Encoded": false
}"#;

fn message(number: u32) -> Value {
    let attribute = |value: String| json!({ "stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String" });
    json!({
        "messageId": format!("059f36b4-87a3-44ab-83d2-66197{number:07}"),
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": "{\"user\":\"u-1042\",\"items\":[{\"sku\":\"soup\",\"quantity\":1}]}",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795168800000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1795168800005",
        },
        "messageAttributes": {
            "traceparent": attribute(format!("00-4bf92f3577b34da6a3ce929d0{number:07}-00f067aa0{number:07}-01")),
            "baggage": attribute(format!("correlation.id=c-{number},tenant=acme")),
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
        "awsRegion": "us-east-1",
    })
}
