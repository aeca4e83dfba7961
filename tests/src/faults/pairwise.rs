//! A few cells that stand for all: whatever two values meet in some cell of the matrix meet in one of these.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::cells::Cell;

/// A value of one of the dimensions, then one of another.
type Pair = (usize, usize, usize, usize);

/// Cells of the matrix in which every pair of values occurs; the same each time. Greedy: each next cell is the one with
/// the most pairs that have not been there. With ten faults and seven endings there can't be fewer than seventy.
pub fn pairwise() -> Vec<Cell> {
    let all = Cell::all();
    let mut missing: BTreeSet<Pair> = all.iter().flat_map(pairs).collect();
    let mut chosen: Vec<Cell> = Vec::new();
    while !missing.is_empty() {
        let new = |cell: &&Cell| pairs(cell).iter().filter(|pair| missing.contains(pair)).count();
        // Of equals one in the place of the matrix where there are the fewest yet.
        let there = |cell: &&Cell| {
            let place = |cell: &Cell| (cell.policy, cell.freeze);
            chosen.iter().filter(|other| place(other) == place(cell)).count()
        };
        let Some(best) = all.iter().max_by_key(|cell| (new(cell), Reverse(there(cell)))) else { break };
        pairs(best).iter().for_each(|pair| _ = missing.remove(pair));
        chosen.push(*best);
    }
    chosen
}

fn pairs(cell: &Cell) -> Vec<Pair> {
    let values = [cell.fault as usize, cell.policy as usize, usize::from(cell.freeze), cell.ending as usize];
    let mut pairs = Vec::new();
    for (a, first) in values.iter().enumerate() {
        pairs.extend(values.iter().enumerate().skip(a + 1).map(|(b, second)| (a, *first, b, *second)));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::cells::{Ending, Fault, Policy};

    #[test]
    fn every_two_values_meet() {
        let chosen = pairwise();
        let meet = |what: &dyn Fn(&Cell) -> bool| chosen.iter().any(what);
        for fault in Fault::ALL {
            for ending in Ending::ALL {
                assert!(meet(&|cell| cell.fault == fault && cell.ending == ending), "{fault:?} {ending:?}");
            }
            for policy in Policy::ALL {
                assert!(meet(&|cell| cell.fault == fault && cell.policy == policy), "{fault:?} {policy:?}");
            }
        }
        for freeze in [false, true] {
            let frozen = |cell: &Cell| cell.freeze == freeze;
            assert!(Fault::ALL.iter().all(|fault| meet(&|cell| frozen(cell) && cell.fault == *fault)));
            assert!(Ending::ALL.iter().all(|ending| meet(&|cell| frozen(cell) && cell.ending == *ending)));
            assert!(Policy::ALL.iter().all(|policy| meet(&|cell| frozen(cell) && cell.policy == *policy)));
        }
        for policy in Policy::ALL {
            assert!(
                Ending::ALL
                    .iter()
                    .all(|ending| meet(&|cell| cell.policy == policy && cell.ending == *ending))
            );
        }
    }

    #[test]
    fn they_are_few_and_the_same_each_time() {
        assert_eq!(pairwise(), pairwise());
        let (few, all) = (pairwise().len(), Cell::all().len());
        assert_eq!(all, 420);
        assert!((70..80).contains(&few), "{few}");
    }
}
