//! What the writes of a request are joined by: the table and the key of each item.
//!
//! Every call says the key of its item, but a put, whose item has the key among its other attributes. Which they are
//! is the table's, so it is learned from the other calls: a put joins once the process made such a call for its
//! table. Before that it has no join, and what it caused is found by the context in the item alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemInput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsInput;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, WriteRequest};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::item::Item;
use super::tables;
use crate::propagation::join::{self, KeyValue};

/// The most tables whose keys are known; no program is known that uses more.
const MAX_TABLES: usize = 256;

/// What this process learned. It outlives invocations, because a table's key never changes.
static KEYS: Keys = Keys(Mutex::new(BTreeMap::new()));

/// The names of the attributes that are the key of each table.
struct Keys(Mutex<BTreeMap<String, Arc<[String]>>>);

impl Keys {
    fn learn(&self, table: &str, key: &Item) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known
            .get(table)
            .is_some_and(|names| names.len() == key.len() && names.iter().all(|name| key.contains_key(name)));
        if !same && (known.len() < MAX_TABLES || known.contains_key(table)) {
            known.insert(table.to_owned(), key.keys().cloned().collect());
        }
    }

    fn of(&self, table: &str) -> Option<Arc<[String]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }
}

/// What the items that a request writes are joined by. What the request says of keys is kept for others.
pub(super) fn joins(input: &Input) -> Vec<String> {
    let mut touched = touched(input);
    // A put in a batch may be of the table of a delete beside it.
    touched.sort_by_key(|one| one.is_put());
    touched.into_iter().filter_map(Touched::join).collect()
}

/// What the items of requests that DynamoDB did not get to would have been joined by.
pub(super) fn joins_of_writes(tables: Option<&HashMap<String, Vec<WriteRequest>>>) -> Vec<String> {
    writes(tables).filter_map(Touched::join).collect()
}

/// An item that a request is about.
enum Touched<'a> {
    Read { table: &'a str, key: &'a Item },
    Written { table: &'a str, key: &'a Item },
    Put { table: &'a str, item: &'a Item },
}

impl Touched<'_> {
    const fn is_put(&self) -> bool {
        matches!(self, Self::Put { .. })
    }

    fn join(self) -> Option<String> {
        match self {
            Self::Read { table, key } => {
                KEYS.learn(tables::name(table), key);
                None
            }
            Self::Written { table, key } => {
                KEYS.learn(tables::name(table), key);
                of(table, key.iter())
            }
            Self::Put { table, item } => {
                let names = KEYS.of(tables::name(table))?;
                let key: Option<Vec<_>> = names.iter().map(|name| item.get_key_value(name)).collect();
                of(table, key?)
            }
        }
    }
}

fn touched(input: &Input) -> Vec<Touched<'_>> {
    let read = |table, key| Some(Touched::Read { table, key });
    let written = |table, key| Some(Touched::Written { table, key });
    let put = |table, item| Some(Touched::Put { table, item });
    let one = None
        .or_else(|| input.downcast_ref::<GetItemInput>().and_then(|get| read(get.table_name()?, get.key()?)))
        .or_else(|| {
            let update = input.downcast_ref::<UpdateItemInput>()?;
            written(update.table_name()?, update.key()?)
        })
        .or_else(|| {
            let delete = input.downcast_ref::<DeleteItemInput>()?;
            written(delete.table_name()?, delete.key()?)
        })
        .or_else(|| input.downcast_ref::<PutItemInput>().and_then(|own| put(own.table_name()?, own.item()?)));
    if let Some(one) = one {
        return vec![one];
    }
    if let Some(input) = input.downcast_ref::<BatchWriteItemInput>() {
        writes(input.request_items()).collect()
    } else if let Some(input) = input.downcast_ref::<TransactWriteItemsInput>() {
        input.transact_items().iter().filter_map(action).collect()
    } else if let Some(input) = input.downcast_ref::<BatchGetItemInput>() {
        let tables = input.request_items().into_iter().flatten();
        // One key is enough to learn from.
        tables.filter_map(|(table, keys)| read(table, keys.keys().first()?)).collect()
    } else if let Some(input) = input.downcast_ref::<TransactGetItemsInput>() {
        let gets = input.transact_items().iter().filter_map(|item| item.get());
        gets.filter_map(|get| read(get.table_name(), get.key())).collect()
    } else {
        Vec::new()
    }
}

fn writes(tables: Option<&HashMap<String, Vec<WriteRequest>>>) -> impl Iterator<Item = Touched<'_>> {
    tables.into_iter().flatten().flat_map(|(table, requests)| {
        requests.iter().filter_map(|request| {
            let put = || Some(Touched::Put { table, item: request.put_request()?.item() });
            let delete = || Some(Touched::Written { table, key: request.delete_request()?.key() });
            put().or_else(delete)
        })
    })
}

fn action(action: &TransactWriteItem) -> Option<Touched<'_>> {
    let put = action.put().map(|put| Touched::Put { table: put.table_name(), item: put.item() });
    put.or_else(|| action.update().map(|own| Touched::Written { table: own.table_name(), key: own.key() }))
        .or_else(|| action.delete().map(|own| Touched::Written { table: own.table_name(), key: own.key() }))
        .or_else(|| {
            action.condition_check().map(|own| Touched::Read { table: own.table_name(), key: own.key() })
        })
}

/// What an item is joined by: `None` for a key that is none.
fn of<'a>(table: &str, key: impl IntoIterator<Item = (&'a String, &'a AttributeValue)>) -> Option<String> {
    let key: Vec<_> = key.into_iter().map(|(name, value)| (name, value, base64(value))).collect();
    let values = key.iter().map(|(name, value, base64)| {
        let value = match value {
            AttributeValue::S(text) => KeyValue::S(text.into()),
            AttributeValue::N(number) => KeyValue::N(join::number(number)?),
            AttributeValue::B(_) => KeyValue::B(base64.into()),
            _ => return None,
        };
        Some((name.as_str(), value))
    });
    let key = values.collect::<Option<join::Key<'_>>>().filter(|key| !key.is_empty())?;
    Some(join::dynamodb(tables::name(table), key))
}

fn base64(value: &AttributeValue) -> String {
    value.as_b().map(|blob| BASE64_STANDARD.encode(blob)).unwrap_or_default()
}

#[cfg(all(test, feature = "sqs"))]
mod tests;
