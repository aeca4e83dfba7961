//! The matrix as people read it.

use std::fmt::Write as _;

use super::cells::{Ending, Fault, Policy};
use super::run::Ran;

/// A table for each policy, with and without freezing: faults down, endings across. `12` have arrived, `s12` are on
/// stdout, `d12` were refused for good, `?12` may have been taken without an answer besides; `✗` is wrong, and is told
/// below.
pub fn table(all: &[Ran]) -> String {
    let mut table = String::new();
    for policy in Policy::ALL {
        for freeze in [true, false] {
            let of = |fault, ending| {
                all.iter().find(move |ran| {
                    let cell = ran.cell;
                    (cell.policy, cell.freeze, cell.fault, cell.ending) == (policy, freeze, fault, ending)
                })
            };
            let frozen = if freeze { "freeze" } else { "no freeze" };
            _ = write!(table, "\n{:12}", format!("{}, {frozen}", policy.name()));
            table.push('\n');
            _ = write!(table, "{:12}", "");
            Ending::ALL.iter().for_each(|ending| _ = write!(table, "{:>15}", ending.name()));
            for fault in Fault::ALL {
                _ = write!(table, "\n{:12}", fault.name());
                Ending::ALL.iter().for_each(|ending| _ = write!(table, "{:>15}", text(of(fault, *ending))));
            }
            table.push('\n');
        }
    }
    let wrong: Vec<&Ran> = all.iter().filter(|ran| !ran.faults.is_empty()).collect();
    for ran in &wrong {
        ran.faults.iter().for_each(|fault| _ = write!(table, "\n{}: {fault}", ran.cell));
    }
    let sum = |of: fn(&Ran) -> usize| all.iter().map(of).sum::<usize>();
    _ = write!(
        table,
        "\n{} cells, {} wrong: {} spans delivered, {} spilled, {} dropped and counted, {} lost, {} twice, {} maybe taken besides\n",
        all.len(),
        wrong.len(),
        sum(|ran| ran.tally.delivered),
        sum(|ran| ran.tally.spilled),
        sum(|ran| ran.tally.dropped),
        sum(|ran| ran.tally.lost),
        sum(|ran| ran.tally.duplicates),
        sum(|ran| ran.tally.maybe),
    );
    table
}

fn text(ran: Option<&Ran>) -> String {
    let Some(ran) = ran else { return String::new() };
    let tally = ran.tally;
    let counts = [("", tally.delivered), ("s", tally.spilled), ("d", tally.dropped), ("?", tally.maybe)];
    let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}{count}"));
    let wrong = (!ran.faults.is_empty()).then(|| "✗".to_owned());
    wrong.into_iter().chain(counts).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::books::Tally;
    use crate::faults::cells::Cell;

    #[test]
    fn a_cell_says_what_became_of_its_spans() {
        let cell = Cell { fault: Fault::Hang, policy: Policy::End, freeze: true, ending: Ending::Exit };
        let tally = Tally { delivered: 9, spilled: 6, maybe: 3, ..Tally::default() };
        let right = Ran { cell, tally, faults: Vec::new() };
        assert!(table(std::slice::from_ref(&right)).contains(" 9 s6 ?3"));
        let wrong = table(&[Ran { faults: vec!["lost: step 1".into()], ..right }]);
        assert!(wrong.contains("✗ 9 s6 ?3") && wrong.contains("hang x2 × end × freeze × exit: lost: step 1"));
        assert!(wrong.contains("1 cells, 1 wrong"));
    }
}
