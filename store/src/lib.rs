//! The trace store.
#![doc = include_str!("../README.md")]

#[cfg(any(test, feature = "embedded"))]
pub mod embedded;
mod error;
mod hash;
mod item;
pub mod log;
mod query;
mod run;
pub mod schema;
pub mod span;
mod store;
pub mod time;
mod totals;
mod write;

pub use error::Error;
pub use hash::SHARDS;
pub use item::{Damaged, Pointer};
pub use query::{
    Answer, BuildRow, By, Cause, EntryHit, ErrorGroup, Filter, Found, FunctionRow, Impact, Join, MAX_PAGES,
    MapEdge, Reader, Summary, Transaction, Upstream, UserHit,
};
pub use run::{Card, Failure, Name, Way};
pub use store::Store;
pub use totals::{Edge, Flow, Histogram, Sketch, Totals};
pub use write::{Options, Rebuilt, Writer, Written};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
