//! Who calls whom, beside how that was before.

use serde::Serialize;

use super::counted::{Figures, within};
use super::{Answer, Effort, Reader};
use crate::Error;
use crate::time::Window;
use crate::totals::{Edge, Totals};

/// An edge of the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapEdge {
    /// Who called or sent: a function, or `sqs email`, `http POST /orders`.
    pub from: String,
    /// Who was called or received.
    pub to: String,
    /// How often in these hours.
    pub calls: u64,
    /// How often it failed.
    pub errors: u64,
    /// How long half of the calls took at most, in microseconds. From a queue to a function it is the time in the queue.
    pub p50: Option<u64>,
    /// How long 95 of a hundred took at most.
    pub p95: Option<u64>,
    /// Whether no context could be carried here, and the two were joined by an id.
    pub joined: bool,
    /// The same of as many hours before: calls as runs, errors as failures.
    pub before: Figures,
}

impl Reader {
    /// Who calls whom, in the [whole hours](Window::whole_hours) of a window and in as many before.
    ///
    /// At most days × 16 + 50 requests, of both times together.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn map(&self, window: Window) -> Result<Answer<Vec<MapEdge>>, Error> {
        let mut effort = Effort::default();
        let window = window.whole_hours();
        let (mut now, mut before) = <(Totals, Totals)>::default();
        for hours in self.totals_by_hour(window.with_before(), None, &mut effort).await?.values() {
            now.merge(&within(hours, window));
            before.merge(&within(hours, window.before()));
        }
        let edges = now.edges.into_iter().map(|((from, to), edge)| {
            let Figures { runs: calls, failures: errors, p50, p95 } = figures(&edge);
            let before = before.edges.get(&(from.clone(), to.clone())).map(figures).unwrap_or_default();
            MapEdge { from, to, calls, errors, p50, p95, joined: edge.joined > 0, before }
        });
        Ok(effort.answer(edges.collect()))
    }
}

fn figures(edge: &Edge) -> Figures {
    Figures::new(edge.calls, edge.errors, &edge.durations)
}
