//! What the table looks like: its definition, and the keys of its items.

mod key;
mod table;

pub use key::Partition;
pub(crate) use key::{sort, sort_of_totals, totals_within, until};
pub(crate) use table::create;
pub use table::{PARTITION_KEY, SORT_KEY, TTL};

pub(crate) use key::bounded;
