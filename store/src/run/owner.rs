//! Whose the spans of a resource are: an invocation's, or that of what else was asked of a service. A span is whose parent
//! is, whether they come in one request or in several.

use std::collections::HashMap;

use super::OF_TRACE;
use crate::span::{Kind, Span};

/// Whose a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner<'a> {
    /// The invocation's whose span is there: a retry has the same request id.
    Invocation(usize, &'a str),
    /// That of what a service was asked to do, whose span is there: it may be asked again in the same trace.
    Entry(usize, &'a str),
    /// Of something in this trace whose own span is not there.
    Trace(&'a str),
}

type Key<'a> = (&'a str, &'a str);

/// Whose each of these is.
pub(super) fn owners(spans: &[Span]) -> Vec<Owner<'_>> {
    let requests = spans.iter().enumerate().filter_map(|(at, span)| Some((at, span.invocation_id()?)));
    let invocations: Vec<_> = requests.map(|(at, request)| (at, Owner::Invocation(at, request))).collect();
    if let [(_, only)] = invocations.as_slice() {
        return vec![*only; spans.len()];
    }
    let below = below(spans);
    let mut owners = vec![None; spans.len()];
    hand_down(invocations, spans, &below, &mut owners);
    // What an invocation asks of itself is part of it.
    let entries = entries(spans).filter(|(at, _)| owners.get(*at).is_some_and(Option::is_none)).collect();
    hand_down(entries, spans, &below, &mut owners);
    spans.iter().zip(owners).map(|(span, owner)| owner.unwrap_or(Owner::Trace(&span.trace_id))).collect()
}

impl Owner<'_> {
    /// The request id; of what is no invocation's, the trace's with `trace:` before it.
    pub(super) fn request(self) -> String {
        match self {
            Self::Invocation(_, request) => request.to_owned(),
            Self::Entry(_, trace) | Self::Trace(trace) => format!("{OF_TRACE}{trace}"),
        }
    }
}

/// What was asked of a service from without. What it receives with one call and handles with another is asked once.
fn entries(spans: &[Span]) -> impl Iterator<Item = (usize, Owner<'_>)> {
    let kinds: HashMap<Key<'_>, Kind> = spans.iter().map(|span| (key(span), span.kind)).collect();
    let is_asked = move |span: &Span| match (&span.parent_id, span.kind) {
        (None, _) => true,
        (Some(parent), Kind::Server | Kind::Consumer) => kinds
            .get(&(span.trace_id.as_str(), parent.as_str()))
            .is_none_or(|above| matches!(above, Kind::Client | Kind::Producer)),
        _ => false,
    };
    let asked = spans.iter().enumerate().filter(move |(_, span)| is_asked(span));
    asked.map(|(at, span)| (at, Owner::Entry(at, &span.trace_id)))
}

/// The spans below each.
fn below(spans: &[Span]) -> HashMap<Key<'_>, Vec<usize>> {
    let mut below: HashMap<Key<'_>, Vec<usize>> = HashMap::new();
    for (at, span) in spans.iter().enumerate() {
        // A record span may be its sender's child; then it has a link to its invocation.
        let links = span.links.iter().filter(|_| span.is_record());
        let above = span.parent_id.iter().map(|parent| (&span.trace_id, parent));
        for (trace, id) in above.chain(links.map(|link| (&link.trace_id, &link.span_id))) {
            below.entry((trace, id)).or_default().push(at);
        }
    }
    below
}

/// Gives each of these what is below it and no one's yet. Each span once: parents may go round in a circle.
fn hand_down<'a>(
    mut next: Vec<(usize, Owner<'a>)>,
    spans: &'a [Span],
    below: &HashMap<Key<'a>, Vec<usize>>,
    owners: &mut [Option<Owner<'a>>],
) {
    for (at, owner) in &next {
        if let Some(place) = owners.get_mut(*at) {
            *place = Some(*owner);
        }
    }
    while let Some((at, owner)) = next.pop() {
        let children = spans.get(at).and_then(|span| below.get(&key(span)));
        for child in children.into_iter().flatten() {
            if let Some(place @ None) = owners.get_mut(*child) {
                *place = Some(owner);
                next.push((*child, owner));
            }
        }
    }
}

fn key(span: &Span) -> Key<'_> {
    (&span.trace_id, &span.span_id)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

    use crate::run::group;
    use crate::testing::{Told as _, otlp, span};

    fn of(kind: SpanKind, span: OtlpSpan) -> OtlpSpan {
        OtlpSpan { kind: kind as i32, ..span }
    }

    /// The ids of the spans of each run.
    fn runs(spans: Vec<OtlpSpan>) -> Vec<Vec<String>> {
        let ids = |run: &crate::run::Run| run.spans.iter().map(|span| span.span_id.clone()).collect();
        group(otlp("worker", spans)).iter().map(ids).collect()
    }

    fn short(ids: &[u64]) -> Vec<String> {
        ids.iter().map(|id| format!("{id:016x}")).collect()
    }

    /// A message that fails is received again, in the same trace.
    #[test]
    fn each_attempt_of_a_service_is_a_run_however_they_are_exported() {
        let attempt = |id: u64, error: bool| {
            let received = of(SpanKind::Consumer, span(1, id, Some(99)));
            let received = if error { received.failed("Timeout", "no answer") } else { received };
            vec![of(SpanKind::Client, span(1, id + 1, Some(id))), received, span(1, id + 2, Some(id + 1))]
        };
        let (first, second) = (attempt(10, true), attempt(20, false));
        let apart: Vec<_> = [&first, &second].into_iter().flat_map(|one| runs(one.clone())).collect();
        let together = runs([first, second].concat());
        assert_eq!(together, [short(&[11, 10, 12]), short(&[21, 20, 22])]);
        assert_eq!(apart, together);
    }

    #[test]
    fn what_a_service_asks_of_itself_is_a_run() {
        let asked = of(SpanKind::Server, span(1, 3, Some(2)));
        let spans =
            vec![of(SpanKind::Server, span(1, 1, None)), of(SpanKind::Client, span(1, 2, Some(1))), asked];
        assert_eq!(runs(spans), [short(&[1, 2]), short(&[3])]);
    }

    /// Libraries make a span for what they receive, and one below it for each message.
    #[test]
    fn what_is_received_and_then_handled_is_one_run() {
        let handled = of(SpanKind::Consumer, span(1, 3, Some(2)));
        assert_eq!(
            runs(vec![of(SpanKind::Consumer, span(1, 1, Some(9))), span(1, 2, Some(1)), handled]),
            [short(&[1, 2, 3])]
        );
    }

    /// What is exported before the span above it has ended.
    #[test]
    fn what_is_below_a_span_that_is_not_there_is_no_other_runs() {
        let spans =
            vec![of(SpanKind::Server, span(1, 1, Some(9))), of(SpanKind::Client, span(1, 5, Some(4)))];
        assert_eq!(runs(spans), [short(&[1]), short(&[5])]);
    }
}
