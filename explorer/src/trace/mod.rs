//! What spans say: transactions, their hops, and how they look in a terminal.

mod hop;
mod layout;
mod paint;
mod transaction;

pub use hop::Hop;
pub use layout::{NOT_ENDED, Row, attempts, rows, trigger};
pub use paint::{Style, duration, paint};
pub use throughline_store::span::{Link, Span, Status};
pub use transaction::Transaction;

#[cfg(test)]
pub(crate) mod testing;
