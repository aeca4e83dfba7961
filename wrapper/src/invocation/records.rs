//! The records of a batch, found by their ids.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::triggers::Record;

/// As many as are found sooner one by one than by a map that is first to be made.
const FEW: usize = 16;

#[derive(Debug)]
pub(super) struct Records {
    records: Vec<Record>,
    /// Where each stands: a batch may have 10,000. Made for the first who asks, and many handlers never do.
    by_id: OnceLock<HashMap<String, usize>>,
}

impl Records {
    pub(super) fn new(records: Vec<Record>) -> Self {
        Self { records, by_id: OnceLock::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether one of them came straight from what `throughline.source` calls so.
    #[cfg(feature = "dynamodb")]
    pub(super) fn come_from(&self, kind: &str, name: &str) -> bool {
        self.records.iter().any(|record| record.source.split_once(' ') == Some((kind, name)))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(self.position(id)?)
    }

    /// Where in the batch a record stands. Of records that have one id, the first counts: there a stream would
    /// begin again.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        if self.records.len() <= FEW {
            return self.records.iter().position(|record| record.id == id);
        }
        let by_id = self.by_id.get_or_init(|| {
            let mut by_id = HashMap::with_capacity(self.records.len());
            for (position, record) in self.records.iter().enumerate() {
                by_id.entry(record.id.clone()).or_insert(position);
            }
            by_id
        });
        by_id.get(id).copied()
    }
}
