//! Makes events out of what cases say: merge patches, and strings that are JSON, Base64 or long.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::triggers::kinesis::aggregate;

/// A value with its short forms (`{"$json": …}` and others) written out.
pub(super) fn value(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(self::value).collect(),
        Value::Object(members) => short_form(members).unwrap_or_else(|| {
            members.iter().map(|(key, value)| (key.clone(), self::value(value))).collect()
        }),
        other => other.clone(),
    }
}

fn short_form(members: &Map<String, Value>) -> Option<Value> {
    let (key, of) = members.iter().next().filter(|_| members.len() == 1)?;
    let made = match key.as_str() {
        "$json" => value(of).to_string(),
        "$base64" => BASE64_STANDARD.encode(text(of)),
        "$bytes" => return Some(text(of).bytes().map(Value::from).collect()),
        "$kpl" => {
            let parts: Vec<String> = of.as_array().unwrap().iter().map(text).collect();
            BASE64_STANDARD.encode(aggregate(&parts))
        }
        "$repeat" => of[0].as_str().unwrap().repeat(of[1].as_u64().unwrap().try_into().unwrap()),
        "$join" => of.as_array().unwrap().iter().map(text).collect(),
        key if key.starts_with('$') => panic!("unknown short form {key}"),
        _ => return None,
    };
    Some(made.into())
}

/// A string, or the JSON text of what is none.
fn text(of: &Value) -> String {
    let value = value(of);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// RFC 7396, and into lists by index.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    let indices: Result<Vec<usize>, _> = patch.keys().map(|key| key.parse()).collect();
    if let (Value::Array(items), Ok(indices)) = (&mut *target, indices) {
        for (index, patch) in indices.into_iter().zip(patch.values()) {
            if index == items.len() {
                items.push(Value::Null);
            }
            merge(&mut items[index], patch);
        }
        return;
    }
    if !target.is_object() {
        *target = Map::new().into();
    }
    let Value::Object(members) = target else { unreachable!() };
    for (key, patch) in patch {
        if patch.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), patch);
        }
    }
}
