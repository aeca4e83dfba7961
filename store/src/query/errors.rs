//! Errors, those that say the same together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::ask::Ask;
use super::lists::daily;
use super::{Answer, Cause, Effort, Filter, Reader};
use crate::Error;
use crate::hash::FAILURE_SHARDS;
use crate::item::Item;
use crate::run::{Card, Failure};
use crate::schema::{Partition, bounded};
use crate::time::Window;

/// How many groups are told.
const MAX_TOLD: usize = 20;
/// Of how many functions the failures are read, those with the most.
pub(super) const MAX_FUNCTIONS: usize = 10;

/// Failures that say the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorGroup {
    /// What they say; the message is that of the first.
    pub error: Failure,
    /// How many there are.
    pub count: u64,
    /// How many there were in the time of the same length before.
    pub before: u64,
    /// The first, in milliseconds since 1970.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The builds that had it.
    pub builds: BTreeSet<String>,
    /// The last one as an example.
    pub example: Card,
    /// What failed before it in that transaction, or below it, if something did; of the five most frequent errors.
    pub cause: Option<Cause>,
}

impl Reader {
    /// What fails, the most frequent first, of the failures that are wanted. For the causes ask for the
    /// [impact](Reader::impact).
    ///
    /// At most days × 16 + 50 requests for what functions fail, and days × 4 for each of the ten that fail most, or
    /// for the one of the filter; of these, days are those of the window and of the time of the same length before it,
    /// with which it is compared.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn errors(&self, window: Window, filter: &Filter) -> Result<Answer<Vec<ErrorGroup>>, Error> {
        let mut effort = Effort::default();
        let wanted = self.wanted(filter, window, &mut effort).await?;
        let failing = match &filter.function {
            Some(function) => vec![function.clone()],
            None => self.failing(window, filter, &mut effort).await?,
        };
        effort.at_least |= failing.len() > MAX_FUNCTIONS;
        let before = window.with_before();
        let asks = failing.iter().take(MAX_FUNCTIONS).flat_map(|function| ask_failures(function, before));
        let items = self.all(asks.collect(), &mut effort).await?;
        let mut by_function: BTreeMap<String, Vec<Card>> = BTreeMap::new();
        for failure in failures(items, &mut effort).into_iter().filter(|failure| wanted.wants(failure)) {
            by_function.entry(failure.function.clone()).or_default().push(failure);
        }
        let mut groups: Vec<ErrorGroup> =
            by_function.values().flat_map(|failures| grouped(failures, window)).collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.error.cmp(&b.error)));
        groups.truncate(MAX_TOLD);
        Ok(effort.answer(groups))
    }

    /// The failures of a function, by time.
    pub(super) async fn all_failures(
        &self,
        function: &str,
        window: Window,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        let items = self.all(ask_failures(function, window), effort).await?;
        Ok(failures(items, effort))
    }
}

/// What asks for the failures of a function.
fn ask_failures(function: &str, window: Window) -> Vec<Ask> {
    let function = bounded(function).into_owned();
    daily(window, FAILURE_SHARDS, |day, shard| Partition::Failures { day, shard, function: function.clone() })
        .flatten()
        .collect()
}

/// Failures, by time.
fn failures(items: Vec<Item>, effort: &mut Effort) -> Vec<Card> {
    let mut failures: Vec<Card> = effort.read(items);
    failures.sort_by(|a, b| (a.at(), &a.span_id).cmp(&(b.at(), &b.span_id)));
    failures
}

/// By type and by what messages have in common: numbers and ids in them differ. Those of the window are told, beside how many
/// there were before.
pub(super) fn grouped(failures: &[Card], window: Window) -> Vec<ErrorGroup> {
    let mut groups: BTreeMap<(String, String), ErrorGroup> = BTreeMap::new();
    for card in failures {
        let Some(error) = &card.error else { continue };
        let alike: String =
            error.message.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        let group = groups.entry((error.kind.clone(), alike)).or_insert_with(|| ErrorGroup {
            error: error.clone(),
            count: 0,
            before: 0,
            first: card.at(),
            last: 0,
            builds: BTreeSet::new(),
            example: card.clone(),
            cause: None,
        });
        if card.at() < window.from {
            group.before += 1;
            continue;
        }
        group.first = if group.count == 0 { card.at() } else { group.first.min(card.at()) };
        group.count += 1;
        group.builds.extend(card.build.clone());
        if card.at() >= group.last {
            group.last = card.at();
            group.example = card.clone();
        }
    }
    groups.retain(|_, group| group.count > 0);
    let mut groups: Vec<ErrorGroup> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.error.cmp(&b.error)));
    groups.truncate(MAX_TOLD);
    groups
}
