//! A transaction as a tree: its spans, and what they tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::hop::via;
use super::{Hop, Span};

/// The spans of a transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The spans, by start.
    pub spans: Vec<Arc<Span>>,
    /// Invocations of other traces that had a record of this transaction in their batch, by start.
    pub linking: Vec<Arc<Span>>,
    /// Spans that stand below one of another trace, which they link to or have an id in common with: its trace and id, by
    /// theirs.
    pub joined: BTreeMap<String, (String, String)>,
    /// What else is to be said of a span, by its id.
    pub notes: BTreeMap<String, String>,
}

/// A span's trace and id: ids of spans are their trace's own.
pub(super) type Key<'a> = (&'a str, &'a str);

pub(super) fn key(span: &Span) -> Key<'_> {
    (&span.trace_id, &span.span_id)
}

impl Transaction {
    pub(crate) fn new(mut spans: Vec<Arc<Span>>, mut linking: Vec<Arc<Span>>) -> Self {
        spans.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        linking.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
        Self { spans, linking, joined: BTreeMap::new(), notes: BTreeMap::new() }
    }

    /// The trace's id.
    pub fn trace_id(&self) -> &str {
        self.spans.first().map_or("", |span| &span.trace_id)
    }

    pub(super) fn by_id(&self) -> HashMap<Key<'_>, &Arc<Span>> {
        self.spans.iter().map(|span| (key(span), span)).collect()
    }

    /// Below which span another stands.
    pub(super) fn parent<'a>(&'a self, span: &'a Span) -> Option<Key<'a>> {
        match self.joined.get(&span.span_id) {
            Some((trace, id)) => Some((trace, id)),
            None => Some((&span.trace_id, span.parent_id.as_deref()?)),
        }
    }

    /// Spans that name a parent which is not here.
    pub fn orphans(&self) -> Vec<&Arc<Span>> {
        let by_id = self.by_id();
        let lost = |span: &&Arc<Span>| self.parent(span).is_some_and(|above| !by_id.contains_key(&above));
        self.spans.iter().filter(lost).collect()
    }

    /// Each hop once, in the order in which they began.
    pub fn hops(&self) -> Vec<Hop> {
        let by_id = self.by_id();
        let mut hops = Vec::new();
        for span in &self.spans {
            let sender = self.parent(span).and_then(|above| by_id.get(&above));
            let (Some(parent), Some(source)) = (sender, span.source()) else { continue };
            // A record may hang below its own invocation, if that has the same sender: no step between.
            if span.is_record_of(parent) {
                continue;
            }
            let hop = Hop { from: parent.function.clone(), to: span.function.clone(), via: via(source) };
            if !hops.contains(&hop) {
                hops.push(hop);
            }
        }
        hops
    }

    /// The functions that took part.
    pub fn functions(&self) -> BTreeSet<&str> {
        self.spans.iter().map(|span| span.function.as_str()).collect()
    }

    /// All values that an attribute has in this transaction.
    pub fn values(&self, attribute: &str) -> BTreeSet<&str> {
        self.spans.iter().filter_map(|span| span.attribute(attribute)).collect()
    }

    /// The span at which it all began: the earliest without a parent here.
    pub fn root(&self) -> Option<&Arc<Span>> {
        let by_id = self.by_id();
        self.spans.iter().find(|span| self.parent(span).is_none_or(|above| !by_id.contains_key(&above)))
    }

    /// Milliseconds from the first start to the last end.
    pub fn millis(&self) -> f64 {
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        let start = self.spans.first().map_or(0, |span| span.start);
        end.saturating_sub(start) as f64 / 1e6
    }

    /// Whether anything in it failed.
    pub fn failed(&self) -> bool {
        self.spans.iter().chain(&self.linking).any(|span| span.error().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Told as _, span};
    use super::*;

    fn transaction(spans: Vec<Span>) -> Transaction {
        Transaction::new(spans.into_iter().map(Arc::new).collect(), Vec::new())
    }

    #[test]
    fn hops_come_from_parents_in_other_functions() {
        let told = transaction(vec![
            span("t", "1", None, "checkout-api").triggered_by("http POST /orders").at(0, 5),
            span("t", "2", Some("1"), "checkout-api").named("SNS/Publish").at(1, 2),
            span("t", "3", Some("2"), "payment-worker").triggered_by("sqs payments < sns orders").at(6, 9),
            // The same record again, after a failure.
            span("t", "4", Some("2"), "payment-worker").triggered_by("sqs payments < sns orders").at(16, 19),
            span("t", "5", Some("3"), "payment-worker").named("SQS/SendMessage").at(7, 8),
            span("t", "6", Some("5"), "email-sender").triggered_by("sqs email").at(20, 21),
            span("t", "7", Some("6"), "email-sender").triggered_by("sqs email").at(20, 21),
        ]);
        let hop = |from: &str, to: &str, via: &str| Hop { from: from.into(), to: to.into(), via: via.into() };
        assert_eq!(
            told.hops(),
            [
                hop("checkout-api", "payment-worker", "sns orders → sqs payments"),
                hop("payment-worker", "email-sender", "sqs email"),
            ]
        );
        assert!(told.orphans().is_empty());
        assert_eq!(told.functions().len(), 3);
    }

    #[test]
    fn a_span_whose_parent_is_missing_is_an_orphan_and_no_hop() {
        let told = transaction(vec![
            span("t", "1", None, "a").triggered_by("http GET /"),
            span("t", "2", Some("gone"), "b").triggered_by("sqs q"),
        ]);
        assert_eq!(told.orphans().len(), 1);
        assert!(told.hops().is_empty());
        assert_eq!(told.root().unwrap().span_id, "1");
    }
}
