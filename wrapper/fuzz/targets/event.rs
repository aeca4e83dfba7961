//! Any bytes are read as an event. One that has no member of ours is not changed; of another, nothing is changed but
//! those members.
#![no_main]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use throughline::internals;

const MEMBER: &str = "_throughline";

fuzz_target!(|event: &[u8]| {
    let event = Bytes::copy_from_slice(event);
    drop(internals::begin(&event));
    let Some(stripped) = internals::read(&event).stripped else { return };
    // What is no JSON, no handler reads: there it is enough to survive.
    let Some(before) = parse(&event) else { return };
    let after = parse(&stripped).expect("JSON stays JSON");
    assert!(stripped != event, "changed to itself");
    assert!(mentions(&before), "it had no member of ours");
    assert!(same(&before, &after), "more than our members was changed");
});

fn parse(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

/// What stands in a text.
enum Inner {
    Json(Value),
    /// A KPL aggregate, which another target looks into; or what begins as an object and is no JSON further inside.
    /// The reader passes over what it isn't asked for, and may find our member there.
    Unclear,
    Text,
}

fn inner(text: &str) -> Inner {
    let bytes = if text.trim_start().starts_with('{') {
        Some(text.as_bytes().to_vec())
    } else {
        BASE64_STANDARD.decode(text).ok()
    };
    let Some(bytes) = bytes else { return Inner::Text };
    match parse(&bytes) {
        Some(value) if value.is_object() => Inner::Json(value),
        _ if bytes.trim_ascii_start().starts_with(b"{") || bytes.starts_with(b"\xf3\x89\x9a\xc2") => {
            Inner::Unclear
        }
        _ => Inner::Text,
    }
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key(MEMBER) || members.values().any(mentions),
        Value::Array(items) => items.iter().any(mentions),
        Value::String(text) => match inner(text) {
            Inner::Json(value) => mentions(&value),
            Inner::Unclear => true,
            Inner::Text => false,
        },
        _ => false,
    }
}

/// Whether all but our members is the same, however deep. What is unclear may be anything.
fn same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let others = before.keys().chain(after.keys()).filter(|key| *key != MEMBER);
            others.map(|key| (before.get(key), after.get(key))).all(|pair| match pair {
                (Some(before), Some(after)) => same(before, after),
                _ => false,
            })
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| same(before, after))
        }
        (Value::String(before), Value::String(after)) => match (inner(before), inner(after)) {
            (Inner::Unclear, _) => true,
            (Inner::Json(before), Inner::Json(after)) => same(&before, &after),
            _ => before == after,
        },
        _ => before == after,
    }
}
