//! Where a failure may come from: the span that failed may be the symptom of another.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calls::{above, below, depths, key};
use super::killed::TIMED_OUT;
use crate::run::{Card, Failure, Open};
use crate::span::{Kind, Span};

/// What failed first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// How it stands to the failure.
    pub way: Upstream,
    /// Whose span it is.
    pub function: String,
    /// The span's trace.
    pub trace_id: String,
    /// The span.
    pub span_id: String,
    /// What it is called: `POST payments.example`.
    pub name: String,
    /// What it says.
    pub error: Failure,
}

/// How a cause stands to the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// Another function failed before, or dropped an error: perhaps that is why.
    Before,
    /// A call failed that it made.
    Below,
}

/// A call that had not ended when its function ran out of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenCall {
    /// Whose span it is.
    pub function: String,
    /// The span's trace.
    pub trace_id: String,
    /// The span.
    pub span_id: String,
    /// What it is called: `POST payments.example`.
    pub name: String,
    /// How many others had not ended either.
    pub others: u64,
}

/// What a failure may come from, if it isn't its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The first error of another function that was over before it began, unless that called this one, which had failed then
    /// too; else the call that failed in it.
    pub(super) cause: Option<Cause>,
    /// That call, where something failed before: which of both it was nobody can tell.
    pub(super) failed_call: Option<Cause>,
    /// What it waited for when it ran out of time.
    pub(super) open_call: Option<OpenCall>,
}

/// What a failure comes from, in its transaction; `None` if its span is not there.
pub(super) fn origin(failure: &Card, spans: &[Span]) -> Option<Origin> {
    let failed = failed(failure, spans)?;
    let erring = || spans.iter().filter_map(|span| Some((span, error(span)?)));
    let own = spans.iter().filter(|span| span.function == failed.function && error(span).is_some());
    let callers = above(own, spans);
    let before = erring().filter(|(span, _)| {
        span.function != failed.function && span.end <= failed.start && !callers.contains(&key(span))
    });
    let before = before.min_by_key(|(span, _)| span.end);
    let before = before.map(|(span, error)| told(Upstream::Before, span, error));
    let call = below(failed, spans).and_then(|call| Some(told(Upstream::Below, call, Failure::of(call)?)));
    let (cause, failed_call) = if before.is_some() { (before, call) } else { (call, None) };
    let open_call = timed_out(failure).then(|| open_call(failed, spans)).flatten();
    Some(Origin { cause, failed_call, open_call })
}

/// Whether it ran out of time while it waited for a call.
pub(super) fn waited(failure: &Card) -> bool {
    timed_out(failure) && failure.open == Some(Open::Waited)
}

pub(super) fn timed_out(failure: &Card) -> bool {
    failure.error.as_ref().is_some_and(|error| error.kind == TIMED_OUT)
}

/// What had not ended when time ran out for a span, the longest; of calls within each other the outermost.
fn open_call(failed: &Span, spans: &[Span]) -> Option<OpenCall> {
    let depths = depths(failed, spans);
    let is_open_call = |span: &Span| span.is_open() && matches!(span.kind, Kind::Client | Kind::Producer);
    let open = spans.iter().filter(|span| is_open_call(span) && depths.contains_key(&key(span)));
    let open: BTreeMap<_, &Span> = open.map(|span| (key(span), span)).collect();
    let is_within = |span: &Span| {
        let parent = span.parent_id.as_deref();
        parent.is_some_and(|parent| open.contains_key(&(span.trace_id.as_str(), parent)))
    };
    let outer = || open.values().filter(|span| !is_within(span));
    let longest = outer().min_by_key(|span| span.start)?;
    Some(OpenCall {
        function: longest.function.clone(),
        trace_id: longest.trace_id.clone(),
        span_id: longest.span_id.clone(),
        name: longest.called(),
        others: outer().count() as u64 - 1,
    })
}

/// The span of a failure.
fn failed<'a>(failure: &Card, spans: &'a [Span]) -> Option<&'a Span> {
    let id = failure.record.as_ref().unwrap_or(&failure.span_id);
    let of_run = || spans.iter().filter(|span| span.span_id == *id);
    // Of a batch that failed for several senders each has the failure in its own trace.
    let of_sender = || of_run().find(|span| span.function == failure.function);
    of_run().find(|span| span.trace_id == failure.trace_id).or_else(of_sender)
}

fn told(way: Upstream, span: &Span, error: Failure) -> Cause {
    Cause {
        way,
        function: span.function.clone(),
        trace_id: span.trace_id.clone(),
        span_id: span.span_id.clone(),
        name: span.called(),
        error,
    }
}

/// What a span says of an error: that it failed, or that it dropped one.
fn error(span: &Span) -> Option<Failure> {
    Failure::of(span).or_else(|| Failure::swallowed(span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Event, Status};

    fn span(id: &str, parent: Option<&str>, function: &str, from: u64, to: u64) -> Span {
        Span {
            trace_id: "t".into(),
            span_id: id.into(),
            parent_id: parent.map(str::to_owned),
            function: function.into(),
            start: from,
            end: to,
            ..Span::default()
        }
    }

    fn failed(span: Span, why: &str) -> Span {
        Span { status: Status::Error(why.into()), ..span }
    }

    fn found(spans: &[Span]) -> Option<(Upstream, String)> {
        let card = Card { trace_id: "t".into(), span_id: "mail".into(), ..Card::default() };
        origin(&card, spans)?.cause.map(|cause| (cause.way, cause.span_id))
    }

    #[test]
    fn an_error_before_it_comes_first_then_the_innermost_call() {
        let mail = failed(span("mail", Some("send"), "mailer", 50, 90), "no");
        let send = span("send", Some("api"), "api", 10, 20);
        let call = failed(span("call", Some("mail"), "mailer", 60, 80), "refused");
        let inner = failed(span("inner", Some("call"), "third", 61, 79), "down");
        let api = span("api", None, "api", 0, 30);
        assert_eq!(found(&[mail.clone(), send.clone(), api.clone()]), None, "its own");
        let spans = [mail.clone(), send.clone(), api.clone(), call.clone(), inner];
        assert_eq!(found(&spans), Some((Upstream::Below, "inner".into())));
        let fraud = failed(span("fraud", Some("api"), "api", 5, 9), "score unavailable");
        let spans = [mail.clone(), send, fraud, api, call];
        assert_eq!(found(&spans), Some((Upstream::Before, "fraud".into())));
        let attempt = failed(span("first", Some("send"), "mailer", 30, 40), "no");
        assert_eq!(found(&[mail.clone(), attempt]), None, "its own attempt before");
        let circle = [
            mail,
            failed(span("a", Some("b"), "x", 60, 61), "a"),
            failed(span("b", Some("a"), "x", 60, 61), "b"),
        ];
        assert_eq!(found(&circle), None);
    }

    fn call(id: &str, parent: &str, function: &str, from: u64, to: u64) -> Span {
        Span {
            kind: Kind::Client,
            name: id.trim_end_matches('2').into(),
            ..span(id, Some(parent), function, from, to)
        }
    }

    #[test]
    fn of_calls_those_are_a_cause_that_failed_all_the_way_down() {
        let mail = || failed(span("mail", None, "mailer", 50, 90), "500 from b");
        let answer =
            |id: &str, by: &str, from, to| Span { kind: Kind::Server, ..span(id, Some(by), "b", from, to) };
        // Who answers well has mended what failed in it.
        let spans = [
            mail(),
            failed(call("b", "mail", "mailer", 51, 60), "500"),
            failed(answer("asked", "b", 52, 59), "null"),
            call("d", "mail", "mailer", 61, 80),
            answer("well", "d", 62, 79),
            failed(call("redis", "well", "d", 63, 70), "reset"),
        ];
        assert_eq!(found(&spans), Some((Upstream::Below, "asked".into())));
        // What was done again and went well, what began too late, and whoever reads what was sent.
        for other in [
            vec![failed(call("k", "mail", "mailer", 51, 60), "no"), call("k2", "mail", "mailer", 61, 70)],
            vec![failed(call("late", "mail", "mailer", 95, 99), "no")],
            vec![Span { kind: Kind::Consumer, ..failed(call("w", "mail", "worker", 55, 99), "no") }],
        ] {
            assert_eq!(found(&[vec![mail()], other].concat()), None);
        }
        // The same service, but asked for something else.
        let asked = |id: &str, path: &str, from| {
            let attributes = [("url.full".to_owned(), format!("http://stock/{path}"))].into();
            Span { name: "GET".into(), attributes, ..call(id, "mail", "mailer", from, from + 5) }
        };
        let spans = [mail(), failed(asked("one", "1", 51), "503"), asked("two", "2", 60)];
        assert_eq!(found(&spans), Some((Upstream::Below, "one".into())));
        // What a function does within itself need not say that it failed.
        let within = span("charge", Some("mail"), "mailer", 51, 80);
        let spans = [mail(), within, failed(call("bank", "charge", "mailer", 52, 70), "refused")];
        assert_eq!(found(&spans), Some((Upstream::Below, "bank".into())));
        let reco = failed(span("reco", None, "reco", 1, 2), "no model");
        let card = Card { trace_id: "t".into(), span_id: "mail".into(), ..Card::default() };
        let origin = origin(&card, &[&spans[..], &[reco]].concat()).unwrap();
        let ids = [origin.cause, origin.failed_call].map(|call| call.unwrap().span_id);
        assert_eq!(ids, ["reco", "bank"]);
    }

    /// A service that is asked once more: who asked it failed because of it, and not it because of that.
    #[test]
    fn who_called_it_before_is_no_cause() {
        let call = |id: &str, from| failed(span(id, Some("api"), "api", from, from + 9), "503");
        let asked = |id: &str, by: &str, from| failed(span(id, Some(by), "mailer", from, from + 5), "no");
        let spans = [call("c1", 10), asked("first", "c1", 12), call("c2", 30), asked("mail", "c2", 32)];
        assert_eq!(found(&spans), None);
        let fraud = failed(span("fraud", Some("api"), "api", 5, 9), "score unavailable");
        assert_eq!(found(&[&spans[..], &[fraud]].concat()), Some((Upstream::Before, "fraud".into())));
    }

    #[test]
    fn what_ran_out_of_time_waited_for_the_call_that_was_open_longest() {
        let open = |span: Span| {
            let attributes = [("throughline.partial".to_owned(), "true".to_owned())].into();
            Span { kind: Kind::Client, attributes, ..span }
        };
        let call = |id: &str, parent, from, name: &str| {
            open(Span { name: name.to_owned(), ..span(id, Some(parent), "mailer", from, 90) })
        };
        let mail = failed(span("mail", None, "mailer", 50, 90), "timed out after 1.00 s");
        let over = Span { kind: Kind::Client, ..span("over", Some("mail"), "mailer", 51, 52) };
        let send = Span { kind: Kind::Internal, ..call("send", "mail", 52, "send") };
        let [smtp, within, log] = [
            call("smtp", "send", 54, "SMTP DATA"),
            call("within", "smtp", 54, "connect"),
            call("log", "send", 60, "PutItem"),
        ];
        let elsewhere = call("elsewhere", "nobody", 10, "GET");
        let spans = [mail.clone(), over.clone(), send, log, within, smtp, elsewhere];
        let of = |kind: &str, spans: &[Span]| {
            let error = Some(Failure { kind: kind.into(), ..Failure::default() });
            let card = Card { trace_id: "t".into(), span_id: "mail".into(), error, ..Card::default() };
            origin(&card, spans).unwrap().open_call.map(|call| (call.name, call.others))
        };
        assert_eq!(of(TIMED_OUT, &spans), Some(("SMTP DATA".to_owned(), 1)));
        assert_eq!(of("Runtime.OutOfMemory", &spans), None, "who waits takes no memory");
        assert_eq!(of(TIMED_OUT, &[mail, over]), None, "it ran");
    }

    #[test]
    fn a_dropped_error_is_a_cause() {
        let mail = failed(span("mail", None, "mailer", 50, 90), "no");
        let mut api = span("api", None, "api", 0, 30);
        api.attributes.insert("throughline.swallowed_errors".into(), "1".into());
        let attributes =
            [("exception.type".into(), "FraudCheck".into()), ("exception.message".into(), "timeout".into())];
        api.events.push(Event { name: "exception".into(), time: 9, attributes: attributes.into() });
        let card = Card { trace_id: "t".into(), span_id: "mail".into(), ..Card::default() };
        let cause = origin(&card, &[mail, api]).unwrap().cause.unwrap();
        assert_eq!((cause.error.kind.as_str(), cause.error.message.as_str()), ("FraudCheck", "timeout"));
    }
}
