//! What is asked of the table.
//!
//! Each question has a bound on its requests, which its documentation names. What lies beyond is not read, and the answer
//! then says that it is [at least](Answer::at_least) so much. Items that can't be read are told beside it.

mod ask;
pub mod bound;
mod calls;
mod candidates;
mod cause;
mod compare;
mod counted;
mod ended;
mod engine;
mod errors;
mod filter;
mod find;
mod functions;
mod good;
mod hits;
mod impact;
mod joined;
mod joins;
mod killed;
mod latest;
mod lists;
mod logs;
mod map;
mod same_items;
mod search;
mod summary;
mod took;
mod traces;
mod transaction;
mod verdicts;

use std::time::Duration;

use serde::Serialize;

use crate::item::Damaged;

pub use cause::{Cause, OpenCall, Upstream};
pub use compare::{Difference, Slower};
pub(crate) use counted::read as read_totals;
pub use counted::{Figures, Names, Rates};
pub(crate) use engine::{Answered, Engine, Query, Read};
pub use errors::ErrorGroup;
pub use filter::Filter;
pub use find::{By, Found};
pub use functions::{BuildRow, FunctionRow, HourRow, Trend, Usage};
pub use good::{Comparison, Incomparable, Path};
pub use hits::{EntryHit, UserHit};
pub use impact::Impact;
pub use joins::Join;
pub use killed::{Killed, Suspect};
pub use map::{Map, MapEdge, MapNode};
pub use same_items::SameItem;
pub use summary::Summary;
pub use transaction::Transaction;

/// How many pages are read beyond the first of each partition.
pub const MAX_PAGES: u64 = 50;

/// An answer, and how far it can be relied upon.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Answer<T> {
    /// What was found.
    pub found: T,
    /// Whether there may be more than that: a bound was met.
    pub at_least: bool,
    /// Functions that failed too, and of which not all failures were read: those that fail least.
    pub left_out: Vec<String>,
    /// Items that could not be read.
    pub damaged: Vec<Damaged>,
    /// How many requests it took.
    pub requests: u64,
}

/// Asks the table.
#[derive(Clone, Debug)]
pub struct Reader {
    engine: Engine,
    table: String,
    /// In milliseconds since 1970.
    now: u64,
    patience: Duration,
}

impl Reader {
    pub(crate) fn new(engine: Engine, table: String, now: u64) -> Self {
        Self { engine, table, now, patience: PATIENCE }
    }

    /// Waits so long for each page, with the client's own retries, and not ten seconds: an emulator may be slow.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// How long a page is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a question has cost so far, and what it may still.
#[derive(Debug)]
struct Effort {
    pages: u64,
    requests: u64,
    at_least: bool,
    left_out: Vec<String>,
    damaged: Vec<Damaged>,
}

impl Default for Effort {
    fn default() -> Self {
        Self { pages: MAX_PAGES, requests: 0, at_least: false, left_out: Vec::new(), damaged: Vec::new() }
    }
}

impl Effort {
    /// What another answer found; what it cost is added.
    fn take<T>(&mut self, answer: Answer<T>) -> T {
        self.requests += answer.requests;
        self.at_least |= answer.at_least;
        self.left_out.extend(answer.left_out);
        self.damaged.extend(answer.damaged);
        answer.found
    }

    fn answer<T>(self, found: T) -> Answer<T> {
        let Self { requests, at_least, left_out, damaged, .. } = self;
        Answer { found, at_least, left_out, damaged, requests }
    }

    /// Of functions that have failures, those that fail most first, as many as may be followed; the others are told as left
    /// out.
    fn follow(&mut self, mut failing: Vec<String>, most: usize) -> Vec<String> {
        let left_out = failing.split_off(most.min(failing.len()));
        self.at_least |= !left_out.is_empty();
        self.left_out.extend(left_out);
        failing
    }

    /// Whether one more page may be read; if not, the answer is incomplete.
    fn another_page(&mut self) -> bool {
        let may = self.pages > 0;
        self.pages = self.pages.saturating_sub(1);
        self.at_least |= !may;
        may
    }

    /// What could be read.
    fn sound<T>(&mut self, read: impl IntoIterator<Item = Result<T, Damaged>>) -> Vec<T> {
        read.into_iter().filter_map(|one| one.map_err(|damaged| self.damaged.push(damaged)).ok()).collect()
    }
}
