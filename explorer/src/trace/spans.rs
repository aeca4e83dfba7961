//! The spans received so far: bounded, and each counted once.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Span, Transaction};

/// Spans kept; those that come later are counted as dropped.
const MAX_SPANS: usize = 200_000;

/// All spans received, by trace and by id.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    by_trace: HashMap<String, Vec<Arc<Span>>>,
    /// How often each span arrived.
    arrivals: HashMap<(String, String), u32>,
    /// Invocation spans by request id.
    invocations: HashMap<String, Arc<Span>>,
    /// Invocation spans that link into a trace, by that trace's id.
    linking: HashMap<String, Vec<Arc<Span>>>,
    dropped: u64,
}

impl Spans {
    /// Adds a span, unless it is here already.
    pub fn add(&mut self, span: Span) {
        let key = (span.trace_id.clone(), span.span_id.clone());
        if self.arrivals.len() >= MAX_SPANS && !self.arrivals.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let arrivals = self.arrivals.entry(key).or_default();
        *arrivals += 1;
        if *arrivals > 1 {
            return;
        }
        let span = Arc::new(span);
        if let Some(id) = span.invocation_id() {
            self.invocations.insert(id.to_owned(), span.clone());
            let mut linked: Vec<&String> = span.links.iter().map(|link| &link.trace_id).collect();
            linked.sort();
            linked.dedup();
            for trace_id in linked.into_iter().filter(|trace_id| **trace_id != span.trace_id) {
                self.linking.entry(trace_id.clone()).or_default().push(span.clone());
            }
        }
        self.by_trace.entry(span.trace_id.clone()).or_default().push(span);
    }

    /// The number of different spans.
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether nothing has been received.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// Spans that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The span of an invocation.
    pub fn invocation(&self, request_id: &str) -> Option<&Arc<Span>> {
        self.invocations.get(request_id)
    }

    /// The transaction with this trace id.
    pub fn transaction(&self, trace_id: &str) -> Option<Transaction> {
        let spans = self.by_trace.get(trace_id)?;
        let arrivals = spans.iter().map(|span| {
            self.arrivals.get(&(span.trace_id.clone(), span.span_id.clone())).copied().unwrap_or(1)
        });
        let duplicates = arrivals.map(|arrivals| arrivals as usize - 1).sum();
        let linking = self.linking.get(trace_id).cloned().unwrap_or_default();
        Some(Transaction::new(spans.clone(), linking, duplicates))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Told as _, span};
    use super::*;

    #[test]
    fn counts_a_span_once_and_says_so() {
        let mut spans = Spans::default();
        spans.add(span("t", "a", None, "f"));
        spans.add(span("t", "a", None, "f"));
        spans.add(span("u", "a", None, "f"));
        assert_eq!(spans.len(), 2);
        assert_eq!(spans.transaction("t").unwrap().duplicates, 1);
        assert_eq!(spans.transaction("u").unwrap().duplicates, 0);
        assert!(spans.transaction("v").is_none());
    }

    #[test]
    fn finds_invocations_by_request_id_and_by_link() {
        let mut spans = Spans::default();
        spans.add(span("t", "a", None, "f"));
        spans.add(span("batch", "b", None, "g").with("faas.invocation_id", "r-1").linked("t", "a"));
        assert_eq!(spans.invocation("r-1").unwrap().span_id, "b");
        assert_eq!(spans.transaction("t").unwrap().linking[0].span_id, "b");
    }
}
