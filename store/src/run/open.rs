//! What a process was at that was killed: the records of its batch that it had begun and not ended.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::span::{Kind, Span};

/// How far above a call its record is looked for.
const MAX_DEPTH: usize = 64;

/// What became of a record whose handling had not ended when its process was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// It waited for a call that had not ended either.
    Waited,
    /// It ran, or waited for something that has no span.
    Ran,
}

/// A span, by trace and id.
type Key<'a> = (&'a str, &'a str);

fn key(span: &Span) -> Key<'_> {
    (&span.trace_id, &span.span_id)
}

/// The records among these spans that were open, by their spans.
pub(crate) fn open<'a>(spans: impl Iterator<Item = &'a Span>) -> BTreeMap<Key<'a>, Open> {
    // Of a batch that is over nothing is open.
    let open: HashMap<Key<'_>, &Span> =
        spans.filter(|span| span.is_open()).map(|span| (key(span), span)).collect();
    let records = open.values().filter(|span| span.is_record());
    let mut records: BTreeMap<Key<'_>, Open> = records.map(|span| (key(span), Open::Ran)).collect();
    for call in open.values().filter(|span| matches!(span.kind, Kind::Client | Kind::Producer)) {
        // Whoever has an open span below it is open itself. Parents may go round in a circle.
        let above = std::iter::successors(Some(*call), |span| {
            open.get(&(span.trace_id.as_str(), span.parent_id.as_deref()?)).copied()
        });
        if let Some(record) = above.take(MAX_DEPTH).find(|span| span.is_record()) {
            records.insert(key(record), Open::Waited);
        }
    }
    records
}
