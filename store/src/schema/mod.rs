//! What the table looks like: its definition, and the keys of its items.

mod key;
#[cfg(feature = "aws-sdk")]
mod table;

pub use key::Partition;
pub(crate) use key::{sort, sort_of_totals, totals_within, until};
#[cfg(feature = "aws-sdk")]
pub(crate) use table::create;

/// The attribute that holds the partition's key.
pub const PARTITION_KEY: &str = "pk";
/// The attribute that holds the sort key.
pub const SORT_KEY: &str = "sk";
/// The attribute that says when an item expires, in seconds since 1970.
pub const TTL: &str = "ttl";

pub(crate) use key::bounded;
