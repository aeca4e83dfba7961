//! Who else wrote an item of DynamoDB that a transaction wrote.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ask::Ask;
use super::{Answer, Effort, Reader, Transaction};
use crate::Error;
use crate::item::Pointer;
use crate::run::{Name, Way, list, normal, tail};
use crate::schema::Partition;
use crate::time::Window;

/// How long before and after a write others are looked for, in milliseconds.
const AROUND: u64 = 15 * 60_000;
/// Of how many items.
pub(super) const MAX_ITEMS: usize = 8;
/// How many others are told of each, the newest.
const MAX_OTHERS: usize = 10;

/// An item that a transaction wrote, and others wrote too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SameItem {
    /// What its writes have in common: `dynamodb:` and the hash of its table and key.
    pub id: String,
    /// Its table, as far as it is known: a call may write into several.
    pub table: Option<String>,
    /// When the transaction wrote it first, in milliseconds since 1970.
    pub at: u64,
    /// The runs of others that wrote it, by time.
    pub others: Vec<Pointer>,
}

impl Reader {
    /// The items of DynamoDB that the transaction wrote and others wrote within a quarter of an hour; those of its failed
    /// functions first.
    ///
    /// At most a request for each of eight items, and 50.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn same_items(&self, of: &Transaction) -> Result<Answer<Vec<SameItem>>, Error> {
        let mut effort = Effort::default();
        let written = written(of);
        effort.at_least |= written.len() > MAX_ITEMS;
        let mut found = Vec::new();
        for item in written.into_iter().take(MAX_ITEMS) {
            let window = Window::new(item.at.saturating_sub(AROUND), item.at.saturating_add(AROUND));
            let name = Name { way: Way::Out, name: item.id.clone() };
            let is_other = |pointer: &Pointer| {
                pointer.names.contains(&name) && !of.trace_ids.contains(&pointer.trace_id)
            };
            let ask = Ask::within(Partition::Id(tail(&item.id).to_owned()), window);
            let mut others = self.latest([vec![ask]], MAX_OTHERS, is_other, &mut effort).await?;
            others.reverse();
            found.extend(Some(SameItem { others, ..item }).filter(|item| !item.others.is_empty()));
        }
        Ok(effort.answer(found))
    }
}

/// The items that a transaction wrote: first those of functions that failed, by time.
fn written(of: &Transaction) -> Vec<SameItem> {
    let failed: BTreeSet<&str> =
        of.runs.iter().filter(|run| run.failed()).map(|run| run.function.as_str()).collect();
    let mut items: BTreeMap<String, (bool, SameItem)> = BTreeMap::new();
    // By start, so that the first write is the one that is kept.
    for span in &of.spans {
        let ids = list(span, "throughline.join.out").into_iter().filter(|id| id.starts_with("dynamodb:"));
        for id in ids.map(|id| normal(id).into_owned()) {
            let table =
                span.attribute("aws.dynamodb.table_names").or_else(|| span.attribute("db.collection.name"));
            let at = span.start / 1_000_000;
            let has_failed = failed.contains(span.function.as_str());
            let item = SameItem { id: id.clone(), table: table.map(str::to_owned), at, others: Vec::new() };
            items.entry(id).or_insert((has_failed, item)).0 |= has_failed;
        }
    }
    let mut items: Vec<(bool, SameItem)> = items.into_values().collect();
    items.sort_by_key(|(has_failed, item)| (!has_failed, item.at));
    items.into_iter().map(|(_, item)| item).collect()
}
