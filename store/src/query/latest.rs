//! The newest of what is spread over shards.

use serde::de::DeserializeOwned;

use super::ask::Ask;
use super::{Effort, Reader};
use crate::Error;
use crate::item::{self, Damaged, Item, text};
use crate::schema::SORT_KEY;

impl Reader {
    /// The newest `limit` values that are wanted, newest first. `waves` are the shards of one day each, the newest day
    /// first; the next is asked only where those before had too few.
    ///
    /// At most a request for each shard of each wave, and [`MAX_PAGES`](super::MAX_PAGES).
    pub(super) async fn latest<T: DeserializeOwned + Send + 'static>(
        &self,
        waves: impl IntoIterator<Item = Vec<Ask>>,
        limit: usize,
        wanted: impl Fn(&T) -> bool,
        effort: &mut Effort,
    ) -> Result<Vec<T>, Error> {
        let mut found: Vec<(String, T)> = Vec::new();
        if limit == 0 {
            return Ok(Vec::new());
        }
        for wave in waves {
            let first = share(limit, wave.len());
            let mut asks: Vec<Ask> = wave.into_iter().map(|ask| ask.newest(first)).collect();
            // Shards that have more: nothing newer is missing than what they have reached.
            let mut waiting: Vec<Ask> = Vec::new();
            while !asks.is_empty() {
                for page in self.pages(asks, read, effort).await? {
                    found.extend(effort.sound(page.items).into_iter().filter(|(_, value)| wanted(value)));
                    waiting.extend(page.next);
                }
                found.sort_by(|(a, _), (b, _)| b.cmp(a));
                // Down to here nothing is missing; a shard that was read further need not be read on yet.
                let horizon = waiting.iter().map(Ask::reached).max().unwrap_or_default();
                if found.iter().take_while(|(sort, _)| sort.as_str() >= horizon).count() >= limit {
                    break;
                }
                let enough =
                    limit.checked_sub(1).and_then(|last| found.get(last)).map(|(sort, _)| sort.as_str());
                let (mut behind, ahead): (Vec<Ask>, Vec<Ask>) = waiting
                    .into_iter()
                    .partition(|shard| enough.is_none_or(|enough| shard.reached() > enough));
                waiting = ahead;
                behind.sort_by(|a, b| b.reached().cmp(a.reached()));
                let behind = behind.into_iter().filter(|_| effort.another_page());
                asks = behind.map(Ask::further).collect();
            }
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, value)| value).collect())
    }
}

/// How many items to read first of each shard, so that hardly ever one of them has more of the newest than that: by
/// their hash, they are spread like raindrops, and four standard deviations are enough.
fn share(limit: usize, shards: usize) -> usize {
    let mean = limit.div_ceil(shards.max(1));
    (mean + 4 * mean.isqrt() + 4).min(limit)
}

/// An item's value with its sort key.
fn read<T: DeserializeOwned>(item: Item) -> Result<(String, T), Damaged> {
    let sort = text(&item, SORT_KEY).unwrap_or_default().to_owned();
    Ok((sort, item::read(item)?))
}
