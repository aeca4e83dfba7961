//! Runs: what one item of the table holds.
//!
//! A run is what one invocation of a function did: its own span, those of its records, and all below them. Of a program
//! that is no function it is what one service did in one trace.

mod calls;
mod card;
mod failure;
mod group;
mod joins;
mod names;
mod open;
mod owner;
mod usage;

use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

pub(crate) use calls::{FailedCalls, failed_calls};
pub use card::Card;
pub(crate) use card::kept;
pub use failure::{Failure, last_name};
pub(crate) use group::group;
pub(crate) use joins::{JoinId, Joins, joins};
pub use names::{Name, Way};
pub(crate) use names::{baggage, list, names, normal, tail};
pub use open::Open;
pub(crate) use open::open;

pub(crate) use usage::Usage;

use crate::span::{Kind, Span};
use crate::time::is_time;

/// The attribute of the one span of an invocation that stands for it.
const REQUEST: &str = "faas.invocation_id";

/// What stands before the id of a trace where a request id would be.
pub(crate) const OF_TRACE: &str = "trace:";

/// The spans of one run, as they came and as they are read.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The request id; of what is no function's, the trace's id with `trace:` before it.
    pub(crate) request: String,
    /// The resource and its spans, as they came.
    pub(crate) otlp: Vec<ResourceSpans>,
    /// The same, as they are read.
    pub(crate) spans: Vec<Span>,
    /// Which of them stands for the run.
    head: usize,
    /// How it failed, as the platform told, if its own span does not.
    verdict: Option<Failure>,
    /// Whether the span that called it came with it.
    called_here: bool,
}

impl Run {
    /// The span that stands for the run: that of the invocation, or the first without a parent here.
    pub(crate) fn head(&self) -> Option<&Span> {
        self.spans.get(self.head)
    }

    /// Whether this is no function's: what one service did in one trace.
    pub(crate) fn is_of_service(&self) -> bool {
        self.request.starts_with(OF_TRACE)
    }

    /// Whether this is only a part of a run, which came before or after the rest: nobody was called here, and nothing
    /// began. So are the phases of an invocation, and what other SDKs export before a request is done.
    pub(crate) fn is_part(&self) -> bool {
        let begins = |span: &Span| {
            let called = matches!(span.kind, Kind::Server | Kind::Consumer) || span.source().is_some();
            called || span.parent_id.is_none() || span.invocation_id().is_some()
        };
        !self.spans.iter().any(begins)
    }

    /// Whether a transaction may have begun here: nobody sent it, or somebody of whom nothing is known yet, such as a browser,
    /// a gateway, another team's service, or what it only links to. Who does know where a transaction came in says so.
    pub(crate) fn may_begin(&self) -> bool {
        let Some(head) = self.head().filter(|_| !self.is_part()) else { return false };
        let is_called = matches!(head.kind, Kind::Server | Kind::Consumer) || head.source().is_some();
        let says = |span: &Span| span.attributes.contains_key("throughline.entry");
        let knows = || self.called_here || says(head) || self.records().any(says);
        self.began() || (is_called || head.parent_id.is_none()) && !knows()
    }

    /// Trace and id of the span of which this is a part.
    pub(crate) fn part_of(&self) -> Option<(&str, &str)> {
        let head = self.head()?;
        self.is_part()
            .then_some(())
            .and(head.parent_id.as_deref().map(|parent| (head.trace_id.as_str(), parent)))
    }

    /// Nanoseconds from the start of a service's run to its last end, as far as its clock can be believed.
    fn lasted(&self) -> Option<u64> {
        let start = self.head().filter(|head| self.is_of_service() && is_time(head.start))?.start;
        let ends = self.spans.iter().map(|span| span.end).filter(|end| is_time(*end));
        ends.max().map(|end| end.saturating_sub(start))
    }

    /// Adds a part.
    fn add(&mut self, part: Self) {
        self.otlp.extend(part.otlp);
        self.spans.extend(part.spans);
        self.verdict = self.verdict.take().or(part.verdict);
    }

    /// The spans of the records of its batch.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| span.is_record())
    }
}
