//! What only the platform knows of invocations, and the spans that it becomes: those that ended badly and that nobody else
//! tells, what went wrong after a span that says that all went well, an init that failed, and the phases of a cold start.
//!
//! Pure: events and spans come in, in any order, and what is due comes out, once for each attempt.

mod attempt;
pub mod event;
mod function;
pub mod logs;
mod metrics;
mod reports;
mod settings;
pub mod spans;
mod telling;
pub mod xray;

use crate::accounts::Accounts;
use crate::otlp::InvocationSpan;
use attempt::{Attempt, Init};
use event::{Event, Fact};
use logs::{Fate, Lines};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};
use throughline_recorder::Failure;
use throughline_store::Report;

pub use function::FunctionInfo;
pub use metrics::{Metrics, Temporality};
pub use settings::{Phases, Settings};

/// Attempts remembered; a managed instance has so many at once.
const REMEMBERED: usize = 64;
/// By how much INVOKE may be read after the end of a quick invocation. Lambda's retries come a minute later.
const READ_LATE: u64 = 1_000_000_000;

/// What is known of the latest attempts.
#[derive(Debug, Default)]
pub struct Facts {
    /// What is told.
    pub settings: Settings,
    attempts: VecDeque<Attempt>,
    init: Option<Init>,
    metrics: Option<Metrics>,
    lines: Lines,
    reports: VecDeque<Report>,
    /// The request that the platform has begun last: lines that say nothing are about that.
    under_way: Option<String>,
    /// Something is known that was not when it was last asked what is due.
    news: bool,
    /// The function has sent a span.
    sends_spans: bool,
}

/// SHUTDOWN: nothing will follow.
#[derive(Debug, Clone, Copy)]
pub struct Last<'a> {
    /// Its reason.
    pub reason: &'a str,
    /// When, in nanoseconds since 1970.
    pub time: u64,
    /// The request that was under way, or the last one.
    pub current: Option<&'a str>,
}

/// Spans that are to be told of a request.
#[derive(Debug, PartialEq)]
pub struct Account {
    /// The request.
    pub request_id: String,
    /// The spans.
    pub spans: Vec<Span>,
    /// How it failed, if that is what they tell.
    pub failure: Option<Failure>,
}

/// Nanoseconds since 1970.
pub fn unix_nanos(wall: SystemTime) -> u64 {
    let since = wall.duration_since(UNIX_EPOCH).ok();
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

// === impl Facts ===

impl Facts {
    /// Begins, at this time.
    pub fn new(settings: Settings, now: u64) -> Self {
        let metrics = settings.metrics.map(|temporality| Metrics::new(temporality, now));
        Self { settings, metrics, ..Self::default() }
    }

    /// INVOKE was read, at this time.
    pub fn invoked(&mut self, request_id: &str, time: u64) {
        self.news = true;
        match self.latest(request_id) {
            Some(attempt) if attempt.done.is_none() && attempt.span.is_none() => {
                attempt.begun.get_or_insert(time);
            }
            // Told ahead of INVOKE by the platform or by a quick function.
            Some(attempt) if !attempt.closed => {}
            _ => self.begin(Attempt { begun: Some(time), ..Attempt::at(request_id) }),
        }
    }

    /// The extension is done with this request: what is told of it from now on is late, or another attempt's.
    pub fn close(&mut self, request_id: &str) {
        if let Some(attempt) = self.latest(request_id) {
            attempt.closed = true;
        }
    }

    /// The platform told something.
    pub fn told(&mut self, event: &Event) {
        self.news = true;
        match &event.fact {
            Fact::InitStart => Init::started(&mut self.init, event.time),
            Fact::InitEnd(end) => Init::ended(&mut self.init, event.time, end),
            Fact::Line(line) if self.settings.logs => {
                self.lines.push((**line).clone(), self.under_way.as_deref());
            }
            Fact::Line(_) => {}
            Fact::Start(request_id, header) => {
                if self.settings.logs && !self.settings.concurrent {
                    self.under_way = Some(request_id.clone());
                }
                let is_earlier =
                    |attempt: &Attempt| attempt.platform_began.is_some_and(|began| began < event.time);
                let attempt = self.at(request_id, is_earlier);
                if attempt.platform_began.is_none() {
                    attempt.platform_began = Some(event.time);
                    attempt.begun = Some(event.time).filter(|time| *time > 0).or(attempt.begun);
                    attempt.xray = header.as_deref().and_then(xray::parse);
                }
            }
            Fact::Done(request_id, end) => {
                let Some(attempt) = self.owner(request_id, event.time, |attempt| attempt.done.is_some())
                else {
                    return;
                };
                attempt.done = Some((event.time, end.clone()));
                self.metrics.iter_mut().for_each(|metrics| metrics.done(end));
            }
            Fact::Report(request_id, end) => {
                let Some(attempt) = self.owner(request_id, event.time, |attempt| attempt.report.is_some())
                else {
                    return;
                };
                attempt.report = Some(end.clone());
                self.metrics.iter_mut().for_each(|metrics| metrics.report(end));
                self.keep_report(request_id, end);
            }
        }
    }

    /// A span of this trace arrived while this request was under way. It may be an earlier one's, sent late.
    pub fn trace_seen(&mut self, request_id: Option<&str>, trace_id: [u8; 16]) {
        self.sends_spans = true;
        self.news = true;
        let Some(request_id) = request_id else { return };
        let others = self.attempts.iter().filter(|attempt| attempt.request_id != request_id);
        if others.into_iter().all(|attempt| !attempt.is_in(trace_id)) {
            self.at(request_id, |_| false).trace.get_or_insert(trace_id);
        }
    }

    /// The ended span of an invocation is told, by its function or by its recorder.
    pub fn span_told(&mut self, span: &InvocationSpan) {
        self.sends_spans = true;
        self.news = true;
        // After one of our making it is the same attempt's, that was still on its way.
        let is_another = |attempt: &Attempt| {
            !attempt.ours && attempt.span.as_ref().is_some_and(|known| known.span_id != span.span_id)
        };
        self.at(&span.request_id, is_another).span.get_or_insert_with(|| span.clone());
    }

    /// What was told before the function could run is another sandbox's: its requests may come again.
    pub fn forget(&mut self) {
        self.attempts.clear();
        self.sends_spans = false;
    }

    /// Memory that this request used, in bytes, if the platform told it.
    pub fn memory_used(&self, request_id: &str) -> Option<i64> {
        self.attempts.iter().rev().find(|attempt| attempt.request_id == request_id)?.memory_used()
    }

    /// What is to be told now; `last` at SHUTDOWN.
    pub fn due(&mut self, last: Option<Last<'_>>) -> Vec<Account> {
        if !std::mem::take(&mut self.news) && last.is_none() {
            return Vec::new();
        }
        let Self { settings, attempts, init, sends_spans, metrics, .. } = self;
        let newest = attempts.len().saturating_sub(1);
        let mut accounts = Vec::new();
        for (at, attempt) in attempts.iter_mut().enumerate() {
            let over = at < newest || last.is_some();
            let (mut spans, mut failure) = (Vec::new(), None);
            if let Some(verdict) = attempt.verdict(over && !*sends_spans, last) {
                spans.push(attempt.tell(&settings.function, &verdict));
                if let (None, Some(metrics), Some(last)) = (&attempt.done, metrics.as_mut(), last) {
                    // The platform has said no more of it than this.
                    metrics.done(&event::End { status: last.reason.to_owned(), ..event::End::default() });
                }
                failure = Some(verdict.failure);
            }
            if attempt.done.is_some() || last.is_some() {
                spans.extend(init.as_mut().and_then(|init| init.tell_failure(attempt)));
            }
            if attempt.phases_are_due(over) {
                let is_cold = attempt.is_cold(init.as_ref());
                attempt.phases_told = true;
                if settings.phases == Phases::All || (settings.phases == Phases::ColdStarts && is_cold) {
                    spans.extend(attempt.phases(init.as_ref().filter(|_| is_cold)));
                }
                *init = init.take().filter(|_| !is_cold);
            }
            if !spans.is_empty() {
                accounts.push(Account { request_id: attempt.request_id.clone(), spans, failure });
            }
        }
        accounts
    }

    /// The metrics, if it is time for them, with what became of all telemetry, and how many they are; if it is the `last`
    /// time, in any case.
    pub fn metrics_due(
        &mut self,
        accounts: &Accounts,
        now: u64,
        last: bool,
    ) -> Option<(ExportMetricsServiceRequest, u64)> {
        let metrics = self.metrics.as_mut().filter(|metrics| last || metrics.are_due(now))?;
        metrics.tell(&self.settings.function, accounts.tallies(), now)
    }

    /// The lines whose trace is known, or that can't wait for it; all, if nothing will follow.
    pub fn lines_due(&mut self, all: bool) -> Vec<LogRecord> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let Self { attempts, lines, sends_spans, settings, .. } = self;
        lines.take(all, |request_id| {
            let Some(at) = attempts.iter().rposition(|attempt| attempt.request_id == request_id) else {
                return Fate::Unknown;
            };
            let attempt = &attempts[at];
            // Its own span may come after the platform's word, if it sends any.
            let over = attempt.closed
                || (!settings.concurrent && at + 1 < attempts.len())
                || (attempt.done.is_some() && (settings.concurrent || !*sends_spans));
            attempt.fate(over)
        })
    }

    fn latest(&mut self, request_id: &str) -> Option<&mut Attempt> {
        self.attempts.iter_mut().rev().find(|attempt| attempt.request_id == request_id)
    }

    /// The latest attempt at this request, or a new one if there is none or it is over as this tells.
    fn at(&mut self, request_id: &str, is_over: impl Fn(&Attempt) -> bool) -> &mut Attempt {
        let known = self.attempts.iter().rposition(|attempt| attempt.request_id == request_id);
        let at = match known.filter(|at| !is_over(&self.attempts[*at])) {
            Some(at) => at,
            None => {
                self.begin(Attempt::at(request_id));
                self.attempts.len() - 1
            }
        };
        &mut self.attempts[at]
    }

    /// The attempt that an event of this time is about: the latest that had begun then, or one whose begin is not known;
    /// a new one, if there is none. `None` if each `has` it already: it was delivered twice.
    fn owner(&mut self, request_id: &str, time: u64, has: fn(&Attempt) -> bool) -> Option<&mut Attempt> {
        let attempts = self.attempts.iter().filter(|attempt| attempt.request_id == request_id).count();
        if attempts == 0 {
            return Some(self.at(request_id, |_| false));
        }
        let free = |attempt: &Attempt| attempt.request_id == request_id && !has(attempt);
        let had_begun =
            |attempt: &Attempt| attempt.platform_began.is_some_and(|began| time == 0 || began <= time);
        let may_have = |attempt: &Attempt| {
            // Clocks are compared only where it could be another's.
            let late = |begun: u64| attempts > 1 && time != 0 && begun > time.saturating_add(READ_LATE);
            attempt.platform_began.is_none() && !attempt.begun.is_some_and(late)
        };
        let at = self
            .attempts
            .iter()
            .rposition(|attempt| free(attempt) && had_begun(attempt))
            .or_else(|| self.attempts.iter().position(|attempt| free(attempt) && may_have(attempt)))?;
        self.attempts.get_mut(at)
    }

    fn begin(&mut self, attempt: Attempt) {
        if self.attempts.len() == REMEMBERED {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
    }
}

#[cfg(test)]
mod tests;
