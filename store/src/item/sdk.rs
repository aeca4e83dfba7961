//! Items as the AWS SDK has them, and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue as Sdk;
use serde_dynamo::{AttributeValue, Item};

/// An item of the SDK's.
pub(crate) fn to_sdk(item: &Item) -> HashMap<String, Sdk> {
    item.iter().map(|(name, value)| (name.clone(), value_to_sdk(value))).collect()
}

/// An item of ours. What is of a kind that nobody knew when this was written is nothing: `serde_dynamo` would panic.
pub(crate) fn from_sdk(item: HashMap<String, Sdk>) -> Item {
    let mut ours = Item::default();
    ours.extend(item.into_iter().map(|(name, value)| (name, value_from_sdk(value))));
    ours
}

fn value_to_sdk(value: &AttributeValue) -> Sdk {
    match value {
        AttributeValue::N(number) => Sdk::N(number.clone()),
        AttributeValue::S(text) => Sdk::S(text.clone()),
        AttributeValue::Bool(value) => Sdk::Bool(*value),
        AttributeValue::B(bytes) => Sdk::B(Blob::new(bytes.as_slice())),
        AttributeValue::Null(value) => Sdk::Null(*value),
        AttributeValue::M(map) => {
            Sdk::M(map.iter().map(|(name, value)| (name.clone(), value_to_sdk(value))).collect())
        }
        AttributeValue::L(list) => Sdk::L(list.iter().map(value_to_sdk).collect()),
        AttributeValue::Ss(texts) => Sdk::Ss(texts.clone()),
        AttributeValue::Ns(numbers) => Sdk::Ns(numbers.clone()),
        AttributeValue::Bs(all) => Sdk::Bs(all.iter().map(|bytes| Blob::new(bytes.as_slice())).collect()),
    }
}

fn value_from_sdk(value: Sdk) -> AttributeValue {
    match value {
        Sdk::N(number) => AttributeValue::N(number),
        Sdk::S(text) => AttributeValue::S(text),
        Sdk::Bool(value) => AttributeValue::Bool(value),
        Sdk::B(bytes) => AttributeValue::B(bytes.into_inner()),
        Sdk::M(map) => {
            AttributeValue::M(map.into_iter().map(|(name, value)| (name, value_from_sdk(value))).collect())
        }
        Sdk::L(list) => AttributeValue::L(list.into_iter().map(value_from_sdk).collect()),
        Sdk::Ss(texts) => AttributeValue::Ss(texts),
        Sdk::Ns(numbers) => AttributeValue::Ns(numbers),
        Sdk::Bs(all) => AttributeValue::Bs(all.into_iter().map(Blob::into_inner).collect()),
        _ => AttributeValue::Null(true),
    }
}
