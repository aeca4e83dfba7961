//! Traces that belong together though no context was carried: the sender's `throughline.join.out` equals the receiver's
//! `throughline.join.in`.

use serde::Serialize;

use super::Effort;
use super::ask::{Ask, Page};
use crate::item::{Damaged, Pointer};
use crate::run::{JoinId, Way};
use crate::schema::Partition;
use crate::time::{LAST, Window};

/// How many are read of those who wrote an item, or read its changes: the nearest in time.
const NEAREST: usize = 100;

/// Why two traces are of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Join {
    /// The sender's trace.
    pub from: String,
    /// The receiver's.
    pub to: String,
    /// `link`, or the id that both have: `sqs:2e1424d4-…`.
    pub by: String,
}

/// What is asked for an id: sender and receivers of a message at once, but of an item only what lies before, or after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lookup {
    id: JoinId,
}

impl Lookup {
    pub(super) fn of(id: &JoinId) -> Self {
        let (way, at) = if id.is_weak() { (id.way, id.at) } else { (Way::In, 0) };
        Self { id: JoinId { name: id.name.clone(), way, at } }
    }

    pub(super) fn ask(&self) -> Ask {
        let partition = Partition::Id(self.id.id().to_owned());
        match self.id.way {
            _ if !self.id.is_weak() => Ask::all(partition),
            Way::In => Ask::within(partition, Window { from: 0, to: self.id.at }).newest(NEAREST),
            _ => Ask::within(partition, Window { from: self.id.at, to: LAST }).oldest(NEAREST),
        }
    }

    /// Who has the id: one page, for it may be that of an item that everybody writes.
    pub(super) fn pointers(&self, page: Page<Result<Pointer, Damaged>>, effort: &mut Effort) -> Vec<Pointer> {
        // A write before was found, or the next one: what lies beyond has nothing to do with it.
        let pointers = effort.sound(page.items);
        let is_write = |pointer: &Pointer| has(pointer, Way::Out, &self.id.name);
        effort.at_least |= page.next.is_some() && !(self.id.is_weak() && pointers.iter().any(is_write));
        pointers
    }
}

fn has(pointer: &Pointer, way: Way, name: &str) -> bool {
    pointer.names.iter().any(|of| of.way == way && of.name == name)
}

/// What belongs to the run of a `trace` that has the id, of those that have it too.
pub(super) fn joined(id: &JoinId, trace: &str, pointers: &[Pointer]) -> Vec<Join> {
    let other_way = if id.way == Way::In { Way::Out } else { Way::In };
    let others = pointers.iter().filter(|pointer| has(pointer, other_way, &id.name));
    let kept: Vec<&Pointer> = if !id.is_weak() {
        others.collect()
    } else if id.way == Way::In {
        // The last write before it.
        others.filter(|pointer| pointer.at <= id.at).max_by_key(|pointer| pointer.at).into_iter().collect()
    } else {
        // Up to the next write.
        let writes =
            pointers.iter().filter(|pointer| has(pointer, Way::Out, &id.name) && pointer.trace_id != trace);
        let next = writes.map(|pointer| pointer.at).filter(|at| *at > id.at).min();
        others.filter(|one| one.at >= id.at && next.is_none_or(|next| one.at < next)).collect()
    };
    let join = |pointer: &Pointer| {
        let (ours, others) = (trace.to_owned(), pointer.trace_id.clone());
        let (from, to) = if id.way == Way::In { (others, ours) } else { (ours, others) };
        Join { from, to, by: id.name.clone() }
    };
    kept.into_iter().map(join).filter(|join| join.from != join.to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Name;

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
        let joins = |trace: &str, at, way| {
            let joins = super::joined(&JoinId { name: "dynamodb:00ff".into(), way, at }, trace, &pointers);
            joins.into_iter().map(|join| format!("{} {}", join.from, join.to)).collect::<Vec<_>>()
        };
        assert_eq!(joins("w1", 10, Way::Out), ["w1 r1"]);
        assert_eq!(joins("w2", 20, Way::Out), ["w2 r2", "w2 r3"]);
        assert_eq!(joins("r1", 11, Way::In), ["w1 r1"]);
        assert_eq!(joins("r3", 22, Way::In), ["w2 r3"]);
        assert!(joins("r0", 9, Way::In).is_empty());
    }
}
