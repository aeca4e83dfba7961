//! Taking a large request apart.
//!
//! The requests of all three signals have one shape: resources (field 1) with scopes (field 2) with
//! items (field 2). A piece repeats what an item stands under and holds some of the items.

use super::wire::{Reader, Value};
use bytes::Bytes;

/// The number of the resources in a request; and of the scopes in a resource, the items in a scope.
const RESOURCE: u32 = 1;
const INNER: u32 = 2;

/// Splits an encoded request into requests of at most `max` bytes, in the order of their items. A
/// single item may be larger; its piece then is, too.
///
/// Bytes that are no request come back as they are.
pub fn split(request: &Bytes, max: usize) -> Vec<Bytes> {
    if request.len() <= max {
        return vec![request.clone()];
    }
    split_within(request, max, usize::MAX)
}

/// The same, with at most `most` items in each request.
pub fn split_within(request: &Bytes, max: usize, most: usize) -> Vec<Bytes> {
    let mut pieces = Pieces { done: Vec::new(), open: Vec::new(), max, items: 0, most };
    match pieces.request(request) {
        Some(()) => pieces.finish(),
        None => vec![request.clone()],
    }
}

/// The size of the largest item of a request; 0 if the bytes are none.
pub fn largest_item(request: &[u8]) -> usize {
    let inner = |message| parts(message, INNER).map(|(_, found)| found).unwrap_or_default();
    let resources = parts(request, RESOURCE).map(|(_, found)| found).unwrap_or_default();
    let items = resources.into_iter().flat_map(inner).flat_map(inner);
    items.map(<[u8]>::len).max().unwrap_or_default()
}

struct Pieces {
    done: Vec<Bytes>,
    /// The piece being filled: whole resources, each with one scope.
    open: Vec<u8>,
    max: usize,
    /// Items in the open piece, with those of the scope that will be added to it.
    items: usize,
    most: usize,
}

// === impl Pieces ===

impl Pieces {
    fn request(&mut self, request: &[u8]) -> Option<()> {
        let (_, resources) = parts(request, RESOURCE)?;
        for resource in resources {
            let (above, scopes) = parts(resource, INNER)?;
            for scope in scopes {
                let (about, items) = parts(scope, INNER)?;
                self.items(&above, &about, &items);
            }
        }
        Some(())
    }

    /// Adds the items of one scope, as many to a piece as fit.
    fn items(&mut self, above: &[u8], about: &[u8], items: &[&[u8]]) {
        let mut scope = about.to_vec();
        let mut in_scope = 0;
        for item in items {
            let full = in_scope > 0 && self.is_full(above.len() + scope.len() + item.len());
            if full || self.items >= self.most {
                if in_scope > 0 {
                    self.add(above, &scope, in_scope);
                }
                self.flush();
                scope.truncate(about.len());
                in_scope = 0;
            }
            put(&mut scope, INNER, item);
            in_scope += 1;
            self.items += 1;
        }
        self.add(above, &scope, in_scope);
    }

    fn add(&mut self, above: &[u8], scope: &[u8], items: usize) {
        if self.is_full(above.len() + scope.len()) {
            self.flush();
            self.items = items;
        }
        let mut resource = above.to_vec();
        put(&mut resource, INNER, scope);
        put(&mut self.open, RESOURCE, &resource);
    }

    /// Whether this much more would be too much; tags and lengths take a few bytes each.
    fn is_full(&self, more: usize) -> bool {
        self.open.len() + more + 32 > self.max
    }

    fn flush(&mut self) {
        self.items = 0;
        if !self.open.is_empty() {
            // It is kept: what the vector has in reserve would be kept with it.
            let mut piece = std::mem::take(&mut self.open);
            piece.shrink_to_fit();
            self.done.push(piece.into());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.flush();
        self.done
    }
}

/// The fields `number` of a message, and everything else as it stands.
fn parts(message: &[u8], number: u32) -> Option<(Vec<u8>, Vec<&[u8]>)> {
    let (mut rest, mut found) = (Vec::new(), Vec::new());
    let mut reader = Reader(message);
    loop {
        let before = reader.0;
        match reader.field().ok()? {
            None => return Some((rest, found)),
            Some((at, Value::Bytes(inner))) if at == number => found.push(inner),
            Some(_) => rest.extend_from_slice(&before[..before.len() - reader.0.len()]),
        }
    }
}

/// Appends a length-delimited field.
fn put(message: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint(message, u64::from(number << 3 | 2));
    varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::{split, split_within};
    use bytes::Bytes;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use prost::Message as _;

    /// Resources with scopes with spans, given as the lengths of the spans' names.
    fn request(resources: &[Vec<Vec<usize>>]) -> ExportTraceServiceRequest {
        let span = |(number, length): (usize, &usize)| Span {
            name: format!("{number}{}", "x".repeat(*length)),
            ..Span::default()
        };
        let scope = |(number, spans): (usize, &Vec<usize>)| ScopeSpans {
            scope: Some(InstrumentationScope { name: format!("scope {number}"), ..Default::default() }),
            spans: spans.iter().enumerate().map(span).collect(),
            schema_url: "scope's".into(),
        };
        let resource = |(number, scopes): (usize, &Vec<Vec<usize>>)| ResourceSpans {
            resource: None,
            scope_spans: scopes.iter().enumerate().map(scope).collect(),
            schema_url: format!("resource {number}"),
        };
        ExportTraceServiceRequest { resource_spans: resources.iter().enumerate().map(resource).collect() }
    }

    /// Every span with all that it stands under.
    fn flat(request: &ExportTraceServiceRequest) -> Vec<(String, String, String)> {
        let mut all = Vec::new();
        for resource in &request.resource_spans {
            for scope in &resource.scope_spans {
                let name = scope.scope.as_ref().map(|scope| scope.name.clone()).unwrap_or_default();
                all.extend(scope.spans.iter().map(|span| {
                    (resource.schema_url.clone(), name.clone() + &scope.schema_url, span.name.clone())
                }));
            }
        }
        all
    }

    #[test]
    fn small_requests_and_noise_stay_as_they_are() {
        let bytes: Bytes = request(&[vec![vec![1, 2]]]).encode_to_vec().into();
        assert_eq!(split(&bytes, 1000), std::slice::from_ref(&bytes));
        let noise = Bytes::from_static(b"\xff\xff\xff");
        assert_eq!(split(&noise, 1), [noise]);
    }

    proptest! {
        #[test]
        fn pieces_have_few_items(
            resources in vec(vec(vec(0_usize..50, 0..6), 0..4), 0..4),
            max in 100_usize..1500,
            most in 1_usize..7,
        ) {
            let whole = request(&resources);
            let pieces = split_within(&whole.encode_to_vec().into(), max, most);
            let decoded: Vec<_> = pieces
                .iter()
                .map(|piece| ExportTraceServiceRequest::decode(piece.clone()).expect("a request"))
                .collect();
            prop_assert_eq!(decoded.iter().flat_map(flat).collect::<Vec<_>>(), flat(&whole));
            prop_assert!(decoded.iter().all(|piece| flat(piece).len() <= most));
        }

        #[test]
        fn pieces_hold_everything_in_order_and_are_small(
            resources in vec(vec(vec(0_usize..200, 0..6), 0..4), 0..4),
            max in 100_usize..1500,
        ) {
            let whole = request(&resources);
            let pieces = split(&whole.encode_to_vec().into(), max);
            let decoded: Vec<_> = pieces
                .iter()
                .map(|piece| ExportTraceServiceRequest::decode(piece.clone()).expect("a request"))
                .collect();
            prop_assert_eq!(decoded.iter().flat_map(flat).collect::<Vec<_>>(), flat(&whole));
            for (piece, decoded) in pieces.iter().zip(&decoded) {
                prop_assert!(piece.len() <= max || flat(decoded).len() <= 1, "{} > {}", piece.len(), max);
            }
        }
    }
}
