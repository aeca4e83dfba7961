//! Items, 25 at a time, until all are written or the deadline is there.

use std::collections::{HashSet, VecDeque};

use tokio::time::{Instant, timeout_at};

use super::Table;
use super::retry::Backoff;
use crate::Error;
use crate::item::{Item, size, text, write_units};
use crate::schema::{PARTITION_KEY, SORT_KEY};

/// The most items of one request
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const MAX_ITEMS: usize = 25;
/// The most bytes of one request, unless a single item is larger: of the 16 MB that the same page names as many as a
/// sandbox with little memory has to spare.
const MAX_BYTES: usize = 1024 * 1024;

/// What it took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    pub(super) items: usize,
    pub(super) units: u64,
    pub(super) requests: usize,
}

/// Writes `items`. What DynamoDB leaves unprocessed, throttles or fails to answer is tried again.
pub(super) async fn write(table: &impl Table, items: Vec<Item>, deadline: Instant) -> Result<Batch, Error> {
    let mut waiting = once_each(items);
    let units = waiting.iter().map(write_units).sum();
    let mut batch = Batch { items: waiting.len(), units, requests: 0 };
    let mut backoff = Backoff::default();
    while !waiting.is_empty() {
        let chunk = chunk(&mut waiting);
        batch.requests += 1;
        let put = timeout_at(deadline, table.put(&chunk)).await;
        let failed = match put.unwrap_or(Err(Error::Deadline)) {
            Ok(unprocessed) => {
                if unprocessed.len() < chunk.len() {
                    backoff = Backoff::default();
                }
                if unprocessed.is_empty() {
                    continue;
                }
                waiting.extend(unprocessed);
                Error::Throttled { left: waiting.len() }
            }
            Err(error) => {
                waiting.extend(chunk);
                error
            }
        };
        let until = Instant::now() + backoff.next(fastrand::f64());
        if !table.tries_again(&failed) || until >= deadline {
            return Err(failed);
        }
        tokio::time::sleep_until(until).await;
    }
    Ok(batch)
}

/// The last item of each key: DynamoDB refuses a request that has one key twice.
fn once_each(items: Vec<Item>) -> VecDeque<Item> {
    let mut seen = HashSet::new();
    let mut kept = VecDeque::with_capacity(items.len());
    for item in items.into_iter().rev() {
        let key = [PARTITION_KEY, SORT_KEY].map(|name| text(&item, name).unwrap_or_default().to_owned());
        if seen.insert(key) {
            kept.push_front(item);
        }
    }
    kept
}

/// As many items as one request takes.
fn chunk(waiting: &mut VecDeque<Item>) -> Vec<Item> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    while chunk.len() < MAX_ITEMS
        && let Some(next) = waiting.front()
    {
        bytes += size(next);
        if !chunk.is_empty() && bytes > MAX_BYTES {
            break;
        }
        chunk.extend(waiting.pop_front());
    }
    chunk
}
