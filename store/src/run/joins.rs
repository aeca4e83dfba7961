//! What leads from a run to other traces: links, and the ids by which two spans join where no context could be carried.
//!
//! It stands beside the card of a run in each trace, so that whoever lists transactions need not read spans to know which
//! traces are one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names::{Way, list, normal};
use super::{Run, tail};
use crate::schema::bounded;
use crate::span::Span;

/// How many links and how many ids are kept of what a run has in one trace.
const MAX_KEPT: usize = 64;
/// The same id for every write of an item: it says which item, not which write.
const WEAK: &str = "dynamodb:";

/// What leads to other traces from what a run has in one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joins {
    /// The trace of the run itself, where this is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own: Option<String>,
    /// The traces of the senders that it links to, for it has no parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<String>,
    /// The ids that others may have too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ids: Vec<JoinId>,
}

/// An id of a receiver whom nobody is known to have sent anything, or of a sender who could not send the context along.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct JoinId {
    /// With what it names: `sqs:2e1424d4-…`.
    pub(crate) name: String,
    /// Whether the run received it, or sent.
    pub(crate) way: Way,
    /// When that was, in milliseconds since 1970, as the run's clock said.
    pub(crate) at: u64,
}

impl JoinId {
    /// Whether all writes of an item have it.
    pub(crate) fn is_weak(&self) -> bool {
        self.name.starts_with(WEAK)
    }

    /// By what it is looked up.
    pub(crate) fn id(&self) -> &str {
        tail(&self.name)
    }
}

impl Joins {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add_sender(&mut self, trace: &str) {
        let trace = bounded(trace);
        if self.links.len() < MAX_KEPT && !self.links.iter().any(|known| *known == trace) {
            self.links.push(trace.into_owned());
        }
    }

    fn add(&mut self, span: &Span, way: Way, names: Vec<&str>) {
        for name in names {
            let name = normal(name);
            let known = self.ids.iter().any(|id| id.way == way && id.name == name);
            if !known && self.ids.len() < MAX_KEPT {
                self.ids.push(JoinId { name: name.into_owned(), way, at: span.start / 1_000_000 });
            }
        }
    }
}

/// What leads from a run to other traces, by the trace of which its spans are.
pub(crate) fn joins(run: &Run) -> BTreeMap<String, Joins> {
    let mut joins: BTreeMap<String, Joins> = BTreeMap::new();
    let Some(head) = run.head() else { return joins };
    let is_unsent = |span: &Span| span.parent_id.is_none() && span.links.is_empty();
    // A record that nobody sent is the child of its invocation.
    let is_of_unsent = |span: &Span| {
        let parent = span.parent_id.as_deref().map(|parent| (parent, span.trace_id.as_str()));
        let of_head = parent == Some((head.span_id.as_str(), head.trace_id.as_str()));
        span.is_record() && of_head && span.links.is_empty() && is_unsent(head)
    };
    for span in &run.spans {
        if is_unsent(span) || is_of_unsent(span) {
            of_trace(&mut joins, &span.trace_id).add(span, Way::In, list(span, "throughline.join.in"));
        }
        let injected = span.attribute("throughline.injected").is_some_and(|place| place != "none");
        // Of a batch it may be a part that could not carry it.
        let carried = injected && span.attribute("throughline.inject.skipped").is_none();
        if !carried {
            of_trace(&mut joins, &span.trace_id).add(span, Way::Out, list(span, "throughline.join.out"));
        }
        let links = span.links.iter().map(|link| &link.trace_id).filter(|trace| **trace != span.trace_id);
        if span.parent_id.is_none() {
            links.clone().for_each(|sender| of_trace(&mut joins, &span.trace_id).add_sender(sender));
        }
        let record = Some(&span.trace_id).filter(|_| span.is_record());
        for elsewhere in links.chain(record).filter(|trace| **trace != head.trace_id) {
            of_trace(&mut joins, elsewhere).own = Some(bounded(&head.trace_id).into_owned());
        }
    }
    joins
}

fn of_trace<'a>(joins: &'a mut BTreeMap<String, Joins>, trace: &str) -> &'a mut Joins {
    joins.entry(bounded(trace).into_owned()).or_default()
}
