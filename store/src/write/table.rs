//! The one thing that a writer asks of DynamoDB.

use std::future::Future;

use crate::{Error, Item};

/// Where a [`Writer`](crate::Writer) puts its items: a table, however it is reached.
pub trait Table {
    /// Sends one `BatchWriteItem` that puts these items, each of another key: 25 at most, and of 1 MB together unless it is
    /// one alone. Returns those that were left unprocessed.
    ///
    /// # Errors
    ///
    /// When the table refuses, or there is no answer.
    fn put(&self, items: &[Item]) -> impl Future<Output = Result<Vec<Item>, Error>> + Send;

    /// Whether what failed so is tried again before the deadline.
    fn tries_again(&self, error: &Error) -> bool {
        error.is_transient()
    }
}
