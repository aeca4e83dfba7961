//! The transactions of a run, as the store's queries tell them.

use std::collections::BTreeMap;

use throughline_store::{By, Reader};
use tokio::task::JoinSet;

use crate::ask::Story;
use crate::trace::Transaction;

/// How many are asked for at once.
const AT_ONCE: usize = 8;

/// Transactions by the request id of the invocation at which they began.
#[derive(Debug, Default)]
pub(super) struct Stored(BTreeMap<String, Told>);

/// What the store tells of one.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) tree: Transaction,
    /// Whether there may be more, or something of it could not be read.
    pub(super) partly: bool,
}

impl Stored {
    /// Asks for the transactions that began with these requests.
    ///
    /// # Errors
    ///
    /// When the store can't be read.
    pub(super) async fn read(reader: &Reader, began: Vec<String>) -> anyhow::Result<Self> {
        let (mut began, mut asking, mut stored) = (began.into_iter(), JoinSet::new(), Self::default());
        loop {
            for request_id in began.by_ref().take(AT_ONCE - asking.len()) {
                let reader = reader.clone();
                asking.spawn(async move {
                    let told = transaction(&reader, &request_id).await;
                    (request_id, told)
                });
            }
            let Some(answered) = asking.join_next().await else { return Ok(stored) };
            let (request_id, told) = answered?;
            stored.0.extend(told?.map(|told| (request_id, told)));
        }
    }

    pub(super) fn transaction(&self, began: &str) -> Option<&Told> {
        self.0.get(began)
    }
}

async fn transaction(reader: &Reader, request_id: &str) -> anyhow::Result<Option<Told>> {
    let found = reader.find(request_id, &[]).await?.found;
    let Some(first) = found.into_iter().find(|found| found.by == By::RequestId) else { return Ok(None) };
    let answer = reader.transaction(&first.run.trace_id).await?;
    let partly = answer.at_least || !answer.damaged.is_empty();
    Ok(Some(Told { tree: Story::new(&answer.found).tree, partly }))
}

/// What a store tells, for tests.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::trace::Span;

    /// The transaction that began with `began`, as the store would tell it.
    pub(in crate::demo) fn stored(
        transactions: impl IntoIterator<Item = (&'static str, Vec<Span>)>,
    ) -> Stored {
        let told = transactions.into_iter().map(|(began, spans)| {
            let trace_ids = spans.first().map(|span| span.trace_id.clone()).into_iter().collect();
            let told = throughline_store::Transaction { trace_ids, spans, ..Default::default() };
            (began.to_owned(), Told { tree: Story::new(&told).tree, partly: false })
        });
        Stored(told.collect())
    }
}
