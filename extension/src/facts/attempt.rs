//! One attempt at a request: what is known of it, how it ended, and the spans for that.

use super::event::{End, Phase, millis};
use super::logs::Fate;
use super::spans::{Place, attribute, fail, id, phase, span, text};
use super::xray::XRay;
use super::{FunctionInfo, Last};
use crate::bad_end::BadEnd;
use crate::otlp::InvocationSpan;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::time::Duration;
use throughline_recorder::Failure;

/// More than this between init and invocation: the sandbox was started ahead of it, and nobody waited.
const AHEAD: Duration = Duration::from_secs(10);
/// Shorter ones are no phase.
const SHORTEST: Duration = Duration::from_millis(1);

/// An attempt. Times are nanoseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub request_id: String,
    pub begun: Option<u64>,
    pub platform_began: Option<u64>,
    pub xray: Option<XRay>,
    /// The trace of a span that was received meanwhile.
    pub trace: Option<[u8; 16]>,
    /// The invocation's span, whoever told it.
    pub span: Option<InvocationSpan>,
    pub done: Option<(u64, End)>,
    pub report: Option<End>,
    pub closed: bool,
    pub phases_told: bool,
    pub judged: bool,
    /// Its span is of our making.
    pub ours: bool,
}

/// How an attempt failed, and when.
#[derive(Debug)]
pub(super) struct Verdict {
    pub failure: Failure,
    end: u64,
    ran: Option<Duration>,
}

/// The sandbox's init.
#[derive(Debug, Default)]
pub(super) struct Init {
    start: u64,
    end: Option<(u64, End)>,
    told: bool,
}

// === impl Attempt ===

impl Attempt {
    pub(super) fn at(request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), ..Self::default() }
    }

    pub(super) fn is_in(&self, trace_id: [u8; 16]) -> bool {
        let known =
            [self.trace, self.xray.map(|xray| xray.trace_id), self.span.as_ref().map(|span| span.trace_id)];
        known.contains(&Some(trace_id))
    }

    pub(super) fn memory_used(&self) -> Option<i64> {
        self.report.as_ref()?.memory_used()
    }

    /// How it failed, if nobody has told that yet. Of a function that lives its own span is believed to come, unless it
    /// `never_sends` any.
    pub(super) fn verdict(&mut self, never_sends: bool, last: Option<Last<'_>>) -> Option<Verdict> {
        if self.judged || self.span.as_ref().is_some_and(|span| span.failed) {
            return None;
        }
        let (time, bad_end, end) = match &self.done {
            Some((_, end)) if end.is_success() => return None,
            Some((time, end)) => (*time, end.bad_end(), end.clone()),
            None => {
                let last =
                    last.filter(|last| last.current == Some(&self.request_id) && self.span.is_none())?;
                let timed_out = last.reason == "timeout";
                // Without its begin, nobody says that it was still under way.
                let failed = last.reason == "failure" && self.platform_began.is_some();
                if !(timed_out || failed) {
                    return None;
                }
                (last.time, Some(BadEnd::of_shutdown(last.reason)), End::default())
            }
        };
        if self.span.is_none() && bad_end.is_none() && !never_sends {
            return None;
        }
        self.judged = true;
        let ran = millis(end.metrics.duration_ms);
        let until = ran
            .zip(self.begun)
            .and_then(|(ran, begun)| begun.checked_add(u64::try_from(ran.as_nanos()).ok()?));
        let at = until.unwrap_or(time).max(self.begun.unwrap_or_default());
        let ran = ran.or_else(|| self.begun.map(|begun| Duration::from_nanos(at.saturating_sub(begun))));
        let failure = bad_end.map_or_else(|| of_living(&end), |bad_end| bad_end.failure(ran));
        Some(Verdict { failure, end: at, ran })
    }

    /// The span for it: the invocation's, or, if that is there and says that all went well, one under it.
    pub(super) fn tell(&mut self, function: &FunctionInfo, verdict: &Verdict) -> Span {
        let place = self.place();
        let mut told = if self.span.is_some() {
            span(place, &self.request_id, "after the handler", verdict.end, verdict.end)
        } else {
            let name = Some(function.name.as_str()).filter(|name| !name.is_empty()).unwrap_or("invocation");
            let begun = self.begun.unwrap_or(verdict.end);
            let mut told = span(place, &self.request_id, name, begun, verdict.end);
            told.kind = SpanKind::Server as i32;
            told.attributes.push(text("faas.invocation_id", &self.request_id));
            told.attributes.push(attribute("throughline.partial", Value::BoolValue(true)));
            let span_id = told.span_id.as_slice().try_into().unwrap_or_default();
            let (request_id, trace_id) = (self.request_id.clone(), place.trace_id);
            self.ours = true;
            self.span = Some(InvocationSpan { request_id, trace_id, span_id, failed: true });
            told
        };
        let memory = self.memory_used().map(|bytes| attribute("faas.mem_usage", Value::IntValue(bytes)));
        told.attributes.extend(memory);
        if let Some(ran) = verdict.ran {
            told.attributes.push(attribute("faas.invoke_duration", Value::DoubleValue(ran.as_secs_f64())));
        }
        fail(&mut told, &verdict.failure);
        told
    }

    /// Where its spans belong: under its own; else in the trace of whatever was received of it; else where X-Ray has it;
    /// else in one of its own.
    pub(super) fn place(&self) -> Place {
        if let Some(span) = &self.span {
            return Place { trace_id: span.trace_id, parent: span.span_id };
        }
        let own = || {
            let [high, low] = [0, 1].map(|half| id(&self.request_id, "trace", half).to_be_bytes());
            let mut trace_id = [0; 16];
            trace_id[..8].copy_from_slice(&high);
            trace_id[8..].copy_from_slice(&low);
            trace_id
        };
        let trace_id = self.trace.or(self.xray.map(|xray| xray.trace_id)).unwrap_or_else(own);
        let parent = self.xray.filter(|xray| xray.trace_id == trace_id).and_then(|xray| xray.parent);
        Place { trace_id, parent: parent.unwrap_or_default() }
    }

    /// What is known of its trace; nothing more will be, if it is `over`.
    pub(super) fn fate(&self, over: bool) -> Fate {
        let xray = self.xray.map(|xray| xray.trace_id);
        match self.span.as_ref().map(|span| span.trace_id).or(self.trace) {
            Some(trace_id) => Fate::Known(trace_id),
            None if over => xray.map_or(Fate::Unknown, Fate::Known),
            None => Fate::Waits(xray),
        }
    }

    /// Whether its phases can be told: the platform has said all, or says no more; and only in a transaction that has
    /// spans.
    pub(super) fn phases_are_due(&self, over: bool) -> bool {
        let in_transaction = self.span.is_some() || self.trace.is_some();
        !self.phases_told && in_transaction && self.done.is_some() && (self.report.is_some() || over)
    }

    pub(super) fn is_cold(&self, init: Option<&Init>) -> bool {
        let Some((Some((ended, _)), begun)) = init.map(|init| (&init.end, self.begun)) else { return false };
        begun.is_some_and(|begun| Duration::from_nanos(begun.saturating_sub(*ended)) <= AHEAD)
    }

    /// Init, handler, response, and what runtime and extensions took after it.
    pub(super) fn phases(&self, init: Option<&Init>) -> Vec<Span> {
        let place = self.place();
        let mut spans: Vec<Span> = init
            .filter(|init| !init.told)
            .and_then(|init| init.span(place, &self.request_id))
            .into_iter()
            .collect();
        let Some((time, done)) = &self.done else { return spans };
        spans.extend(done.phases.iter().map(|told| phase(place, &self.request_id, told)));
        let all = self.report.as_ref().and_then(|report| millis(report.metrics.duration_ms));
        let overhead = all.zip(millis(done.metrics.duration_ms)).map(|(all, done)| all.saturating_sub(done));
        if let Some(duration) = overhead.filter(|overhead| *overhead >= SHORTEST) {
            let overhead = Phase { name: "extension overhead".into(), start: *time, duration };
            spans.push(phase(place, &self.request_id, &overhead));
        }
        spans
    }
}

/// What the platform says of a failure after which the runtime goes on.
fn of_living(end: &End) -> Failure {
    // `_OTHER` is the conventions' word for an error without a name.
    let error_type = end.error_type.clone().unwrap_or_else(|| "_OTHER".into());
    let message = match error_type.as_str() {
        "Function.ResponseSizeTooLarge" => "the response is too large, and was refused".to_owned(),
        _ => format!("the platform says that it failed ({})", end.status),
    };
    Failure { error_type, message }
}

// === impl Init ===

impl Init {
    pub(super) fn started(init: &mut Option<Self>, time: u64) {
        // One that failed is tried again with the first invocation, and is told first.
        if init.as_ref().is_none_or(|init| init.told || !init.has_failed()) {
            *init = Some(Self { start: time, ..Self::default() });
        }
    }

    pub(super) fn ended(init: &mut Option<Self>, time: u64, end: &End) {
        let init = init.get_or_insert_with(|| Self { start: time, ..Self::default() });
        let (_, known) = init.end.get_or_insert_with(|| (time, end.clone()));
        known.metrics.duration_ms = end.metrics.duration_ms.or(known.metrics.duration_ms);
        if !end.is_success() {
            known.status.clone_from(&end.status);
            known.error_type = end.error_type.clone().or(known.error_type.take());
        }
    }

    fn has_failed(&self) -> bool {
        self.end.as_ref().is_some_and(|(_, end)| !end.is_success())
    }

    /// Its span, if it has failed and that was not told, in the trace of the attempt that it failed.
    pub(super) fn tell_failure(&mut self, attempt: &Attempt) -> Option<Span> {
        if self.told || !self.has_failed() {
            return None;
        }
        self.told = true;
        self.span(attempt.place(), &attempt.request_id)
    }

    fn span(&self, place: Place, about: &str) -> Option<Span> {
        let (time, end) = self.end.as_ref()?;
        let until = millis(end.metrics.duration_ms)
            .and_then(|took| self.start.checked_add(u64::try_from(took.as_nanos()).ok()?))
            .unwrap_or(*time);
        let mut told = span(place, about, "init", self.start, until);
        told.attributes.push(attribute("faas.coldstart", Value::BoolValue(true)));
        if !end.is_success() {
            let timed_out = end.status == "timeout";
            let usual = if timed_out { "Sandbox.Timedout" } else { "Runtime.ExitError" };
            let error_type = end.error_type.clone().unwrap_or_else(|| usual.into());
            let message = if timed_out { "init timed out" } else { "init failed" };
            fail(&mut told, &Failure { error_type, message: message.into() });
        }
        Some(told)
    }
}
