//! Items: how what is kept becomes attributes, and is read again.
//!
//! Whatever stands in the table is read without a panic. What is torn, or none of ours, is told as [`Damaged`] beside
//! what could be read.

mod pointer;
mod size;
mod spans;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use pointer::Pointer;
pub(crate) use size::{size, write_units};
pub(crate) use spans::{pack, pack_logs, unpack, unpack_logs, unpacked_bytes};

use crate::Error;
use crate::schema::{PARTITION_KEY, Partition, SORT_KEY, TTL};

/// The attributes of an item.
pub(crate) type Item = HashMap<String, AttributeValue>;

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
        let text = |name| match item.get(name) {
            Some(AttributeValue::S(text)) => text.as_str(),
            _ => "?",
        };
        Self { key: format!("{} / {}", text(PARTITION_KEY), text(SORT_KEY)), why: why.to_string() }
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
    number(item, TTL).is_some_and(|seconds| seconds.saturating_mul(1000) <= now)
}

/// What an item holds.
pub(crate) fn read<T: DeserializeOwned>(item: Item) -> Result<T, Damaged> {
    // Only of what can't be read is the key needed.
    let (partition, sort) = (item.get(PARTITION_KEY).cloned(), item.get(SORT_KEY).cloned());
    serde_dynamo::from_item(item).map_err(|error| {
        let keys = [(PARTITION_KEY, partition), (SORT_KEY, sort)];
        let keys = keys.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Damaged::new(&keys.collect(), error)
    })
}

pub(crate) fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(crate) fn bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    item.get(name)?.as_b().ok().map(AsRef::as_ref)
}

#[cfg(test)]
mod tests;
