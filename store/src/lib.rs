//! The trace store.
#![doc = include_str!("../README.md")]
// Without the SDK nothing is read back: what reading needs beside it is compiled all the same, and linked nowhere.
#![cfg_attr(not(feature = "aws-sdk"), allow(dead_code, unused_imports))]

#[cfg(any(test, feature = "embedded"))]
pub mod embedded;
mod error;
mod hash;
mod item;
pub mod log;
#[cfg(feature = "aws-sdk")]
mod query;
mod run;
pub mod schema;
pub mod span;
#[cfg(feature = "aws-sdk")]
mod store;
pub mod time;
mod totals;
#[cfg(any(test, feature = "testing"))]
pub mod traffic;
pub mod wire;
mod write;

pub use error::Error;
pub use hash::{FAILURE_SHARDS, SHARDS};
pub use item::{Damaged, Item, Pointer, check_item};
#[cfg(feature = "aws-sdk")]
pub use query::{
    Answer, BuildRow, By, Cause, Comparison, Difference, EntryHit, ErrorGroup, Figures, Filter, Found,
    FunctionRow, HourRow, Impact, Incomparable, Join, Killed, MAX_PAGES, Map, MapEdge, MapNode, Names,
    OpenCall, Path, Rates, Reader, SameItem, Slower, Summary, Suspect, Transaction, Trend, Upstream, Usage,
    UserHit, bound,
};
pub use run::{Card, Failure, Name, Open, Way, last_name};
#[cfg(feature = "aws-sdk")]
pub use store::Store;
pub use totals::{Edge, Errors, ErrorsByKind, Example, Flow, Histogram, Report, Sketch, Totals};
#[cfg(feature = "aws-sdk")]
pub use write::Rebuilt;
pub use write::{Options, Table, Writer, Written};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
