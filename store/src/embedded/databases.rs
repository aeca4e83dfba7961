//! Reading.
//!
//! A database answers one request at a time. Of one in a file there are several, so that what is asked at once is answered
//! at once: SQLite lets any number read beside one that writes (<https://www.sqlite.org/wal.html>).

use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::actions::query::QueryRequest;
use dynoxide::{Database, DynoxideError};
use tokio::sync::Semaphore;

use super::item::{from_embedded, to_embedded};
use crate::Error;
use crate::query::{Answered, Query, Read};

/// In how many databases a file is read at most: two for each core, so that none is idle while an answer is handed over,
/// up to these.
const MAX_READERS: usize = 16;

/// A database, and others of the same file.
#[derive(Clone)]
pub(crate) struct Databases {
    /// The one that writes.
    database: Database,
    /// None of a database in memory.
    readers: Option<Arc<Readers>>,
}

struct Readers {
    path: String,
    free: Semaphore,
    /// Those that are open and not in use.
    idle: Mutex<Vec<Database>>,
}

impl Databases {
    pub(crate) fn new(database: Database) -> Self {
        let path = database.db_path().ok().flatten().filter(|path| !path.is_empty());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let readers = path.map(|path| Readers {
            path,
            free: Semaphore::new(cores.saturating_mul(2).min(MAX_READERS)),
            idle: Mutex::default(),
        });
        Self { database, readers: readers.map(Arc::new) }
    }

    /// Asks, to be awaited on a Tokio runtime: the database blocks its thread.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        query: Query,
        read: impl Read<T>,
    ) -> Result<Answered<T>, Error> {
        let database = self.database.clone();
        let answer = match &self.readers {
            None => tokio::task::spawn_blocking(move || answer(&database, query, read)).await,
            Some(readers) => {
                let _free = readers.free.acquire().await;
                let readers = Arc::clone(readers);
                let ask = move || {
                    let reader = readers.take().unwrap_or(database);
                    let answer = answer(&reader, query, read);
                    readers.give_back(reader);
                    answer
                };
                tokio::task::spawn_blocking(ask).await
            }
        };
        answer.map_err(|error| Error::NoAnswer(error.to_string()))?
    }
}

impl Readers {
    /// One that is not in use, or one more; none if it can't be opened.
    fn take(&self) -> Option<Database> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.or_else(|| Database::new(&self.path).ok())
    }

    fn give_back(&self, database: Database) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(database);
    }
}

impl std::fmt::Debug for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Databases")
    }
}

fn answer<T>(database: &Database, query: Query, read: impl Read<T>) -> Result<Answered<T>, Error> {
    let text = |(name, value)| (name, dynoxide::AttributeValue::S(value));
    let request = QueryRequest {
        table_name: query.table,
        key_condition_expression: Some(query.key_condition.to_owned()),
        filter_expression: query.filter,
        expression_attribute_names: Some(query.names),
        expression_attribute_values: Some(query.values.into_iter().map(text).collect()),
        scan_index_forward: !query.newest_first,
        limit: usize::try_from(query.limit).ok(),
        exclusive_start_key: query.after.map(to_embedded),
        ..QueryRequest::default()
    };
    let answer = database.query(request).map_err(|error| refused(&error))?;
    let items = answer.items.unwrap_or_default().into_iter().map(from_embedded).filter_map(read);
    Ok(Answered { items: items.collect(), last: answer.last_evaluated_key.map(from_embedded) })
}

/// What it says, as the service would.
fn refused(error: &DynoxideError) -> Error {
    let kind = error.error_type();
    let code = kind.rsplit('#').next().unwrap_or(kind).to_owned();
    Error::Refused { status: error.status_code(), code, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use futures_util::future::try_join_all;

    use super::*;
    use crate::testing::{NOW, invocation, otlp};
    use crate::time::{HOUR, Window};
    use crate::{Filter, Options, Store};

    /// What was written is read at once, by whichever database is asked.
    #[tokio::test]
    async fn a_file_is_read_by_several_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = Store::embedded(Database::new(path.to_str().unwrap()).unwrap(), "traces");
        store.create_table().await.unwrap();
        let now = std::time::UNIX_EPOCH + std::time::Duration::from_millis(NOW);
        let (reader, writer) = (store.reader(now), store.writer("sandbox", Options::default()));
        let window = Window::new(NOW - HOUR, NOW + HOUR);
        for id in 1..=9_u64 {
            let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
            let request = otlp("f", [invocation(id, id, &format!("r-{id}"))]);
            writer.write_request(request, now, deadline).await.unwrap();
            let any = Filter::default();
            let asked = try_join_all((0..9).map(|_| reader.runs("f", window, &any, 99))).await.unwrap();
            assert!(asked.iter().all(|answer| answer.found.len() as u64 == id), "{id}");
        }
    }

    #[test]
    fn a_database_in_memory_is_one() {
        assert!(Databases::new(Database::memory().unwrap()).readers.is_none());
    }

    /// As the client says it, to which the explorer has its words of help.
    #[tokio::test]
    async fn an_error_is_that_of_the_service() {
        let database = Database::memory().unwrap();
        let window = Window::new(NOW - HOUR, NOW);
        let mut said = Vec::new();
        for store in
            [Store::embedded(database.clone(), "none"), Store::new(crate::embedded::client(database), "none")]
        {
            let reader = store.reader(std::time::UNIX_EPOCH);
            said.push(reader.runs("f", window, &Filter::default(), 9).await.unwrap_err().to_string());
        }
        assert!(said[0].starts_with("ResourceNotFoundException: "), "{said:?}");
        assert_eq!(said[0], said[1]);
    }
}
