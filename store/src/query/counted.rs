//! What the sandboxes have counted, by function and hour.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use serde::Serialize;

use super::ask::{Ask, Only};
use super::{Answer, Effort, Filter, Reader};
use crate::Error;
use crate::hash::SHARDS;
use crate::item::{Damaged, Item, bytes, text};
use crate::schema::{Partition, SORT_KEY, bounded, totals_within};
use crate::time::{HOUR, Window};
use crate::totals::{self, Histogram, OTHER, Totals};

/// What was counted of one function, by hour since 1970.
pub(super) type Hours = BTreeMap<u64, Totals>;

/// How often something was done, and how well.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// How often.
    pub runs: u64,
    /// How often it failed, or a record.
    pub failures: u64,
    /// How long half of them took at most, in microseconds.
    pub p50: Option<u64>,
    /// How long 95 of a hundred took at most, in microseconds.
    pub p95: Option<u64>,
}

impl Figures {
    pub(super) fn new(runs: u64, failures: u64, durations: &Histogram) -> Self {
        Self { runs, failures, p50: durations.quantile(0.5), p95: durations.quantile(0.95) }
    }
}

/// How busy it is, and was.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// In the hours that are asked for.
    pub now: Figures,
    /// In as many hours before.
    pub before: Figures,
}

/// What there is to be asked for by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// The functions that ran.
    pub functions: BTreeSet<String>,
    /// Where transactions came in.
    pub entries: BTreeSet<String>,
    /// The types of errors that runs failed with.
    pub errors: BTreeSet<String>,
}

impl Rates {
    /// Of the totals of each function.
    fn of(totals: &[Totals], of_function: bool) -> Figures {
        let (mut begun, mut failures, mut durations) = (0_u64, 0_u64, Histogram::default());
        for flow in totals.iter().flat_map(|totals| totals.flows.values()) {
            failures = failures.saturating_add(flow.failures);
            let runs = if of_function { flow.runs } else { flow.begun };
            begun = begun.saturating_add(runs);
            // Where only some began one, nobody knows how long these took.
            if runs > 0 && runs >= flow.runs {
                durations.merge(&flow.durations);
            }
        }
        Figures::new(begun, failures, &durations)
    }
}

impl Reader {
    /// How many transactions began in the [whole hours](Window::whole_hours) of a window and in as many before, how many
    /// runs failed in them, and how long the functions took that they began with, where nothing else is counted with these;
    /// of a function that the filter names, its runs. The filter as in [`Reader::functions`].
    ///
    /// At most days × 16 + 50 requests, of both times together.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn rates(&self, window: Window, filter: &Filter) -> Result<Answer<Rates>, Error> {
        let mut effort = Effort::default();
        let (window, function) = (window.whole_hours(), filter.function.as_deref());
        let counted = self.totals_by_hour(window.with_before(), function, &mut effort).await?;
        let figures = |window| {
            let of_each = counted.values().map(|hours| {
                let mut totals = within(hours, window);
                filter.narrow(&mut totals);
                totals
            });
            Rates::of(&of_each.collect::<Vec<_>>(), function.is_some())
        };
        Ok(effort.answer(Rates { now: figures(window), before: figures(window.before()) }))
    }

    /// What ran in the [whole hours](Window::whole_hours) of a window, by name.
    ///
    /// At most days × 16 + 50 requests.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn known(&self, window: Window) -> Result<Answer<Names>, Error> {
        let mut effort = Effort::default();
        let totals = self.totals(window.whole_hours(), None, &mut effort).await?;
        let mut names = Names::default();
        for ((entry, _), flow) in totals.values().flat_map(|totals| &totals.flows) {
            names.entries.extend(Some(entry.clone()).filter(|entry| !entry.is_empty() && entry != OTHER));
            names
                .errors
                .extend(flow.errors.keys().map(|(kind, _)| kind.clone()).filter(|kind| kind != OTHER));
        }
        names.functions = totals.into_keys().collect();
        Ok(effort.answer(names))
    }

    /// What was counted of each function, or of one.
    pub(super) async fn totals(
        &self,
        window: Window,
        function: Option<&str>,
        effort: &mut Effort,
    ) -> Result<BTreeMap<String, Totals>, Error> {
        let hours = self.totals_by_hour(window, function, effort).await?;
        Ok(hours.into_iter().map(|(function, hours)| (function, sum(hours.values()))).collect())
    }

    /// The same by hour.
    ///
    /// At most days × 16 requests, and pages beyond the first as with all questions.
    pub(super) async fn totals_by_hour(
        &self,
        window: Window,
        function: Option<&str>,
        effort: &mut Effort,
    ) -> Result<BTreeMap<String, Hours>, Error> {
        self.counted(window, function, |item| read(&item), effort).await
    }

    /// Of the totals by hour failures and errors alone, of those that have some. It takes half as long.
    pub(super) async fn failures_by_hour(
        &self,
        window: Window,
        effort: &mut Effort,
    ) -> Result<BTreeMap<String, Hours>, Error> {
        self.counted(window, None, |item| read_with(&item, totals::read_failures), effort).await
    }

    async fn counted(
        &self,
        window: Window,
        function: Option<&str>,
        read: fn(Item) -> Result<Counted, Damaged>,
        effort: &mut Effort,
    ) -> Result<BTreeMap<String, Hours>, Error> {
        let shards = window.days().flat_map(|day| (0..SHARDS).map(move |shard| (day, shard)));
        let asks = shards.map(|(day, shard)| {
            let ask = Ask::between(Partition::Totals { day, shard }, totals_within(window));
            match function {
                Some(function) => ask.only(vec![Only::text("function", &bounded(function))]),
                None => ask,
            }
        });
        let read = self.all(asks.collect(), read, effort).await?;
        let mut counted: BTreeMap<String, Hours> = BTreeMap::new();
        for (name, hour, totals) in effort.sound(read) {
            match counted.entry(name).or_default().entry(hour) {
                Entry::Occupied(mut of_others) => of_others.get_mut().merge(&totals),
                Entry::Vacant(first) => drop(first.insert(totals)),
            }
        }
        Ok(counted)
    }
}

/// Of these hours those of a window.
pub(super) fn within(hours: &Hours, window: Window) -> Totals {
    sum(hours.range(window.from / HOUR..=window.to / HOUR).map(|(_, totals)| totals))
}

pub(super) fn sum<'a>(totals: impl Iterator<Item = &'a Totals>) -> Totals {
    let mut sum = Totals::default();
    totals.for_each(|totals| sum.merge(totals));
    sum
}

/// Function, hour since 1970, and what was counted.
type Counted = (String, u64, Totals);

/// An item of totals.
pub(crate) fn read(item: &Item) -> Result<Counted, Damaged> {
    read_with(item, totals::read)
}

fn read_with(item: &Item, read: fn(&[u8]) -> Result<Totals, prost::DecodeError>) -> Result<Counted, Damaged> {
    let hour = text(item, SORT_KEY).and_then(|sort| sort.split_once('#')?.0.parse().ok());
    let (function, bytes) = text(item, "function")
        .zip(bytes(item, "totals"))
        .ok_or_else(|| Damaged::new(item, "no totals of ours"))?;
    let hour = hour.ok_or_else(|| Damaged::new(item, "no hour of ours"))?;
    let totals = read(bytes).map_err(|error| Damaged::new(item, error))?;
    Ok((function.to_owned(), hour, totals))
}
