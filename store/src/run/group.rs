//! Which spans belong to which run.
//!
//! The wrapper hands over one invocation at a time. But other SDKs export when their batch is full, and concurrent
//! invocations of one process share a resource: the spans of a request are [told apart](super::owner).

use std::collections::{HashMap, HashSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan};

use super::owner::{Owner, owners};
use super::{Failure, REQUEST, Run};
use crate::span::{Span, function};

/// The scope of spans that the extension makes from what the platform told.
const EXTENSION: &str = "throughline-extension";

/// The runs of a request.
pub(crate) fn group(request: ExportTraceServiceRequest) -> Vec<Run> {
    let (parts, mut runs): (Vec<Run>, Vec<Run>) =
        request.resource_spans.into_iter().flat_map(of_resource).partition(Run::is_part);
    let mut spans: HashMap<(String, String), usize> = HashMap::new();
    for (at, run) in runs.iter().enumerate() {
        spans.extend(run.spans.iter().map(|span| ((span.trace_id.clone(), span.span_id.clone()), at)));
    }
    let called = |(at, run): (usize, &Run)| {
        let head = run.head()?;
        spans.get(&(head.trace_id.clone(), head.parent_id.clone()?)).filter(|caller| **caller != at)
    };
    let called: Vec<bool> = runs.iter().enumerate().map(|run| called(run).is_some()).collect();
    runs.iter_mut().zip(called).for_each(|(run, called)| run.called_here = called);
    for part in parts {
        let above =
            part.part_of().and_then(|(trace, parent)| spans.get(&(trace.to_owned(), parent.to_owned())));
        match above.and_then(|at| runs.get_mut(*at)) {
            Some(run) => run.add(part),
            None => runs.push(part),
        }
    }
    runs
}

fn of_resource(mut resource: ResourceSpans) -> Vec<Run> {
    let name = function(resource.resource.as_ref());
    let scopes = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
    let spans: Vec<Span> = scopes.map(|span| Span::new(span.clone(), name.clone())).collect();
    // In the order in which they are first seen.
    let mut dealt: Vec<Dealt> = Vec::new();
    let mut known: HashMap<Owner<'_>, usize> = HashMap::new();
    let mut places = Vec::with_capacity(spans.len());
    for owner in owners(&spans) {
        places.push(*known.entry(owner).or_insert_with(|| {
            dealt.push(Dealt { request: owner.request(), ..Dealt::default() });
            dealt.len() - 1
        }));
    }
    let mut dealing = spans.into_iter().zip(places);
    for (number, mut scope) in std::mem::take(&mut resource.scope_spans).into_iter().enumerate() {
        for (otlp, (span, place)) in std::mem::take(&mut scope.spans).into_iter().zip(&mut dealing) {
            if let Some(run) = dealt.get_mut(place) {
                run.add(number, &scope, otlp, span);
            }
        }
    }
    dealt.into_iter().map(|run| run.run(&resource)).collect()
}

/// The spans of one run, as they are dealt out.
#[derive(Default)]
struct Dealt {
    request: String,
    /// The number of the last scope that it has spans of.
    scope: Option<usize>,
    scopes: Vec<ScopeSpans>,
    spans: Vec<Span>,
}

impl Dealt {
    /// `scope` is without its spans.
    fn add(&mut self, number: usize, scope: &ScopeSpans, otlp: OtlpSpan, span: Span) {
        if self.scope.replace(number) != Some(number) {
            self.scopes.push(scope.clone());
        }
        if let Some(last) = self.scopes.last_mut() {
            last.spans.push(otlp);
        }
        self.spans.push(span);
    }

    /// `resource` is without its scopes.
    fn run(self, resource: &ResourceSpans) -> Run {
        let Self { request, scopes: scope_spans, spans, .. } = self;
        let otlp = ResourceSpans { scope_spans, ..resource.clone() };
        let ids: HashSet<(&str, &str)> =
            spans.iter().map(|span| (span.trace_id.as_str(), span.span_id.as_str())).collect();
        let is_root = |span: &Span| {
            span.parent_id.as_deref().is_none_or(|parent| !ids.contains(&(span.trace_id.as_str(), parent)))
        };
        let roots = spans.iter().enumerate().filter(|(_, span)| is_root(span));
        let first = roots.min_by_key(|(_, span)| span.start).map_or(0, |(at, _)| at);
        let head = spans.iter().position(|span| span.attributes.contains_key(REQUEST)).unwrap_or(first);
        let verdict = verdict(&otlp);
        Run { request, otlp: vec![otlp], spans, head, verdict, called_here: false }
    }
}

/// What the extension tells of a failure after which the invocation's own span says nothing.
fn verdict(otlp: &ResourceSpans) -> Option<Failure> {
    let told = otlp
        .scope_spans
        .iter()
        .filter(|scope| scope.scope.as_ref().is_some_and(|scope| scope.name == EXTENSION));
    told.flat_map(|scope| &scope.spans).find_map(|span| Failure::of(&Span::new(span.clone(), String::new())))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use proptest::prelude::*;

    use super::{EXTENSION, ExportTraceServiceRequest, Run, group};
    use crate::testing::{Told as _, invocation, otlp, span};

    fn ids(runs: &[Run]) -> Vec<(String, Vec<String>)> {
        let ids = |run: &Run| run.spans.iter().map(|span| span.span_id.clone()).collect();
        runs.iter().map(|run| (run.request.clone(), ids(run))).collect()
    }

    fn short(id: u64) -> String {
        format!("{id:016x}")
    }

    #[test]
    fn one_invocation_has_all_spans() {
        let spans = [span(1, 3, Some(2)), invocation(1, 2, "r-1"), span(9, 9, Some(8))];
        let runs = group(otlp("f", spans));
        assert_eq!(ids(&runs), [("r-1".into(), vec![short(3), short(2), short(9)])]);
        assert_eq!(runs[0].head().unwrap().invocation_id(), Some("r-1"));
    }

    #[test]
    fn concurrent_invocations_are_told_apart() {
        let record = span(7, 6, Some(99)).attribute("throughline.source", "sqs q").link(2, 4);
        let spans = [
            invocation(1, 1, "r-1"),
            span(1, 2, Some(1)),
            span(1, 3, Some(2)),
            invocation(2, 4, "r-2"),
            span(7, 5, Some(6)),
            record,
            span(3, 7, None),
            span(3, 8, Some(7)),
        ];
        let runs = group(otlp("f", spans));
        assert_eq!(
            ids(&runs),
            [
                ("r-1".into(), vec![short(1), short(2), short(3)]),
                ("r-2".into(), vec![short(4), short(5), short(6)]),
                (format!("trace:{:032x}", 3), vec![short(7), short(8)]),
            ]
        );
        assert_eq!(runs[1].records().count(), 1);
        assert_eq!(runs[2].head().unwrap().span_id, short(7));
        let otlp_spans = |run: &Run| {
            run.otlp.iter().flat_map(|otlp| &otlp.scope_spans).map(|scope| scope.spans.len()).sum::<usize>()
        };
        assert_eq!(runs.iter().map(otlp_spans).collect::<Vec<_>>(), [3, 3, 2]);
    }

    #[test]
    fn a_retry_is_a_run_of_its_own() {
        let runs = group(otlp("f", [invocation(1, 1, "r-1"), span(1, 2, Some(1)), invocation(1, 3, "r-1")]));
        assert_eq!(ids(&runs), [("r-1".into(), vec![short(1), short(2)]), ("r-1".into(), vec![short(3)])]);
    }

    /// What the extension tells of an invocation comes in a request of its own, or in one with it.
    #[test]
    fn what_the_platform_told_is_part_of_the_run() {
        let told = |parent| {
            let mut told = otlp("f", [span(1, 7, Some(parent)).failed("Runtime.ExitError", "exit status 1")]);
            told.resource_spans[0].scope_spans[0].scope =
                Some(InstrumentationScope { name: EXTENSION.into(), ..InstrumentationScope::default() });
            told.resource_spans.remove(0)
        };
        let mut request = otlp("f", [invocation(1, 1, "r-1")]);
        request.resource_spans.insert(0, told(1));
        let runs = group(request);
        assert_eq!(ids(&runs), [("r-1".into(), vec![short(1), short(7)])]);
        assert_eq!(runs[0].verdict.as_ref().unwrap().kind, "Runtime.ExitError");
        let alone = group(ExportTraceServiceRequest { resource_spans: vec![told(1)] });
        assert!(alone[0].is_part() && alone[0].verdict.is_some());
    }

    #[test]
    fn who_is_called_begins_a_run_and_what_comes_later_is_part_of_one() {
        let called = |kind: SpanKind| Span { kind: kind as i32, ..span(1, 2, Some(9)) };
        for (span, is_part) in [
            (called(SpanKind::Server), false),
            (called(SpanKind::Consumer), false),
            (called(SpanKind::Client), true),
            (span(1, 2, Some(9)), true),
            (span(1, 2, None), false),
            (invocation(1, 2, "r").child_of(9), false),
        ] {
            assert_eq!(group(otlp("service", [span.clone()]))[0].is_part(), is_part, "{span:?}");
        }
    }

    /// So many that whoever looks at all for each would not end.
    #[test]
    fn long_chains_and_many_traces_take_no_longer_than_others() {
        const MANY: u64 = 100_000;
        let chain = (1..=MANY).map(|id| span(1, id, (id > 1).then(|| id - 1)));
        let runs = group(otlp("f", chain));
        assert_eq!((runs.len(), runs[0].spans.len()), (1, MANY as usize));
        assert_eq!(runs[0].head().unwrap().span_id, short(1));

        let runs = group(otlp("f", (1..=MANY).map(|id| span(id, id, None))));
        assert_eq!((runs.len(), runs[0].otlp[0].scope_spans[0].spans.len()), (MANY as usize, 1));
    }

    proptest! {
        /// Parents and links may be anything, circles too: each span is in one run, and each run has a head.
        #[test]
        fn every_span_is_in_one_run(
            shape in prop::collection::vec((0..3_u64, 0..6_u64, prop::option::of(0..6_u64), 0..4_u8), 0..12)
        ) {
            let count = shape.len();
            let spans = shape.into_iter().map(|(trace, id, parent, kind)| match kind {
                0 => invocation(trace, id, &format!("r-{id}")),
                1 => span(trace, id, parent).attribute("throughline.source", "sqs q").link(trace, id),
                _ => span(trace, id, parent),
            });
            let runs = group(otlp("f", spans));
            prop_assert_eq!(runs.iter().map(|run| run.spans.len()).sum::<usize>(), count);
            for run in &runs {
                prop_assert!(run.head().is_some());
            }
        }
    }
}
