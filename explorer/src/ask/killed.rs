//! Which message it is that kills its process, and with it the others of its batch: as far as that can be told.

use throughline_store::{Killed, Suspect};

use super::words::{counted, harmless};

/// What is told of batches that were killed; `ours` are the traces of the transaction that is asked for.
pub(super) fn told(killed: &Killed, ours: &[String]) -> String {
    let Killed { function, ends, transactions, suspects } = killed;
    let (batches, of) =
        (counted(*ends, "batch", "batches"), counted(*transactions, "transaction", "transactions"));
    let was_killed = format!("{function} was killed at {batches} of {of}");
    let named = |suspect: &Suspect| {
        let user = suspect.user.as_ref().map(|user| format!("user {user}, ")).unwrap_or_default();
        let is_ours = ours.contains(&suspect.trace_id);
        if is_ours { "this one".to_owned() } else { format!("{user}trace {}", suspect.trace_id) }
    };
    let text = match (killed.likely(), suspects.len()) {
        (Some(suspect), _) if suspect.only => {
            format!("{was_killed}; only one was being handled each time: {}", named(suspect))
        }
        (Some(suspect), _) => format!(
            "{was_killed}, perhaps by the one that ran each time while others waited for calls: {}",
            named(suspect)
        ),
        (None, 0) => format!("{was_killed}; none of them was being handled each time"),
        (None, some) => {
            format!("{was_killed}; {some} of them were being handled each time: nobody can tell which it is")
        }
    };
    harmless(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_certain_is_told_as_perhaps() {
        let suspect = |trace: &str, ran: u64, only: bool| Suspect {
            trace_id: trace.to_owned(),
            user: Some("u-1".to_owned()),
            ends: 3,
            ran,
            only,
            ..Suspect::default()
        };
        for (suspects, of, words) in [
            (vec![suspect("a", 3, true)], "b", "; only one was being handled each time: user u-1, trace a"),
            (vec![suspect("a", 3, true)], "a", "; only one was being handled each time: this one"),
            (
                vec![suspect("a", 3, false), suspect("b", 0, false)],
                "b",
                ", perhaps by the one that ran each time while others waited for calls: user u-1, trace a",
            ),
            (
                vec![suspect("a", 1, false), suspect("b", 0, false)],
                "b",
                "; 2 of them were being handled each time: nobody can tell which it is",
            ),
            (vec![], "b", "; none of them was being handled each time"),
        ] {
            let killed = Killed { function: "pay".to_owned(), ends: 3, transactions: 4, suspects };
            let told = told(&killed, &[of.to_owned()]);
            assert_eq!(told, format!("pay was killed at 3 batches of 4 transactions{words}"));
        }
    }
}
