//! The most requests that each question takes: what the documentation says, to be reckoned with and to be tested.

use super::joined::{MAX_JOINING, MAX_LOOKUPS, MAX_TRACES};
use super::transaction::MAX_RUNS;
use super::{MAX_PAGES, candidates, errors, find, good, impact, logs, same_items, search};
use crate::hash::{FAILURE_SHARDS, SHARDS};
use crate::time::Window;

/// The shards of each day of a window, once.
fn shards(window: Window) -> u64 {
    window.days().count() as u64 * u64::from(SHARDS)
}

/// Those of the failures of a function.
fn failure_shards(window: Window) -> u64 {
    window.days().count() as u64 * u64::from(FAILURE_SHARDS)
}

/// Of [`failures`](super::Reader::failures).
#[must_use]
pub fn failures(window: Window) -> u64 {
    failure_shards(window) + MAX_PAGES
}

/// Of [`runs`](super::Reader::runs).
#[must_use]
pub fn list(window: Window) -> u64 {
    shards(window) + MAX_PAGES
}

/// Of [`functions`](super::Reader::functions), [`map`](super::Reader::map) and [`rates`](super::Reader::rates), which
/// tell of as many hours before as well.
#[must_use]
pub fn counted(window: Window) -> u64 {
    list(window.whole_hours().with_before())
}

/// Of [`known`](super::Reader::known).
#[must_use]
pub fn known(window: Window) -> u64 {
    list(window.whole_hours())
}

/// Of [`transactions`](super::Reader::transactions), of which at most 500 are asked for, and what joins them.
#[must_use]
pub fn transactions(window: Window) -> u64 {
    2 * list(window) + (search::MAX_LOOKED_AT + MAX_JOINING) as u64
}

/// Of those that a user has, or an id.
pub const TRANSACTIONS_OF: u64 = WITH_BAGGAGE + (search::MAX_LOOKED_AT + MAX_JOINING) as u64;

/// Of those that failed, of no certain function.
#[must_use]
pub fn transactions_that_failed(window: Window) -> u64 {
    let failures = candidates::MAX_FUNCTIONS as u64 * failure_shards(window) + candidates::FAILURE_PAGES;
    list(window) + (search::MAX_LOOKED_AT + MAX_JOINING) as u64 + 2 * failures
}

/// Of [`with_baggage`](super::Reader::with_baggage).
pub const WITH_BAGGAGE: u64 = SHARDS as u64 + MAX_PAGES;

/// Of [`find`](super::Reader::find), with so many keys of the baggage.
#[must_use]
pub fn find(keys: u64) -> u64 {
    find::PLACES + keys * u64::from(SHARDS) + MAX_PAGES
}

/// Of [`transaction`](super::Reader::transaction) and [`export`](super::Reader::export).
pub const TRANSACTION: u64 = (MAX_TRACES + MAX_RUNS + MAX_LOOKUPS) as u64 + MAX_PAGES;

/// Of [`logs`](super::Reader::logs).
pub const LOGS: u64 = 2 * logs::MAX_RUNS as u64 + MAX_PAGES;

/// Of [`last_good`](super::Reader::last_good): a day before touches two.
pub const LAST_GOOD: u64 = 2 * SHARDS as u64
    + (good::MAX_LOOKED_AT + MAX_JOINING) as u64
    + MAX_PAGES
    + good::MAX_READ as u64 * TRANSACTION;

/// Of [`same_items`](super::Reader::same_items).
pub const SAME_ITEMS: u64 = same_items::MAX_ITEMS as u64 + MAX_PAGES;

/// Of [`impact`](super::Reader::impact).
#[must_use]
pub fn impact(window: Window) -> u64 {
    let failures = failure_shards(window.with_before());
    let looked_at = (impact::MAX_ENDINGS + impact::MAX_UNTOLD + MAX_JOINING) as u64;
    failures + counted(window) + looked_at + impact::MAX_CAUSES as u64 * TRANSACTION
}

/// Of [`errors`](super::Reader::errors).
#[must_use]
pub fn errors(window: Window) -> u64 {
    let both = window.with_before();
    let read = failure_shards(both).max(errors::MAX_CUT * u64::from(FAILURE_SHARDS));
    list(both) + errors::MAX_FUNCTIONS as u64 * read + errors::MAX_TOLD as u64
}
