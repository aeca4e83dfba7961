//! What is told of runs in the traces that they have to do with, by the trace under which it is kept: that of a card may
//! be another, for a batch is told in the trace of each of its senders.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Effort;
use crate::item::{Item, text};
use crate::run::{Card, Joins};
use crate::schema::{PARTITION_KEY, Partition};

/// The attribute that has what leads to other traces.
const JOINS: &str = "joins";

/// A run, as it is told in one trace.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) card: Card,
    /// What leads from it to other traces.
    pub(super) joins: Joins,
}

#[derive(Deserialize)]
struct Joined {
    joins: Joins,
}

/// The runs of each trace, by start.
pub(super) fn by_trace(items: Vec<Item>, effort: &mut Effort) -> BTreeMap<String, Vec<Part>> {
    let mut traces: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for item in items {
        let partition = text(&item, PARTITION_KEY).and_then(|key| key.parse().ok());
        if let Some(Partition::Trace(trace)) = partition {
            let joined = item.get(JOINS).map(|_| effort.read::<Joined>(vec![item.clone()]));
            let joins = joined.and_then(|mut joined| joined.pop()).map(|joined| joined.joins);
            let joins = joins.unwrap_or_default();
            let cards = effort.read::<Card>(vec![item]).into_iter();
            traces.entry(trace).or_default().extend(cards.map(|card| Part { card, joins: joins.clone() }));
        }
    }
    for parts in traces.values_mut() {
        parts.sort_by(|a, b| (a.card.start, &a.card.span_id).cmp(&(b.card.start, &b.card.span_id)));
    }
    traces
}
