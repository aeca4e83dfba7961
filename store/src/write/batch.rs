//! Items, 25 at a time, until all are written or the deadline is there.

use std::collections::{HashSet, VecDeque};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use tokio::time::{Instant, timeout_at};

use super::retry::Backoff;
use crate::Error;
use crate::item::{Item, size, text, write_units};
use crate::schema::{PARTITION_KEY, SORT_KEY};

/// The most items of one request
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const MAX_ITEMS: usize = 25;
/// The most bytes of one request, of the 16 MB that the same page names.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What it took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    pub(super) items: usize,
    pub(super) units: u64,
    pub(super) requests: usize,
}

/// Writes `items`. What DynamoDB leaves unprocessed, throttles or fails to answer is tried again.
pub(super) async fn write(
    client: &Client,
    table: &str,
    items: Vec<Item>,
    deadline: Instant,
) -> Result<Batch, Error> {
    let mut waiting = once_each(items);
    let units = waiting.iter().map(write_units).sum();
    let mut batch = Batch { items: waiting.len(), units, requests: 0 };
    let mut backoff = Backoff::default();
    while !waiting.is_empty() {
        let chunk = chunk(&mut waiting);
        let size = chunk.len();
        batch.requests += 1;
        let failed = match send(client, table, chunk.clone(), deadline).await {
            Ok(unprocessed) if unprocessed.is_empty() => {
                backoff = Backoff::default();
                continue;
            }
            Ok(unprocessed) => {
                let left = unprocessed.len();
                if left < size {
                    backoff = Backoff::default();
                }
                waiting.extend(unprocessed);
                Error::Throttled { left: waiting.len() }
            }
            Err(Refused::Again(error)) => {
                waiting.extend(chunk);
                error
            }
            Err(Refused::For(error)) => return Err(error),
        };
        let until = Instant::now() + backoff.next(fastrand::f64());
        if until >= deadline {
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

enum Refused {
    /// Another try may be taken.
    Again(Error),
    /// It will be refused for ever.
    For(Error),
}

async fn send(
    client: &Client,
    table: &str,
    items: Vec<Item>,
    deadline: Instant,
) -> Result<Vec<Item>, Refused> {
    let put = |item| {
        let put = PutRequest::builder()
            .set_item(Some(item))
            .build()
            .map_err(|error| Refused::For(Error::build(error)))?;
        Ok(WriteRequest::builder().put_request(put).build())
    };
    let requests = items.into_iter().map(put).collect::<Result<Vec<_>, _>>()?;
    let send = client
        .batch_write_item()
        .request_items(table, requests)
        .customize()
        // One loop retries, or the deadline would not hold.
        .config_override(aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled()))
        .send();
    match timeout_at(deadline, send).await {
        Err(_) => Err(Refused::Again(Error::Deadline)),
        Ok(Ok(answer)) => {
            let unprocessed = answer.unprocessed_items.unwrap_or_default().into_values().flatten();
            Ok(unprocessed.filter_map(|request| request.put_request.map(|put| put.item)).collect())
        }
        Ok(Err(error)) => {
            let again = super::retry::is_transient(&error);
            let error = Error::aws(error);
            Err(if again { Refused::Again(error) } else { Refused::For(error) })
        }
    }
}
