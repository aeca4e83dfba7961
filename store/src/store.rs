//! The table, and what is asked of it.

use std::time::SystemTime;

use aws_sdk_dynamodb::Client;

use crate::Error;
use crate::query::Reader;
use crate::schema;
use crate::time::millis;
use crate::write::{Options, Writer};

/// A table of traces.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl Store {
    /// The table of this name, as `client` reaches it.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Makes the table unless it is there already, and waits until it can be used.
    ///
    /// # Errors
    ///
    /// When DynamoDB refuses, or the table can't be used after a minute.
    pub async fn create_table(&self) -> Result<(), Error> {
        schema::create(&self.client, &self.table).await
    }

    /// A writer for this process, see [`Writer::new`].
    #[must_use]
    pub fn writer(&self, sandbox: &str, options: Options) -> Writer<Self> {
        Writer::new(self.clone(), sandbox, options)
    }

    /// Asks the table. What has expired at `now` is not there.
    #[must_use]
    pub fn reader(&self, now: SystemTime) -> Reader {
        Reader::new(self.client.clone(), self.table.clone(), millis(now))
    }
}
