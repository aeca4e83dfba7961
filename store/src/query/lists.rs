//! Lists: runs of a function, its failures, and those with which transactions began.

use super::ask::{Ask, Only};
use super::{Answer, Effort, Filter, Reader};
use crate::Error;
use crate::hash::{FAILURE_SHARDS, SHARDS};
use crate::item::Pointer;
use crate::run::Card;
use crate::schema::{Partition, bounded};
use crate::time::Window;

/// The most that is told in one list.
pub(super) const MAX_LISTED: usize = 1000;

impl Reader {
    /// The newest runs of a function.
    ///
    /// At most days × 16 + 50 requests.
    ///
    /// # Errors
    ///
    /// When the table can't be read; so with all other questions.
    pub async fn runs(
        &self,
        function: &str,
        window: Window,
        filter: &Filter,
        limit: usize,
    ) -> Result<Answer<Vec<Card>>, Error> {
        let mut effort = Effort::default();
        let wanted = self.wanted(filter, window, &mut effort).await?;
        let (wants, limit) = (|card: &Card| wanted.wants(card), limit.min(MAX_LISTED));
        let found = self.runs_that(function, window, filter.only(), wants, limit, &mut effort).await?;
        Ok(effort.answer(found))
    }

    /// The newest runs of a function that are all of `all`, and wanted.
    pub(super) async fn runs_that(
        &self,
        function: &str,
        window: Window,
        all: Vec<Only>,
        wanted: impl Fn(&Card) -> bool,
        limit: usize,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        let function = bounded(function).into_owned();
        let waves =
            daily(window, SHARDS, |day, shard| Partition::Runs { day, shard, function: function.clone() });
        self.latest(only(waves, all), limit, wanted, effort).await
    }

    /// The newest failures of a function: of a batch each record that failed.
    ///
    /// At most days × 4 + 50 requests.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn failures(
        &self,
        function: &str,
        window: Window,
        filter: &Filter,
        limit: usize,
    ) -> Result<Answer<Vec<Card>>, Error> {
        let mut effort = Effort::default();
        let wanted = self.wanted(filter, window, &mut effort).await?;
        let (wants, limit) = (|card: &Card| wanted.wants(card), limit.min(MAX_LISTED));
        let functions = [function.to_owned()];
        let found = self.failures_that(&functions, window, filter.only(), wants, limit, &mut effort).await?;
        Ok(effort.answer(found))
    }

    /// The newest failures of these functions that are all of `all`, and wanted.
    pub(super) async fn failures_that(
        &self,
        functions: &[String],
        window: Window,
        all: Vec<Only>,
        wanted: impl Fn(&Card) -> bool,
        limit: usize,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        let functions = functions.iter().map(String::as_str);
        self.latest(only(failure_waves(functions, window), all), limit, wanted, effort).await
    }

    /// The newest runs with which transactions began, of those that are all of `all`.
    pub(super) async fn begun(
        &self,
        window: Window,
        all: Vec<Only>,
        wanted: impl Fn(&Card) -> bool,
        limit: usize,
        effort: &mut Effort,
    ) -> Result<Vec<Card>, Error> {
        let waves = daily(window, SHARDS, |day, shard| Partition::Begun { day, shard });
        self.latest(only(waves, all), limit, wanted, effort).await
    }

    /// The newest runs whose baggage says so, such as those on behalf of a user: `user.id` and the id. Only of
    /// what the writer was told to index.
    ///
    /// At most 16 + 50 requests.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn with_baggage(
        &self,
        key: &str,
        value: &str,
        window: Window,
        limit: usize,
    ) -> Result<Answer<Vec<Pointer>>, Error> {
        let mut effort = Effort::default();
        let (key, value) = (key.to_owned(), bounded(value).into_owned());
        let partition = |shard| Partition::Baggage { shard, key: key.clone(), value: value.clone() };
        let wave = (0..SHARDS).map(|shard| Ask::within(partition(shard), window)).collect();
        let found = self.latest([wave], limit.min(MAX_LISTED), |_: &Pointer| true, &mut effort).await?;
        Ok(effort.answer(found))
    }
}

/// Where the failures of functions are, the newest day first.
fn failure_waves<'a>(
    functions: impl IntoIterator<Item = &'a str>,
    window: Window,
) -> impl Iterator<Item = Vec<Ask>> {
    let functions: Vec<String> = functions.into_iter().map(|name| bounded(name).into_owned()).collect();
    window.days().rev().map(move |day| {
        let shards = |function: &String| {
            let function = function.clone();
            (0..FAILURE_SHARDS).map(move |shard| Partition::Failures {
                day,
                shard,
                function: function.clone(),
            })
        };
        functions.iter().flat_map(shards).map(|partition| Ask::within(partition, window)).collect()
    })
}

/// Of each partition only what is all of this.
fn only(waves: impl Iterator<Item = Vec<Ask>>, all: Vec<Only>) -> impl Iterator<Item = Vec<Ask>> {
    waves.map(move |wave| wave.into_iter().map(|ask| ask.only(all.clone())).collect())
}

/// The shards of each day, the newest day first.
pub(super) fn daily(
    window: Window,
    shards: u8,
    partition: impl Fn(u64, u8) -> Partition,
) -> impl Iterator<Item = Vec<Ask>> {
    window.days().rev().map(move |day| {
        (0..shards).map(|shard| Ask::within(partition(day, shard), window)).collect::<Vec<_>>()
    })
}
