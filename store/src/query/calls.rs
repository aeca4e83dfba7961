//! What a span called, and who called it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::span::{Kind, Span};

/// The spans above these.
pub(super) fn above<'a>(
    of: impl Iterator<Item = &'a Span>,
    spans: &'a [Span],
) -> BTreeSet<(&'a str, &'a str)> {
    let parents: BTreeMap<_, _> = spans
        .iter()
        .filter_map(|span| Some((key(span), (&*span.trace_id, span.parent_id.as_deref()?))))
        .collect();
    let mut above = BTreeSet::new();
    for span in of {
        let mut next = parents.get(&key(span));
        // Each once: parents may go round in a circle.
        while let Some(parent) = next.filter(|parent| above.insert(**parent)) {
            next = parents.get(parent);
        }
    }
    above
}

/// The innermost call that failed below a span: whose caller failed too, and so on up to it.
pub(super) fn below<'a>(top: &'a Span, spans: &'a [Span]) -> Option<&'a Span> {
    let children = children(spans);
    // Each once: parents may go round in a circle.
    let mut seen = BTreeSet::from([key(top)]);
    let mut found = None;
    while let Some(call) = failed_call(found.unwrap_or(top), top.end, &children, &mut seen) {
        found = Some(call);
    }
    found
}

/// The last call that failed of what a span did, and was not done again and went well. What read a message that it sent is
/// no call, and what began when all was over is no cause.
fn failed_call<'a>(
    of: &'a Span,
    over: u64,
    children: &Children<'a>,
    seen: &mut BTreeSet<(&'a str, &'a str)>,
) -> Option<&'a Span> {
    let (mut failed, mut well) = (Vec::new(), Vec::new());
    let mut next = vec![of];
    while let Some(span) = next.pop() {
        for child in children.get(&key(span)).into_iter().flatten() {
            if child.start > over || child.kind == Kind::Consumer || !seen.insert(key(child)) {
                continue;
            }
            match (child.error(), child.kind) {
                (Some(_), _) => failed.push(*child),
                // What it did itself, not whom it called: who answers well has mended its own errors.
                (None, Kind::Internal) => next.push(child),
                (None, _) if child.is_open() => {}
                (None, _) => well.push(*child),
            }
        }
    }
    let is_mended = |call: &Span| well.iter().any(|again| again.asks_again(call));
    failed.into_iter().filter(|call| !is_mended(call)).max_by_key(|call| call.end)
}

type Children<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Span>>;

fn children(spans: &[Span]) -> Children<'_> {
    let mut children = Children::new();
    for span in spans {
        if let Some(parent) = &span.parent_id {
            children.entry((&span.trace_id, parent)).or_default().push(span);
        }
    }
    children
}

/// How far below `top` each span is.
pub(super) fn depths<'a>(top: &'a Span, spans: &'a [Span]) -> BTreeMap<(&'a str, &'a str), u32> {
    let below = children(spans);
    let mut depths = BTreeMap::from([(key(top), 0)]);
    let mut next = vec![top];
    while let Some(span) = next.pop() {
        let depth = depths.get(&key(span)).copied().unwrap_or_default();
        for child in below.get(&key(span)).into_iter().flatten() {
            // Each once: parents may go round in a circle.
            if let Entry::Vacant(place) = depths.entry(key(child)) {
                place.insert(depth + 1);
                next.push(child);
            }
        }
    }
    depths
}

pub(super) fn key(span: &Span) -> (&str, &str) {
    (&span.trace_id, &span.span_id)
}
