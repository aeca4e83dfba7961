//! The table, and what is asked of it.

use std::time::SystemTime;

use aws_sdk_dynamodb::Client;

use crate::Error;
#[cfg(any(test, feature = "embedded"))]
use crate::embedded::{self, Databases};
use crate::query::{Engine, Reader};
use crate::schema;
use crate::time::millis;
use crate::write::{Options, Writer};

/// A table of traces.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) client: Client,
    engine: Engine,
    pub(crate) table: String,
}

impl Store {
    /// The table of this name, as `client` reaches it.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { engine: Engine::Service(client.clone()), client, table: table.into() }
    }

    /// The table of this name in a database of this process. To be used on a Tokio runtime.
    #[cfg(any(test, feature = "embedded"))]
    #[must_use]
    pub fn embedded(database: dynoxide::Database, table: impl Into<String>) -> Self {
        let engine = Engine::Embedded(Databases::new(database.clone()));
        Self { client: embedded::client(database), engine, table: table.into() }
    }

    /// How it is written: to ask for what is no question.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
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
        Reader::new(self.engine.clone(), self.table.clone(), millis(now))
    }
}
