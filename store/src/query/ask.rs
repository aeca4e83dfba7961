//! Partitions, page by page.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::time::timeout;

use super::{Answered, Effort, Query, Reader};
use crate::Error;
use crate::item::{Item, expired, text};
use crate::schema::{PARTITION_KEY, Partition, SORT_KEY, until};
use crate::time::Window;

/// How many requests are under way at once.
const AT_ONCE: usize = 32;
/// How many items a page has at most, of such as are about as large as a card: DynamoDB's pages of 1 MB have no more.
/// The embedded one reads all that it may before it sees that a page is full.
const ITEMS: i32 = 1000;
/// The same of spans and log lines, of which an item may have 390 KB.
const LARGE_ITEMS: i32 = 25;
/// To how many the pages grow of which only some items are wanted.
const FURTHER: i32 = 250;

/// What is asked of one partition.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    partition: Partition,
    sorted: Sorted,
    only: Vec<Only>,
    newest_first: bool,
    limit: i32,
    after: Option<Item>,
}

/// What an attribute must be.
#[derive(Clone, Debug)]
pub(super) struct Only {
    attribute: &'static str,
    value: String,
    /// Whether it need not be there.
    or_absent: bool,
}

#[derive(Clone, Debug)]
enum Sorted {
    Any,
    Between(String, String),
}

/// A page of a partition, and what was read in its items.
#[derive(Debug)]
pub(super) struct Page<T = Item> {
    pub(super) items: Vec<T>,
    /// How to go on, if there is more.
    pub(super) next: Option<Ask>,
}

impl Ask {
    /// All of a partition.
    pub(super) fn all(partition: Partition) -> Self {
        let large = matches!(partition, Partition::Spans(_) | Partition::Logs(_));
        let limit = if large { LARGE_ITEMS } else { ITEMS };
        Self { partition, sorted: Sorted::Any, only: Vec::new(), newest_first: false, limit, after: None }
    }

    /// What is in it by time.
    pub(super) fn within(partition: Partition, window: Window) -> Self {
        Self::between(partition, (format!("{:013}", window.from), until(window.to)))
    }

    /// What is in it from one sort key to another.
    pub(super) fn between(partition: Partition, (from, to): (String, String)) -> Self {
        Self { sorted: Sorted::Between(from, to), ..Self::all(partition) }
    }

    /// Only what is all of this; of the rest nothing is sent, though it counts as read.
    pub(super) fn only(self, only: Vec<Only>) -> Self {
        Self { only, ..self }
    }

    /// The sort key down to which it was read.
    pub(super) fn reached(&self) -> &str {
        self.after.as_ref().and_then(|after| text(after, SORT_KEY)).unwrap_or("~")
    }

    /// The newest first, so many to the first page.
    pub(super) fn newest(self, limit: usize) -> Self {
        Self { newest_first: true, limit: i32::try_from(limit).unwrap_or(ITEMS).clamp(1, ITEMS), ..self }
    }

    /// The oldest first, so many to a page.
    pub(super) fn oldest(self, limit: usize) -> Self {
        Self { newest_first: false, ..self.newest(limit) }
    }

    /// More to a page: what is wanted is rare.
    pub(super) fn further(self) -> Self {
        Self { limit: self.limit.saturating_mul(4).min(FURTHER.max(self.limit)), ..self }
    }

    fn query(&self, table: &str) -> Query {
        let mut names = HashMap::from([("#p".to_owned(), PARTITION_KEY.to_owned())]);
        let mut values = HashMap::from([(":p".to_owned(), self.partition.to_string())]);
        let key_condition = match &self.sorted {
            Sorted::Any => "#p = :p",
            Sorted::Between(from, to) => {
                names.insert("#s".to_owned(), SORT_KEY.to_owned());
                values.extend([(":a".to_owned(), from.clone()), (":b".to_owned(), to.clone())]);
                "#p = :p AND #s BETWEEN :a AND :b"
            }
        };
        let mut conditions = Vec::new();
        for (at, only) in self.only.iter().enumerate() {
            names.insert(format!("#o{at}"), only.attribute.to_owned());
            values.insert(format!(":o{at}"), only.value.clone());
            conditions.push(only.condition(at));
        }
        Query {
            table: table.to_owned(),
            key_condition,
            filter: Some(conditions.join(" AND ")).filter(|all| !all.is_empty()),
            names,
            values,
            newest_first: self.newest_first,
            limit: self.limit,
            after: self.after.clone(),
        }
    }
}

impl Only {
    pub(super) fn text(attribute: &'static str, value: &str) -> Self {
        Self { attribute, value: value.to_owned(), or_absent: false }
    }

    pub(super) fn or_absent(self) -> Self {
        Self { or_absent: true, ..self }
    }

    fn condition(&self, at: usize) -> String {
        let absent = if self.or_absent { format!(" OR attribute_not_exists(#o{at})") } else { String::new() };
        format!("(#o{at} = :o{at}{absent})")
    }
}

impl Reader {
    /// A page of each partition, in no order.
    pub(super) async fn pages<T: Send + 'static>(
        &self,
        asks: Vec<Ask>,
        read: fn(Item) -> T,
        effort: &mut Effort,
    ) -> Result<Vec<Page<T>>, Error> {
        let asks = asks.into_iter().map(|ask| ((), ask)).collect();
        Ok(self.pages_for(asks, read, effort).await?.into_iter().map(|((), page)| page).collect())
    }

    /// The same, each with what it is for.
    pub(super) async fn pages_for<K, T: Send + 'static>(
        &self,
        asks: Vec<(K, Ask)>,
        read: fn(Item) -> T,
        effort: &mut Effort,
    ) -> Result<Vec<(K, Page<T>)>, Error> {
        effort.requests += asks.len() as u64;
        let pages = stream::iter(asks).map(async |(what, ask)| Ok((what, self.page(ask, read).await?)));
        pages.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// What is read in all items of some partitions, as far as the bound allows.
    pub(super) async fn all<T: Send + 'static>(
        &self,
        mut asks: Vec<Ask>,
        read: fn(Item) -> T,
        effort: &mut Effort,
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while !asks.is_empty() {
            let pages = self.pages(asks, read, effort).await?;
            asks = Vec::new();
            for page in pages {
                items.extend(page.items);
                asks.extend(page.next.filter(|_| effort.another_page()));
            }
        }
        Ok(items)
    }

    async fn page<T: Send + 'static>(&self, ask: Ask, read: fn(Item) -> T) -> Result<Page<T>, Error> {
        let now = self.now;
        let lasting = move |item: Item| Some(item).filter(|item| !expired(item, now)).map(read);
        let asked = self.engine.query(ask.query(&self.table), lasting);
        let Answered { items, last } = timeout(self.patience, asked).await.map_err(|_| Error::Deadline)??;
        let next = last.map(|last| Ask { after: Some(last), ..ask });
        Ok(Page { items, next })
    }
}
