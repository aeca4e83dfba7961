//! Spans that belong together though no context was carried: the sender's `throughline.join.out` equals the receiver's
//! `throughline.join.in`.

use super::transaction::Join;
use crate::item::Pointer;
use crate::run::{Name, Way, list, normal, tail};
use crate::span::Span;

/// The same id for every write of an item: it says which item, not which write.
const WEAK: &str = "dynamodb:";

/// An id by which others may belong here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    name: String,
    /// Which way the span of ours has it.
    way: Way,
    trace: String,
    /// When our span began, in milliseconds.
    at: u64,
}

/// The ids that are to be looked up for spans of these traces: of receivers whom nobody is known to have sent anything,
/// and of senders who could not send the context along.
pub(super) fn lookups<'a>(spans: impl Iterator<Item = &'a Span>, traces: &[String]) -> Vec<Lookup> {
    let ours = spans.filter(|span| traces.contains(&span.trace_id));
    let of_span = |span: &'a Span| {
        let lookup = |way| {
            move |name: &str| Lookup {
                name: normal(name).into_owned(),
                way,
                trace: span.trace_id.clone(),
                at: span.start / 1_000_000,
            }
        };
        let unsent = span.parent_id.is_none() && span.links.is_empty();
        let received = if unsent { list(span, "throughline.join.in") } else { Vec::new() };
        let injected = span.attributes.get("throughline.injected").is_some_and(|place| place != "none");
        // Of a batch it may be a part that could not carry it.
        let carried = injected && !span.attributes.contains_key("throughline.inject.skipped");
        let sent = if carried { Vec::new() } else { list(span, "throughline.join.out") };
        received
            .into_iter()
            .map(lookup(Way::In))
            .chain(sent.into_iter().map(lookup(Way::Out)))
            .collect::<Vec<_>>()
    };
    ours.flat_map(of_span).collect()
}

impl Lookup {
    /// What is looked for.
    pub(super) fn id(&self) -> &str {
        tail(&self.name)
    }

    /// The same for what need not be looked up twice.
    pub(super) fn key(&self) -> String {
        format!("{:?} {} {}", self.way, self.name, if self.name.starts_with(WEAK) { self.at } else { 0 })
    }

    /// What belongs here of those that have the id.
    pub(super) fn joins(&self, pointers: &[Pointer]) -> Vec<Join> {
        let other_way = if self.way == Way::In { Way::Out } else { Way::In };
        let has = |pointer: &&Pointer, way| pointer.names.contains(&Name { way, name: self.name.clone() });
        let others = pointers.iter().filter(|pointer| has(pointer, other_way));
        let kept: Vec<&Pointer> = if !self.name.starts_with(WEAK) {
            others.collect()
        } else if self.way == Way::In {
            // The last write before it.
            others
                .filter(|pointer| pointer.at <= self.at)
                .max_by_key(|pointer| pointer.at)
                .into_iter()
                .collect()
        } else {
            // Up to the next write.
            let writes =
                pointers.iter().filter(|pointer| has(pointer, Way::Out) && pointer.trace_id != self.trace);
            let next = writes.map(|pointer| pointer.at).filter(|at| *at > self.at).min();
            others.filter(|one| one.at >= self.at && next.is_none_or(|next| one.at < next)).collect()
        };
        let join = |pointer: &Pointer| {
            let (ours, others) = (self.trace.clone(), pointer.trace_id.clone());
            let (from, to) = if self.way == Way::In { (others, ours) } else { (ours, others) };
            Join { from, to, by: self.name.clone() }
        };
        kept.into_iter().map(join).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(trace: &str, at: u64, way: Way) -> Pointer {
        let names = vec![Name { way, name: "dynamodb:00ff".into() }];
        Pointer { trace_id: trace.into(), at, names, ..Pointer::default() }
    }

    #[test]
    fn a_change_of_an_item_belongs_to_the_last_write_before_it() {
        let pointers = [
            pointer("w1", 10, Way::Out),
            pointer("r1", 11, Way::In),
            pointer("w2", 20, Way::Out),
            pointer("r2", 21, Way::In),
            pointer("r3", 22, Way::In),
        ];
        let joined = |trace: &str, at, way| {
            let lookup = Lookup { name: "dynamodb:00ff".into(), way, trace: trace.into(), at };
            let joins = lookup.joins(&pointers);
            joins.into_iter().map(|join| format!("{} {}", join.from, join.to)).collect::<Vec<_>>()
        };
        assert_eq!(joined("w1", 10, Way::Out), ["w1 r1"]);
        assert_eq!(joined("w2", 20, Way::Out), ["w2 r2", "w2 r3"]);
        assert_eq!(joined("r1", 11, Way::In), ["w1 r1"]);
        assert_eq!(joined("r3", 22, Way::In), ["w2 r3"]);
        assert!(joined("r0", 9, Way::In).is_empty());
    }
}
