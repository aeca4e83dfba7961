//! A text that somebody has: which transaction does it name?

use std::convert::identity;

use serde::Serialize;

use super::ask::Ask;
use super::{Answer, Effort, Reader};
use crate::Error;
use crate::hash::SHARDS;
use crate::item::{Pointer, unpack};
use crate::run::{Card, Way, group, normal, tail};
use crate::schema::{Partition, bounded};
use crate::time::{LAST, Window};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

/// How many are told of each way.
const MAX_FOUND: usize = 50;
/// Where a text is looked for beside the baggage: traces, requests, and ids.
pub(super) const PLACES: u64 = 3;

/// A run that a text leads to, and with it a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What the text is.
    pub by: By,
    /// The run.
    pub run: Pointer,
}

/// What a text is of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The trace's id.
    TraceId,
    /// The request id of the invocation.
    RequestId,
    /// The correlation id.
    CorrelationId,
    /// The id of a message, or of another call, with what it names: `sqs:2e1424d4-…`.
    Message(String),
    /// The value of a member of the baggage, by its key: `user.id`.
    Baggage(String),
}

impl Reader {
    /// The runs that a text leads to: a trace id, a request id, a correlation id, the id of a message (with or
    /// without `sqs:` before it), or the value of one of these members of the baggage. The newest of each, 50 at most.
    ///
    /// At most 3 + 16 requests for each key of the baggage, and 50.
    ///
    /// # Errors
    ///
    /// When the table can't be read.
    pub async fn find(&self, text: &str, baggage: &[&str]) -> Result<Answer<Vec<Found>>, Error> {
        let mut effort = Effort::default();
        let mut found = Vec::new();
        let text = text.trim();
        if let Some(trace) = trace_id(text) {
            let partition = Partition::Trace(trace);
            let cards: Vec<Card> =
                self.latest([vec![Ask::all(partition)]], MAX_FOUND, |_| true, &mut effort).await?;
            found.extend(cards.iter().rev().map(|card| Found { by: By::TraceId, run: pointer(card) }));
        }
        found.extend(self.by_request(text, &mut effort).await?);
        found.extend(self.by_id(text, &mut effort).await?);
        let all = Window { from: 0, to: LAST };
        for key in baggage {
            let partition = |shard| {
                let (key, value) = ((*key).to_owned(), bounded(text).into_owned());
                Partition::Baggage { shard, key, value }
            };
            let wave = (0..SHARDS).map(|shard| Ask::within(partition(shard), all)).collect();
            let runs = self.latest([wave], MAX_FOUND, |_: &Pointer| true, &mut effort).await?;
            found.extend(runs.into_iter().map(|run| Found { by: By::Baggage((*key).to_owned()), run }));
        }
        Ok(effort.answer(found))
    }

    pub(super) async fn by_request(&self, text: &str, effort: &mut Effort) -> Result<Vec<Found>, Error> {
        let asks = vec![Ask::all(Partition::Spans(bounded(text).into_owned()))];
        let items = self.all(asks, identity, effort).await?;
        let (resource_spans, damaged) = unpack(&items);
        effort.damaged.extend(damaged);
        let runs = group(ExportTraceServiceRequest { resource_spans });
        let cards =
            runs.iter().filter_map(|run| Some(Card::new(run, run.head()?, run.began(), self.now, u64::MAX)));
        let found = cards.map(|card| Found { by: By::RequestId, run: pointer(&card) });
        Ok(found.take(MAX_FOUND).collect())
    }

    pub(super) async fn by_id(&self, text: &str, effort: &mut Effort) -> Result<Vec<Found>, Error> {
        let text = &*normal(text);
        let partition = Partition::Id(tail(text).to_owned());
        let wanted = |pointer: &Pointer| pointer.names.iter().any(|name| is_named(&name.name, text));
        let runs = self.latest([vec![Ask::all(partition)]], MAX_FOUND, wanted, effort).await?;
        let found = |run: Pointer| {
            let name = run.names.iter().find(|name| is_named(&name.name, text))?;
            let by = match name.way {
                Way::Correlation => By::CorrelationId,
                Way::In | Way::Out => By::Message(name.name.clone()),
            };
            Some(Found { by, run })
        };
        Ok(runs.into_iter().filter_map(found).collect())
    }
}

/// The id of a trace: by itself, in a `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>), or as X-Ray has
/// it, by itself or in `X-Amzn-Trace-Id` (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>).
fn trace_id(text: &str) -> Option<String> {
    let root = text.split(';').find_map(|part| part.trim().strip_prefix("Root=")).unwrap_or(text);
    let parts: Vec<&str> = root.split('-').collect();
    let id = match parts.as_slice() {
        [id] => (*id).to_owned(),
        ["1", time, random] if time.len() == 8 => format!("{time}{random}"),
        [version, id, parent, flags] if [version.len(), parent.len(), flags.len()] == [2, 16, 2] => {
            (*id).to_owned()
        }
        _ => return None,
    };
    (id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())).then(|| id.to_ascii_lowercase())
}

/// Whether they are the same, or the ids are where one of them names no service.
fn is_named(name: &str, text: &str) -> bool {
    let is_bare = |text: &str| tail(text) == text;
    name == text || (is_bare(name) || is_bare(text)) && tail(name) == tail(text)
}

fn pointer(card: &Card) -> Pointer {
    Pointer {
        request_id: card.request_id.clone(),
        span_id: card.span_id.clone(),
        trace_id: card.trace_id.clone(),
        function: card.function.clone(),
        at: card.at(),
        failed: card.failed(),
        names: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_named, trace_id};

    #[test]
    fn a_trace_has_its_id_in_any_form() {
        let id = "5759e988bd862e3fe1be46a994272793";
        for text in [
            id,
            "5759E988BD862E3FE1BE46A994272793",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            "1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Self=1-67891234-12456789abcdef012345678a; Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        ] {
            assert_eq!(trace_id(text).as_deref(), Some(id), "{text}");
        }
        for other in [
            "",
            "m-1",
            "1-5759e988-bd862e3f",
            "5759e988-bd86-2e3f-e1be-46a994272793",
            "-",
            "Root=",
            "é".repeat(16).as_str(),
        ] {
            assert_eq!(trace_id(other), None, "{other}");
        }
    }

    #[test]
    fn ids_are_known_with_and_without_their_service() {
        assert!(is_named("sqs:m-1", "sqs:m-1") && is_named("sqs:m-1", "m-1") && is_named("m-1", "sqs:m-1"));
        assert!(!is_named("sns:m-1", "sqs:m-1") && !is_named("sqs:m-2", "m-1"));
    }
}
