//! The records of a batch: found by their ids, and processed in scopes of their own.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::Invocation;
use super::describe::{describe_baggage, describe_record};
use super::origin::RecordOrigin;
use crate::propagation::child_of;
use crate::scope::Scope;
use crate::span::{Span, SpanKind};
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

impl Invocation {
    /// The scope of a record of the batch; [`Scope::end_record`] ends its span.
    ///
    /// Whose child its span is says [`RecordOrigin`].
    pub(crate) fn open_record(self: &Arc<Self>, id: &str, outer: &Scope) -> Scope {
        self.begin_record(id, self.records.get(id), outer)
    }

    /// Makes the spans of records that the handler is not given.
    pub(super) fn tell_refused(self: &Arc<Self>, records: &[Record], outer: &Scope) {
        if !records.is_empty() {
            let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
            self.with_span(|span| span.set("throughline.dry_run.refused_records", count));
        }
        for record in records {
            let scope = self.begin_record(&record.id, Some(record), outer);
            scope.with_span(|span| span.set("throughline.dry_run.refused", true));
            scope.end_record();
        }
    }

    fn begin_record(self: &Arc<Self>, id: &str, record: Option<&Record>, outer: &Scope) -> Scope {
        let sender = record.and_then(|record| record.sender.as_ref());
        let RecordOrigin { parent, mut baggage, link } = RecordOrigin::of(sender, self);
        baggage.identify([id, &*outer.correlation_id().unwrap_or_default()]);
        let hops = baggage.hops();
        baggage.arrive(record.map_or("record", |record| &*record.source), hops);
        self.settings().mark(&mut baggage);
        let context = child_of(&parent);
        // `sqs payments < sns orders` is processed from `payments`.
        let from = record.and_then(|record| record.source.split(' ').nth(1)).unwrap_or("record");
        let name = ["process ", from].concat();
        let mut span = Span::start(context, Some(&parent), SpanKind::Consumer, &name, self.now());
        span.set("messaging.operation.name", "process");
        span.set("messaging.operation.type", "process");
        describe_baggage(&mut span, &baggage, self.settings());
        if let Some(record) = record {
            describe_record(&mut span, record, self.received);
        }
        // The other span of the two that are not each other's parent, and whoever else had to do with it.
        let others = link.iter().chain((parent != self.context).then_some(&self.context));
        for other in others.chain(record.into_iter().flat_map(|record| &record.links)) {
            span.link(other, || None);
        }
        Scope::of_record(self.clone(), span, baggage)
    }
}
