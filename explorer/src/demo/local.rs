//! What a run stands on: the embedded AWS services, and the store in one of their tables.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use dynoxide::Database;
use throughline_store::{Reader, Store};

use crate::cloud::Cloud;
use crate::connection::{self, Connection, IN_FILE, Missing};

/// The services and the store. They end when this is dropped.
pub(super) struct Local {
    pub(super) cloud: Cloud,
    pub(super) store: Connection,
    kept: Option<Database>,
}

impl Local {
    /// Starts them. What the store holds is to be kept in `file`, if there is one.
    ///
    /// # Errors
    ///
    /// When the file is no store, or no loopback port can be bound.
    pub(super) async fn start(file: Option<&Path>) -> anyhow::Result<Self> {
        let kept = file.map(|file| connection::open(file, Missing::Make)).transpose()?;
        let cloud = Cloud::start().await?;
        let store = Connection::own(cloud.dynamodb.0.clone(), file);
        store.store.create_table().await.context("the store's table")?;
        Ok(Self { cloud, store, kept })
    }

    /// Asks the store, now.
    pub(super) fn reader(&self) -> Reader {
        self.store.store.reader(SystemTime::now())
    }

    /// Copies what the store holds into the file. Not before the end: on a disk each write takes its time.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub(super) async fn keep(&self) -> anyhow::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        Store::embedded(kept.clone(), IN_FILE).create_table().await.context("the store's table")?;
        self.cloud.dynamodb.copy(IN_FILE, kept)
    }
}
