//! What is told of runs in the traces that they have to do with, by the trace under which it is kept: that of a card may
//! be another, for a batch is told in the trace of each of its senders.

use std::collections::BTreeMap;

use super::Effort;
use crate::item::{self, Damaged, Item, text};
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

/// What an item under a trace says.
pub(super) struct Kept {
    trace: String,
    part: Part,
    /// What leads to others may be torn by itself.
    torn: Option<Damaged>,
}

impl Kept {
    /// Nothing of what is no trace's.
    pub(super) fn of(item: Item) -> Result<Option<Self>, Damaged> {
        let partition = text(&item, PARTITION_KEY).and_then(|key| key.parse().ok());
        let Some(Partition::Trace(trace)) = partition else { return Ok(None) };
        let joins = item.get(JOINS).cloned().map(serde_dynamo::from_attribute_value).transpose();
        let torn = joins.as_ref().err().map(|error| Damaged::new(&item, error));
        let card = item::read(item)?;
        Ok(Some(Self { trace, part: Part { card, joins: joins.ok().flatten().unwrap_or_default() }, torn }))
    }
}

/// The runs of each trace, by start.
pub(super) fn by_trace(
    read: Vec<Result<Option<Kept>, Damaged>>,
    effort: &mut Effort,
) -> BTreeMap<String, Vec<Part>> {
    let mut traces: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for Kept { trace, part, torn } in effort.sound(read).into_iter().flatten() {
        effort.damaged.extend(torn);
        traces.entry(trace).or_default().push(part);
    }
    for parts in traces.values_mut() {
        parts.sort_by(|a, b| (a.card.start, &a.card.span_id).cmp(&(b.card.start, &b.card.span_id)));
    }
    traces
}
