//! A stored transaction as a tree that can be drawn: whatever parents and links say, it is finite and not too deep.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use throughline_store::{Transaction, last_name};

use super::clocks::{self, Skew};

use crate::trace::{self, Span, Status};

/// How deep a tree is drawn: each level takes three columns. A loop that the wrapper ends after 12 hops is less deep.
pub(super) const MAX_DEPTH: usize = 64;

/// The tree, and what did not fit into one.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) tree: trace::Transaction,
    /// Spans that are their own ancestors.
    pub(super) circles: u64,
    /// Spans that are left out.
    pub(super) too_deep: u64,
    /// Whose clocks disagree.
    pub(super) skews: Vec<Skew>,
}

/// Why a span stands below another of another trace.
struct Join {
    /// Trace and id of the other.
    sender: (String, String),
    by: String,
}

impl Story {
    pub(crate) fn new(transaction: &Transaction) -> Self {
        let mut spans: Vec<Span> = transaction.spans.iter().cloned().map(of_tree).collect();
        let linking = batches(&mut spans, transaction);
        let mut joins = join(&mut spans);
        let circles = break_circles(&mut spans);
        // Where a circle was broken nothing stands below another.
        let roots = spans.iter().filter(|span| span.parent_id.is_none());
        roots.for_each(|root| drop(joins.remove(&root.span_id)));
        let too_deep = prune(&mut spans);
        let mut notes = clocks::mend(&mut spans);
        let skews = clocks::set_right(&mut spans);
        let shared = |spans: Vec<Span>| spans.into_iter().map(Arc::new).collect();
        let mut tree = trace::Transaction::new(shared(spans), shared(linking));
        for (id, join) in joins {
            let note = notes.remove(&id).map(|note| format!(", {note}")).unwrap_or_default();
            notes.insert(id.clone(), join.by + &note);
            tree.joined.insert(id, join.sender);
        }
        tree.notes = notes;
        Self { tree, circles, too_deep, skews }
    }
}

/// Ids of spans are their trace's own: in a tree of several traces they are told apart.
pub(super) fn qualified(trace: &str, id: &str) -> String {
    format!("{trace}/{id}")
}

fn of_tree(mut span: Span) -> Span {
    span.parent_id = span.parent_id.map(|parent| qualified(&span.trace_id, &parent));
    span.span_id = qualified(&span.trace_id, &span.span_id);
    for link in &mut span.links {
        link.span_id = qualified(&link.trace_id, &link.span_id);
    }
    // What kind of error it is says more than many messages.
    if let Status::Error(message) = &mut span.status
        && let Some(kind) = span.attributes.get("error.type").filter(|kind| !message.contains(kind.as_str()))
    {
        *message = format!("{}: {message}", last_name(kind)).trim_end_matches(": ").to_owned();
    }
    span
}

/// Takes out the spans of batches that came in another trace, and whose records hang below their senders.
fn batches(spans: &mut Vec<Span>, transaction: &Transaction) -> Vec<Span> {
    let asked = transaction.trace_ids.first().cloned().unwrap_or_default();
    let is_told = |batch: &Span| {
        let ours: BTreeSet<&str> = batch.links.iter().map(|link| link.span_id.as_str()).collect();
        spans.iter().any(|span| {
            span.is_record()
                && span.function == batch.function
                && span
                    .parent_id
                    .as_deref()
                    .is_some_and(|parent| ours.contains(parent) && span.trace_id != batch.trace_id)
        })
    };
    let has_children: BTreeSet<String> = spans.iter().filter_map(|span| span.parent_id.clone()).collect();
    let is_batch = |span: &Span| {
        span.invocation_id().is_some()
            && span.trace_id != asked
            && !span.links.is_empty()
            && (is_told(span) || span.error().is_some() && !has_children.contains(&span.span_id))
    };
    let taken: BTreeSet<String> =
        spans.iter().filter(|span| is_batch(span)).map(|span| span.span_id.clone()).collect();
    let (batches, rest) = std::mem::take(spans).into_iter().partition(|span| taken.contains(&span.span_id));
    *spans = rest;
    batches
}

/// Hangs what began another trace below what sent it: the span that it links to, or that has the same id. By the
/// span's id.
fn join(spans: &mut [Span]) -> BTreeMap<String, Join> {
    let list = |span: &Span, name| -> Vec<String> {
        let ids = span.attribute(name).unwrap_or_default().split(", ");
        ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
    };
    let here: BTreeSet<String> = spans.iter().map(|span| span.span_id.clone()).collect();
    let mut sent: HashMap<String, (String, String)> = HashMap::new();
    for span in spans.iter() {
        for id in list(span, "throughline.join.out") {
            sent.entry(id).or_insert_with(|| (span.trace_id.clone(), span.span_id.clone()));
        }
    }
    let mut joins = BTreeMap::new();
    for span in spans.iter_mut().filter(|span| span.parent_id.is_none()) {
        let linked =
            span.links.iter().find(|link| link.trace_id != span.trace_id && here.contains(&link.span_id));
        let linked = linked.map(|link| Join {
            sender: (link.trace_id.clone(), link.span_id.clone()),
            by: "by a link".to_owned(),
        });
        let joined = || {
            let ids = list(span, "throughline.join.in");
            let sender = ids.iter().find_map(|id| Some((id, sent.get(id)?)));
            let (id, sender) = sender.filter(|(_, (trace, _))| *trace != span.trace_id)?;
            Some(Join { sender: sender.clone(), by: format!("by {id}") })
        };
        if let Some(join) = linked.or_else(joined) {
            span.parent_id = Some(join.sender.1.clone());
            joins.insert(span.span_id.clone(), join);
        }
    }
    joins
}

/// Makes a root of one span of each circle.
fn break_circles(spans: &mut [Span]) -> u64 {
    let place: HashMap<String, usize> =
        spans.iter().enumerate().map(|(at, span)| (span.span_id.clone(), at)).collect();
    // 0: not seen, 1: on the way up from this start, 2: leads to a root.
    let mut state = vec![0_u8; spans.len()];
    let mut circles = 0;
    for start in 0..spans.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| state[*here] == 0) {
            state[here] = 1;
            path.push(here);
            at = spans[here].parent_id.as_ref().and_then(|parent| place.get(parent)).copied();
        }
        if let Some(closed) = at.filter(|here| state[*here] == 1) {
            circles += path.iter().skip_while(|here| **here != closed).count() as u64;
            spans[closed].parent_id = None;
        }
        path.into_iter().for_each(|here| state[here] = 2);
    }
    circles
}

/// Leaves out what is too deep. Parents lead to a root.
fn prune(spans: &mut Vec<Span>) -> u64 {
    let parents: HashMap<&str, &str> =
        spans.iter().filter_map(|span| Some((span.span_id.as_str(), span.parent_id.as_deref()?))).collect();
    let is_deep = |span: &Span| {
        let mut at = span.span_id.as_str();
        (0..MAX_DEPTH).all(|_| match parents.get(at) {
            Some(parent) => {
                at = parent;
                true
            }
            None => false,
        })
    };
    let deep: BTreeSet<String> =
        spans.iter().filter(|span| is_deep(span)).map(|span| span.span_id.clone()).collect();
    spans.retain(|span| !deep.contains(&span.span_id));
    deep.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::rows;
    use crate::trace::testing::{Told as _, span};

    fn story(spans: Vec<Span>) -> Story {
        let mut trace_ids: Vec<String> = spans.iter().map(|span| span.trace_id.clone()).collect();
        trace_ids.dedup();
        Story::new(&Transaction { trace_ids, spans, ..Transaction::default() })
    }

    fn labels(story: &Story) -> Vec<String> {
        rows(&story.tree).into_iter().map(|row| format!("{}{}", row.branch, row.label)).collect()
    }

    #[test]
    fn traces_hang_below_what_sent_them() {
        let told = story(vec![
            span("t", "1", None, "api").triggered_by("http POST /orders"),
            span("t", "2", Some("1"), "api").named("send").with("throughline.join.out", "sqs:m-1"),
            span("u", "1", None, "linked").triggered_by("sqs a").linked("t", "2"),
            span("v", "1", None, "joined")
                .triggered_by("sqs b")
                .with("throughline.join.in", "sqs:m-0, sqs:m-1"),
        ]);
        assert_eq!(labels(&told), ["└─ api", "   ├╌ linked", "   └╌ joined"]);
    }

    #[test]
    fn a_batch_is_told_by_its_records() {
        let told = story(vec![
            span("t", "1", None, "api").triggered_by("http POST /orders"),
            span("t", "2", Some("1"), "api").named("send"),
            span("t", "3", Some("2"), "mailer").triggered_by("sqs email"),
            span("batch", "1", None, "mailer")
                .triggered_by("sqs email")
                .with("faas.invocation_id", "r")
                .linked("t", "2")
                .linked("x", "9"),
        ]);
        assert_eq!(labels(&told), ["└─ api", "   └─ mailer"]);
    }

    #[test]
    fn circles_end_and_depths_too() {
        let told = story(vec![
            span("t", "1", Some("3"), "a").triggered_by("sqs a"),
            span("t", "2", Some("1"), "b").triggered_by("sqs b"),
            span("t", "3", Some("2"), "c").triggered_by("sqs c"),
            span("t", "4", Some("4"), "d").triggered_by("sqs d"),
        ]);
        assert_eq!((told.circles, labels(&told).len()), (4, 4));

        let long = (0..50_000_u64).map(|at| {
            let parent = at.checked_sub(1).map(|parent| parent.to_string());
            span("t", &at.to_string(), parent.as_deref(), "f")
        });
        let told = story(long.collect());
        assert_eq!((told.too_deep, rows(&told.tree).len()), (50_000 - MAX_DEPTH as u64, MAX_DEPTH));
    }

    #[test]
    fn links_that_go_round_are_told_as_a_circle() {
        let told = story(vec![
            span("t", "1", None, "a").triggered_by("sqs a").linked("u", "1"),
            span("u", "1", None, "b").triggered_by("sqs b").linked("t", "1"),
            span("v", "1", None, "c").triggered_by("sqs c").linked("v", "1").linked("u", "1"),
        ]);
        assert_eq!((told.circles, labels(&told).len()), (2, 3), "{:?}", labels(&told));
    }

    #[test]
    fn the_same_id_in_two_traces_is_no_circle() {
        let told = story(vec![
            span("t", "a", None, "f").triggered_by("sqs f"),
            span("t", "b", Some("a"), "g").triggered_by("sqs g"),
            span("u", "b", None, "h").triggered_by("sqs h"),
            span("u", "a", Some("b"), "i").triggered_by("sqs i"),
        ]);
        assert_eq!(labels(&told), ["├─ f", "│  └─ g", "└─ h", "   └─ i"]);
    }
}
