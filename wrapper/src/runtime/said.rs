//! What `lambda_runtime` tells nobody but its log, because its services answer `Ok(())` all the same: why an event could not
//! be deserialized, and with which status Lambda refused a response.
//!
//! This is read from its `tracing` events, so it is known where our layer is installed. Where it is not, or where the
//! runtime comes to write something else, an event that could not be read is still known from the handler that was not
//! reached, and a refused response from what the platform says of it.

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::scope::Scope;

/// Tells the invocation that runs here what this event of `lambda_runtime` says of it.
pub(crate) fn heed(event: &Event<'_>) {
    let metadata = event.metadata();
    if *metadata.level() != Level::ERROR {
        return;
    }
    match metadata.target() {
        "lambda_runtime::layers::api_response" => {
            if let (Some(why), Some(scope)) = (said(event, "error"), Scope::current()) {
                let why = unreadable(&why).unwrap_or_default();
                scope.invocation().is_unreadable(why);
            }
        }
        "lambda_runtime::layers::api_client" => {
            // `413 Payload Too Large`
            let status = said(event, "status");
            let status = status.as_deref().and_then(|status| status.split(' ').next()?.parse().ok());
            if let (Some(status), Some(scope)) = (status, Scope::current()) {
                scope.invocation().is_refused(status);
            }
        }
        _ => {}
    }
}

/// What a field of the event says.
fn said(event: &Event<'_>, field: &'static str) -> Option<String> {
    struct Said(&'static str, Option<String>);
    impl Visit for Said {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == self.0 {
                self.1 = Some(format!("{value:?}"));
            }
        }
    }
    let mut said = Said(field, None);
    event.record(&mut said);
    said.1
}

/// Where in the event something was wrong, and what, from the `Debug` of the runtime's error: `DeserializeError { inner: Error
/// { path: Path { segments: [Map { key: "spans" }] }, original: Error("invalid type: …", line: 1, column: 9) } }`.
fn unreadable(error: &str) -> Option<String> {
    let (before, original) = error.split_once("original: Error(")?;
    let (message, place) = original.rsplit_once(", line: ")?;
    let place = place.trim_end_matches([' ', '}', ')']).replace(", column:", " column");
    let path = path(before.split_once("segments: [")?.1);
    let message = without_value(message.trim_matches('"'));
    Some(format!("{path}{message} at line {place}"))
}

/// `records[2].sku: `, or nothing where the event as a whole is wrong.
fn path(segments: &str) -> String {
    let mut path = String::new();
    for segment in segments.split(['{', '}']) {
        let Some((kind, value)) = segment.trim().split_once(": ") else { continue };
        match kind {
            "key" | "variant" if path.is_empty() => path.push_str(value.trim_matches('"')),
            "key" | "variant" => path.extend([".", value.trim_matches('"')]),
            "index" => path.extend(["[", value, "]"]),
            _ => {}
        }
    }
    if !path.is_empty() {
        path.push_str(": ");
    }
    path
}

/// `invalid type: string "hunter2", expected u32` without what stood there, which may be anybody's secret.
fn without_value(message: &str) -> String {
    let message = message.replace("\\\"", "\"");
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message };
    if found.starts_with("unknown field") {
        return message;
    }
    let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{kind}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_could_not_be_read_is_told_by_its_place() {
        let error = |segments: &str, original: &str| {
            format!(
                "DeserializeError {{ inner: Error {{ path: Path {{ segments: [{segments}] }}, original: \
                 Error({original:?}, line: 1, column: 25) }} }}"
            )
        };
        for (segments, original, told) in [
            (
                r#"Map { key: "spans" }"#,
                "invalid value: integer `-1`, expected u32",
                "spans: invalid value: integer, expected u32",
            ),
            (
                r#"Map { key: "orders" }, Seq { index: 2 }, Map { key: "sku" }"#,
                r#"invalid type: string "hunter2, expected nothing", expected a map"#,
                "orders[2].sku: invalid type: string, expected a map",
            ),
            ("", "missing field `do`", "missing field `do`"),
            ("", "expected value", "expected value"),
            (
                r#"Enum { variant: "a" }"#,
                "unknown variant `dance`, expected `ok`",
                "a: unknown variant, expected `ok`",
            ),
            ("", "unknown field `x`, expected `y`", "unknown field `x`, expected `y`"),
        ] {
            assert_eq!(
                unreadable(&error(segments, original)).unwrap(),
                format!("{told} at line 1 column 25")
            );
        }
        assert_eq!(unreadable("Other { what: 7 }"), None);
    }
}
