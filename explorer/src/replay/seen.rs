//! Which spans were here already: logs are exported in overlapping pieces, and the same file is named twice.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

/// Keys of one generation; two are kept, some 100 MB.
const GENERATION: usize = 1 << 20;

type Key = [u8; 24];

/// The last million of spans, at least.
#[derive(Debug, Default)]
pub(super) struct Seen {
    young: HashSet<Key>,
    old: HashSet<Key>,
}

// === impl Seen ===

impl Seen {
    /// Takes out the spans that were here already; their number. Who has no ids is never the same.
    pub(super) fn retain_new(&mut self, groups: &mut Vec<ResourceSpans>) -> usize {
        let mut repeated = 0;
        for group in groups.iter_mut() {
            for scope in &mut group.scope_spans {
                let before = scope.spans.len();
                scope.spans.retain(|span| match key(&span.trace_id, &span.span_id) {
                    Some(key) => self.is_new(key),
                    None => true,
                });
                repeated += before - scope.spans.len();
            }
            group.scope_spans.retain(|scope| !scope.spans.is_empty());
        }
        groups.retain(|group| !group.scope_spans.is_empty());
        repeated
    }

    /// Whether no such groups were here. Metrics and log records have no ids: they are the same if they are
    /// equal, times included.
    pub(super) fn are_new<G: Message>(&mut self, groups: &[G]) -> bool {
        let mut key = [0xff; 24];
        for (half, salt) in key[..16].chunks_mut(8).zip(0_u8..) {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            groups.iter().for_each(|group| group.encode_to_vec().hash(&mut hasher));
            half.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        self.is_new(key)
    }

    fn is_new(&mut self, key: Key) -> bool {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        !self.old.contains(&key) && self.young.insert(key)
    }
}

fn key(trace_id: &[u8], span_id: &[u8]) -> Option<Key> {
    let mut key = [0; 24];
    key[..16].copy_from_slice(trace_id.get(..16)?);
    key[16..].copy_from_slice(span_id.get(..8)?);
    Some(key)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};

    use super::*;

    fn group(ids: &[u8]) -> Vec<ResourceSpans> {
        let span = |id: &u8| Span {
            trace_id: vec![1; 16],
            span_id: vec![*id; 8],
            name: id.to_string(),
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: ids.iter().map(span).collect(), ..ScopeSpans::default() }];
        vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }]
    }

    #[test]
    fn a_span_is_new_once() {
        let mut seen = Seen::default();
        let mut first = group(&[1, 2, 1]);
        assert_eq!(seen.retain_new(&mut first), 1);
        assert_eq!(first, group(&[1, 2]));
        let mut second = group(&[2, 3]);
        assert_eq!((seen.retain_new(&mut second), second), (1, group(&[3])));
        let mut third = group(&[1, 2, 3]);
        assert_eq!((seen.retain_new(&mut third), third), (3, vec![]));
        let mut without = vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![Span::default(); 2], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }];
        assert_eq!(seen.retain_new(&mut without), 0);
    }

    #[test]
    fn what_has_no_ids_is_told_by_all_it_says() {
        let mut seen = Seen::default();
        assert!(seen.are_new(&group(&[1])) && seen.are_new(&group(&[2])) && !seen.are_new(&group(&[1])));
    }
}
