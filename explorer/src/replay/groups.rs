//! What the three signals have in common: groups (resources) of scopes of items, which can be told apart.

use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

/// A signal of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub(super) const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// As in paths.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// What its items are called.
    pub(super) fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metrics",
            Self::Logs => "log records",
        }
    }
}

/// The items of one resource.
pub(super) trait Group: Message + Clone + Default {
    /// The number of items.
    fn items(&self) -> usize;

    /// Takes the latter half of the items out, if there are several.
    fn halve(&mut self) -> Option<Self>;
}

macro_rules! group {
    ($group:ty, $scopes:ident, $items:ident) => {
        impl Group for $group {
            fn items(&self) -> usize {
                self.$scopes.iter().map(|scope| scope.$items.len()).sum()
            }

            fn halve(&mut self) -> Option<Self> {
                let scopes = self.$scopes.len();
                let taken = match self.$scopes.as_mut_slice() {
                    [] => return None,
                    [scope] if scope.$items.len() < 2 => return None,
                    [scope] => {
                        let items = scope.$items.split_off(scope.$items.len() / 2);
                        let mut half = scope.clone();
                        half.$items = items;
                        vec![half]
                    }
                    _ => self.$scopes.split_off(scopes / 2),
                };
                let mut half = Self { $scopes: Vec::new(), ..self.clone() };
                half.$scopes = taken;
                Some(half)
            }
        }
    };
}

group!(ResourceSpans, scope_spans, spans);
group!(ResourceMetrics, scope_metrics, metrics);
group!(ResourceLogs, scope_logs, log_records);

/// The groups in such pieces that each has at most `max` bytes, or one item.
pub(super) fn pieces<G: Group>(groups: Vec<G>, max: usize) -> Vec<G> {
    let mut pieces = Vec::new();
    for group in groups {
        let mut stack = vec![group];
        while let Some(mut group) = stack.pop() {
            match (group.encoded_len() > max).then(|| group.halve()).flatten() {
                Some(half) => stack.extend([half, group]),
                None => pieces.push(group),
            }
        }
    }
    pieces
}

/// A request of these groups: all three are nothing but a repeated field 1.
pub(super) fn request<G: Group>(groups: &[G]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::message::encode_repeated(1, groups, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_small_and_hold_everything_in_order(
            scopes in prop::collection::vec(prop::collection::vec(0_usize..100, 0..9), 0..5),
            max in 50_usize..600,
        ) {
            let span = |length: &usize| Span { name: "x".repeat(*length), ..Span::default() };
            let scope = |(at, spans): (usize, &Vec<usize>)| ScopeSpans {
                spans: spans.iter().map(span).collect(),
                schema_url: at.to_string(),
                ..ScopeSpans::default()
            };
            let scope_spans = scopes.iter().enumerate().map(scope).collect();
            let whole = ResourceSpans { scope_spans, schema_url: "r".into(), ..ResourceSpans::default() };
            let flat = |groups: &[ResourceSpans]| -> Vec<(String, String, usize)> {
                let scopes = groups.iter().flat_map(|group| group.scope_spans.iter().map(|scope| (&group.schema_url, scope)));
                scopes.flat_map(|(url, scope)| scope.spans.iter().map(|span| (url.clone(), scope.schema_url.clone(), span.name.len()))).collect()
            };
            let pieces = pieces(vec![whole.clone()], max);
            prop_assert_eq!(flat(&pieces), flat(&[whole]));
            prop_assert!(pieces.iter().all(|piece| piece.encoded_len() <= max || piece.items() < 2));
            let decoded = ExportTraceServiceRequest::decode(&*request(&pieces)).unwrap();
            prop_assert_eq!(decoded.resource_spans, pieces);
        }
    }
}
