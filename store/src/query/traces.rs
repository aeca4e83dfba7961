//! Cards, by the trace under which they are kept: that of a card may be another, for a batch is told in the trace of
//! each of its senders.

use std::collections::BTreeMap;

use super::Effort;
use crate::item::{Item, text};
use crate::run::Card;
use crate::schema::{PARTITION_KEY, Partition};

/// The cards of each trace, by start.
pub(super) fn by_trace(items: Vec<Item>, effort: &mut Effort) -> BTreeMap<String, Vec<Card>> {
    let mut traces: BTreeMap<String, Vec<Card>> = BTreeMap::new();
    for item in items {
        let partition = text(&item, PARTITION_KEY).and_then(|key| key.parse().ok());
        if let Some(Partition::Trace(trace)) = partition {
            traces.entry(trace).or_default().extend(effort.read::<Card>(vec![item]));
        }
    }
    for cards in traces.values_mut() {
        cards.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
    }
    traces
}
