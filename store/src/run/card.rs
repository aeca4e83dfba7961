//! What is told of a run, or of one record in it, where its spans are not read: in lists, counts and answers.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{Failure, Open, Run};
use crate::schema::bounded;
use crate::span::{Kind, Span};
use crate::time::believable;

/// The longest text that is in no key. What was cut stands whole in the spans.
const MAX_TEXT: usize = 200;

/// A run, or one record of it, in short.
///
/// Attributes of items and members of JSON have the same names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The request id. An asynchronous retry has the same; of what is no function's it is the trace's id with `trace:`
    /// before it.
    pub request_id: String,
    /// The span that stands for the run.
    pub span_id: String,
    /// The trace of this card's own span.
    pub trace_id: String,
    /// The function, or the service.
    pub function: String,
    /// When it began, in milliseconds since 1970, as its own clock said.
    pub start: u64,
    /// How long it took, in microseconds; nothing, if its times can't be.
    pub duration: u64,
    /// From its start to its last end, in microseconds, where that is longer: no one span is around all that a service did
    /// in a trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted: Option<u64>,
    /// How many spans the run has.
    pub spans: u64,
    /// Whether the transaction began here: nobody sent it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub began: bool,
    /// Whether the sandbox was new.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cold_start: bool,
    /// The record whose card this is, if it isn't the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The span of whose run this is only a part, that came by itself: it does not count as a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// How much memory it used, in bytes, as far as the platform told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The span that called it, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The spans of its calls that failed: the first twenty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_calls: Vec<String>,
    /// Those of them that were sent again and went well, as their client told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mended_calls: Vec<String>,
    /// How many errors it had of which it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swallowed: Option<u64>,
    /// What it was triggered by: `sqs email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where the transaction came in: `http POST /orders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The correlation id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether that is nobody.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test_user: bool,
    /// The customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What the customer pays for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Whether its debug lines were asked for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub debug: bool,
    /// Whether it was to change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// The deployed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The status of an HTTP answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u64>,
    /// The message's time in the queue, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<u64>,
    /// The id of the message that it was given: the same when that comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// For whom it was received, where several read the same: a consumer group, a subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// How often the message was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// Whether it is a dead letter that was sent back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redriven: bool,
    /// Of a record whose handling had not ended when its invocation was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// When this is filed, if what the run's clock says can't be believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filed: Option<u64>,
}

/// What tells for whom a message was received
/// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/>).
const CONSUMER: [&str; 3] = [
    "messaging.consumer.group.name",
    "messaging.destination.subscription.name",
    "messaging.kafka.consumer.group",
];

impl Card {
    /// The card of `span`, which stands for `run` or for a record of it; `began` is what the run says of it. `now` and
    /// `retention` in milliseconds.
    pub(crate) fn new(run: &Run, span: &Span, began: bool, now: u64, retention: u64) -> Self {
        let head = run.head().unwrap_or(span);
        let number = |name| span.attribute(name).and_then(|text| text.parse().ok());
        let of_run = |name| span.attribute(name).or_else(|| head.attribute(name)).map(cut);
        let is_marked = |name| of_run(name).as_deref() == Some("true");
        let part_of = run.part_of().map(|(_, parent)| key(parent));
        // A call in a part of a run is no verdict on the run.
        let own = Failure::of(span).filter(|_| part_of.is_none());
        let start = span.start / 1_000_000;
        let at = believable(span.start, now, retention);
        let error = own.or_else(|| (span.span_id == head.span_id).then(|| run.failed_within()).flatten());
        let caller = span.parent_id.as_deref().filter(|_| error.is_some() && span.kind == Kind::Server);
        Self {
            request_id: key(&run.request),
            span_id: key(&head.span_id),
            trace_id: key(&span.trace_id),
            function: key(&span.function),
            start,
            duration: span.took() / 1_000,
            lasted: run.lasted().map(|nanos| nanos / 1_000).filter(|lasted| *lasted > span.took() / 1_000),
            spans: run.spans.len() as u64,
            began,
            cold_start: head.attribute("faas.coldstart") == Some("true"),
            record: (span.span_id != head.span_id).then(|| key(&span.span_id)),
            part_of,
            caller: caller.map(key),
            failed_calls: Vec::new(),
            mended_calls: Vec::new(),
            error,
            memory: head.attribute("faas.mem_usage").and_then(|bytes| bytes.parse().ok()),
            swallowed: Some(span.swallowed()).filter(|errors| *errors > 0),
            source: span.source().map(cut).or_else(|| entry(span)),
            entry: of_run("throughline.entry").or_else(|| began.then(|| entry(head)).flatten()),
            correlation_id: of_run("correlation.id"),
            user: span.member("user.id").or_else(|| head.member("user.id")).map(cut),
            test_user: is_marked("user.test"),
            account: of_run("account.id"),
            plan: of_run("account.plan"),
            debug: is_marked("throughline.debug"),
            dry_run: is_marked("throughline.dry_run"),
            build: of_run("throughline.build_id").or_else(|| run.version()),
            http_status: number("http.response.status_code").or_else(|| number("http.status_code")),
            queued: number("throughline.queue_time_ms"),
            message: span.attribute("messaging.message.id").map(cut),
            consumer: CONSUMER.iter().find_map(|name| span.attribute(name)).map(cut),
            attempt: number("throughline.receive_count"),
            redriven: span.attribute("throughline.redriven") == Some("true"),
            open: None,
            filed: (at != start).then_some(at),
        }
    }

    /// When it is filed, in milliseconds since 1970: when it began, if that can be believed.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.filed.unwrap_or(self.start)
    }

    /// Whether it failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Whether it dropped an error, and did not fail.
    #[must_use]
    pub fn has_swallowed(&self) -> bool {
        !self.failed() && self.swallowed.is_some_and(|errors| errors > 0)
    }

    /// By which runs are told by start: of those of the same millisecond one that is around others before them.
    pub(crate) fn order(&self) -> (u64, Reverse<u64>, &str, &str) {
        let lasted = self.lasted.unwrap_or(self.duration);
        (self.start, Reverse(lasted), &self.span_id, &self.request_id)
    }
}

impl Run {
    /// Whether a transaction began here: nobody sent it, or it came from outside with the context of somebody else.
    pub(crate) fn began(&self) -> bool {
        let Some(head) = self.head() else { return false };
        let of_head = |record: &Span| record.parent_id.as_ref().is_none_or(|parent| *parent == head.span_id);
        let unsent = head.parent_id.is_none() && head.links.is_empty() && self.records().all(of_head);
        let entry = head.attribute("throughline.entry");
        unsent || head.kind == Kind::Server && entry.is_some() && entry == head.source()
    }

    /// Why a run failed whose own span does not say so: what the platform told; or, of what is no function's, the first
    /// error of those that were called within it, by itself or by whom nothing is known. Whoever calls may handle what
    /// its call says; but whom it called has failed.
    fn failed_within(&self) -> Option<Failure> {
        let is_called =
            |span: &&Span| matches!(span.kind, Kind::Server | Kind::Consumer) && !span.is_record();
        let called =
            self.spans.iter().filter(|span| self.is_of_service() && !self.is_part() && is_called(span));
        let failed = called.filter(|span| span.error().is_some()).min_by_key(|span| span.start);
        self.verdict.clone().or_else(|| failed.and_then(Failure::of))
    }

    /// What the resource says of the version, where no build is said.
    fn version(&self) -> Option<String> {
        let version = self.resource("service.version").or_else(|| self.resource("faas.version"))?;
        (version != "$LATEST").then(|| cut(&version))
    }

    /// An attribute of the resource.
    pub(super) fn resource(&self, name: &str) -> Option<String> {
        let attributes = &self.otlp.first()?.resource.as_ref()?.attributes;
        let value = attributes.iter().find(|pair| pair.key == name)?.value.clone()?;
        crate::span::text(value, 0)
    }
}

/// Where a transaction came in, of which others tell that do not know our word for it: its route, else what its first
/// span is called.
fn entry(head: &Span) -> Option<String> {
    let method = head.attribute("http.request.method").or_else(|| head.attribute("http.method"));
    let route = method.zip(head.attribute("http.route"));
    let route = route.map(|(method, route)| format!("http {method} {route}"));
    let said = route.or_else(|| head.source().map(str::to_owned)).unwrap_or_else(|| head.name.clone());
    Some(cut(&said)).filter(|entry| !entry.is_empty())
}

/// As it is in keys.
fn key(text: &str) -> String {
    bounded(text).into_owned()
}

/// As much of a text as a card has, which is in no key.
pub(crate) fn kept(text: &str) -> &str {
    cut_to(text, MAX_TEXT)
}

fn cut(text: &str) -> String {
    kept(text).to_owned()
}

pub(super) fn cut_to(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

// As serde asks for it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !*value
}
