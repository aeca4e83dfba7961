//! The transaction that an id names, whatever it is the id of.

use std::collections::BTreeSet;

use throughline_store::{Answer, By, Transaction};

use super::find::BAGGAGE;
use super::{Asked, harmless};

/// The transaction with this trace id, else the first that the text leads to; what is to be said of that.
pub(super) async fn transaction(
    id: &str,
    asked: &Asked<'_>,
) -> anyhow::Result<(Answer<Transaction>, Option<String>)> {
    let id = id.trim();
    if id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let answer = asked.answered(asked.reader.transaction(id).await)?;
        if !answer.found.runs.is_empty() || !answer.found.spans.is_empty() {
            return Ok((answer, None));
        }
    }
    let found = asked.answered(asked.reader.find(id, &BAGGAGE).await)?;
    let Some(first) = found.found.first() else {
        let Answer { at_least, left_out, damaged, requests, .. } = found;
        return Ok((Answer { found: Transaction::default(), at_least, left_out, damaged, requests }, None));
    };
    let others: BTreeSet<&str> = found.found.iter().map(|one| one.run.trace_id.as_str()).collect();
    let note = match &first.by {
        By::Baggage(key) if others.len() > 1 => {
            Some(format!("the newest of {} transactions of {key} {}", others.len(), harmless(id)))
        }
        _ => None,
    };
    let mut answer = asked.answered(asked.reader.transaction(&first.run.trace_id).await)?;
    answer.requests += found.requests;
    Ok((answer, note))
}
