//! The Telemetry API: subscribing.

use std::time::Duration;

use http::{Request, StatusCode, Uri};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::extensions::{body, identified, unknown};
use super::{Api, Reply, refuse, reply};
use crate::telemetry::Subscription;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscribeRequest {
    schema_version: Option<String>,
    types: Vec<String>,
    #[serde(default)]
    buffering: Buffering,
    destination: Destination,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Buffering {
    max_items: Option<u64>,
    max_bytes: Option<u64>,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Destination {
    #[serde(rename = "URI")]
    uri: String,
}

/// Takes a subscription during init; afterwards they are closed.
pub(super) async fn subscribe(api: &Api, request: Request<Incoming>) -> Reply {
    let Some(id) = identified(api, &request) else {
        return unknown();
    };
    if api.state.read(|state| state.sealed) {
        return refuse(StatusCode::FORBIDDEN, "Telemetry.SubscriptionClosed", "init is over");
    }
    let name = api.state.change(|state| state.extension(&id).map(|e| e.name.clone())).unwrap_or_default();
    let body = body(request).await;
    let managed = api.config.concurrency.is_some();
    let parsed = serde_json::from_slice::<SubscribeRequest>(&body).map_err(|e| e.to_string());
    match parsed.and_then(|request| parse(request, managed)) {
        Ok(subscription) => {
            let types = subscription.types.clone();
            api.telemetry.subscribe(subscription);
            api.telemetry.emit(
                "platform.telemetrySubscription",
                json!({ "name": name, "state": "Subscribed", "types": types }),
            );
            reply(StatusCode::OK, &json!("OK"))
        }
        Err(message) => refuse(StatusCode::BAD_REQUEST, "ValidationError", &message),
    }
}

/// The versions of the schema. What this host emits is the same in all; the last is the only one that there is on a
/// managed instance (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html>).
const SCHEMAS: [&str; 3] = ["2022-07-01", "2022-12-13", "2025-01-29"];

fn parse(request: SubscribeRequest, managed: bool) -> Result<Subscription, String> {
    let version = request.schema_version.as_deref().unwrap_or(SCHEMAS[0]);
    let known = if managed { &SCHEMAS[2..] } else { &SCHEMAS };
    if !known.contains(&version) {
        return Err(format!("unknown schemaVersion {version}"));
    }
    if let Some(unknown) =
        request.types.iter().find(|t| !["platform", "function", "extension"].contains(&t.as_str()))
    {
        return Err(format!("unknown type {unknown}"));
    }
    let bounded = |name, value: Option<u64>, default, range: std::ops::RangeInclusive<u64>| match value {
        None => Ok(default),
        Some(value) if range.contains(&value) => Ok(value),
        Some(value) => Err(format!("{name} {value} is not within {range:?}")),
    };
    let max_items = bounded("maxItems", request.buffering.max_items, 10_000, 1_000..=10_000)?;
    bounded("maxBytes", request.buffering.max_bytes, 262_144, 262_144..=1_048_576)?;
    let timeout_ms = bounded("timeoutMs", request.buffering.timeout_ms, 1_000, 25..=30_000)?;
    let uri: Uri = request.destination.uri.parse().map_err(|_| "destination.URI is not a URI".to_owned())?;
    let port = uri.port_u16().ok_or("destination.URI has no port")?;
    if !matches!(uri.host(), Some("sandbox.localdomain" | "sandbox")) {
        return Err("the destination's host must be sandbox.localdomain".to_owned());
    }
    Ok(Subscription {
        types: request.types,
        port,
        path: uri.path().to_owned(),
        timeout: Duration::from_millis(timeout_ms),
        max_items: max_items as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: serde_json::Value) -> Result<Subscription, String> {
        let request = serde_json::from_value::<SubscribeRequest>(body).map_err(|e| e.to_string());
        request.and_then(|request| parse(request, false))
    }

    #[test]
    fn a_managed_instance_has_one_schema() {
        let subscribe = |version: &str, managed| {
            let body = json!({
                "schemaVersion": version, "types": ["platform"], "destination": { "URI": "http://sandbox:4243" },
            });
            parse(serde_json::from_value(body).unwrap(), managed)
        };
        assert!(subscribe("2022-12-13", false).is_ok() && subscribe("2025-01-29", true).is_ok());
        assert!(subscribe("2022-12-13", true).unwrap_err().contains("schemaVersion"));
        assert!(subscribe("2031-01-01", false).is_err());
    }

    #[test]
    fn takes_what_lambda_takes() {
        let subscription = parsed(json!({
            "schemaVersion": "2025-01-29",
            "types": ["platform", "function"],
            "buffering": { "timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144 },
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/telemetry" },
        }))
        .unwrap();
        assert_eq!((subscription.port, subscription.path.as_str()), (4243, "/telemetry"));
        assert_eq!(subscription.timeout, Duration::from_millis(25));
    }

    #[test]
    fn refuses_what_lambda_refuses() {
        let with = |buffering, uri: &str| {
            parsed(json!({ "types": ["platform"], "buffering": buffering, "destination": { "URI": uri } }))
        };
        let good = "http://sandbox:4243";
        assert!(with(json!({ "timeoutMs": 10 }), good).unwrap_err().contains("timeoutMs"));
        assert!(with(json!({ "maxItems": 1 }), good).unwrap_err().contains("maxItems"));
        assert!(with(json!({}), "http://127.0.0.1:4243").unwrap_err().contains("sandbox.localdomain"));
        assert!(with(json!({}), good).is_ok());
    }
}
