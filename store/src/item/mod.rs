//! Items: how what is kept becomes attributes, and is read again.
//!
//! Whatever stands in the table is read without a panic. What is torn, or none of ours, is told as [`Damaged`] beside
//! what could be read.

mod pointer;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod size;
mod spans;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::AttributeValue;

pub use pointer::Pointer;
#[cfg(feature = "aws-sdk")]
pub(crate) use sdk::{from_sdk, to_sdk};
/// The attributes of an item.
pub use serde_dynamo::Item;
pub(crate) use size::{size, write_units};
pub(crate) use spans::{pack, pack_logs, unpack, unpack_logs, unpacked_bytes};

use crate::Error;
use crate::schema::{PARTITION_KEY, Partition, SORT_KEY, TTL};
use crate::time::millis;

/// An item that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl Damaged {
    pub(crate) fn new(item: &Item, why: impl ToString) -> Self {
        let [partition, sort] = [PARTITION_KEY, SORT_KEY].map(|name| text(item, name).unwrap_or("?"));
        Self { key: format!("{partition} / {sort}"), why: why.to_string() }
    }
}

/// Where an item is, and how long it stays.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) partition: Partition,
    pub(crate) sort: String,
    /// In seconds since 1970.
    pub(crate) expires: u64,
}

impl Place {
    /// The item that holds `value` there.
    pub(crate) fn item<T: Serialize>(&self, value: &T) -> Result<Item, Error> {
        let item: Item = serde_dynamo::to_item(value).map_err(|error| Error::Spans(error.to_string()))?;
        Ok(self.holding(item))
    }

    /// The item that holds these attributes there.
    pub(crate) fn holding(&self, mut item: Item) -> Item {
        item.insert(PARTITION_KEY.into(), AttributeValue::S(self.partition.to_string()));
        item.insert(SORT_KEY.into(), AttributeValue::S(self.sort.clone()));
        item.insert(TTL.into(), AttributeValue::N(self.expires.to_string()));
        item
    }
}

/// An item of these attributes.
pub(crate) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    let mut item = Item::default();
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    item
}

/// An item that no question reads, and that expires in a minute: who may put it may write.
#[must_use]
pub fn check_item(now: SystemTime) -> Item {
    let text = || AttributeValue::S("check".to_owned());
    let expires = AttributeValue::N((millis(now) / 1000 + 60).to_string());
    item([(PARTITION_KEY, text()), (SORT_KEY, text()), (TTL, expires)])
}

/// Items by partition.
pub(crate) fn by_partition(items: Vec<Item>) -> BTreeMap<String, Vec<Item>> {
    let mut partitions: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for item in items {
        partitions.entry(text(&item, PARTITION_KEY).unwrap_or_default().to_owned()).or_default().push(item);
    }
    partitions
}

/// Whether an item has expired. DynamoDB takes days until it removes one.
pub(crate) fn expired(item: &Item, now: u64) -> bool {
    expires(item).is_some_and(|seconds| seconds.saturating_mul(1000) <= now)
}

/// When it does, in seconds since 1970.
pub(crate) fn expires(item: &Item) -> Option<u64> {
    number(item, TTL)
}

/// What an item holds.
pub(crate) fn read<T: DeserializeOwned>(item: Item) -> Result<T, Damaged> {
    // Only of what can't be read is the key needed.
    let [partition, sort] = [PARTITION_KEY, SORT_KEY].map(|name| (name, item.get(name).cloned()));
    serde_dynamo::from_item(item).map_err(|error| {
        let mut key = Item::default();
        key.extend([partition, sort].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Damaged::new(&key, error)
    })
}

pub(crate) fn number(item: &Item, name: &str) -> Option<u64> {
    match item.get(name)? {
        AttributeValue::N(number) => number.parse().ok(),
        _ => None,
    }
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    match item.get(name)? {
        AttributeValue::B(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
