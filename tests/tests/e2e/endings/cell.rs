//! A cell of the table: what was told of one invocation, held against what must be told.

use serde_json::Value;
use throughline_host::{Outcome, Reply, Source};
use throughline_tests::endings::STEPS;
use throughline_tests::spans::Arrived;

use super::table::Ending;
use super::triggers::{SECRET, SENDER, SKU, TRACE, Trigger};
use crate::support::Printed;

/// An invocation, and the same without us.
pub(super) struct Cell<'a> {
    pub(super) ending: &'a Ending,
    pub(super) trigger: &'a Trigger,
    pub(super) reply: &'a Reply,
    pub(super) without: &'a Reply,
}

/// Collects what is wrong.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, right: bool, wrong: impl FnOnce() -> String) {
        if !right {
            self.0.push(wrong());
        }
    }
}

impl Cell<'_> {
    /// What is wrong with what arrived and was printed.
    pub(super) fn faults(&self, arrived: &[Arrived], printed: &Printed) -> Vec<String> {
        let mut faults = Faults::default();
        self.check_reply(&mut faults);
        let mine: Vec<_> = arrived.iter().filter(|span| self.is_mine(span)).collect();
        match mine.iter().filter(|span| span.is_invocation()).collect::<Vec<_>>()[..] {
            [span] => {
                self.check_invocation(span, &mut faults);
                self.check_steps(span, &mine, &mut faults);
            }
            ref others => faults.0.push(format!("{} invocation spans", others.len())),
        }
        self.check_lines(&printed.lines(Source::Function), &mut faults);
        faults.0
    }

    fn is_mine(&self, span: &Arrived) -> bool {
        let id = Some(self.reply.request_id.as_str());
        span.attribute("faas.invocation_id").as_deref() == id || span.attribute("request_id").as_deref() == id
    }

    /// The client gets the same bytes as without us.
    fn check_reply(&self, faults: &mut Faults) {
        // Lambda's own words name the request.
        let outcome = |reply: &Reply| match &reply.outcome {
            Outcome::Failed(error) => Err(error.to_string().replace(&reply.request_id, "ID")),
            Outcome::Response(body) => Ok(body.clone()),
        };
        let (with, without) = (outcome(self.reply), outcome(self.without));
        faults.unless(with == without, || format!("the client gets {with:?}, and {without:?} without us"));
    }

    fn check_invocation(&self, span: &Arrived, faults: &mut Faults) {
        let told = &self.ending.told;
        let place = (hex(&span.span.trace_id), hex(&span.span.parent_span_id));
        faults.unless(place == (TRACE.to_owned(), SENDER.to_owned()), || format!("it is in {place:?}"));
        let (kind, name) = (span.span.kind(), span.span.name.as_str());
        faults.unless((kind, name) == (self.trigger.kind, self.trigger.span), || {
            format!("it is {kind:?} {name:?}")
        });
        let mut due = [self.trigger.attributes, told.attributes].concat();
        due.extend(told.error.map(|(kind, _)| ("error.type", kind)));
        for (key, value) in due {
            let found = span.attribute(key);
            faults.unless(found.as_deref() == Some(value), || format!("{key} is {found:?}, not {value:?}"));
        }
        let status = span.span.status.as_ref().map(|status| status.message.as_str());
        match told.error {
            Some((kind, message)) => {
                faults.unless(status.is_some_and(|status| status.contains(message)), || {
                    format!("the status is {status:?}, not {message:?}")
                });
                let exceptions = span.exceptions();
                let own =
                    exceptions.iter().find(|told| told.get("exception.type").is_some_and(|t| t == kind));
                faults.unless(own.is_some_and(|told| told["exception.message"].contains(message)), || {
                    format!("the exceptions are {exceptions:?}")
                });
                let event = span.attribute("throughline.event").unwrap_or_default();
                faults.unless(event.contains(SKU) && event.contains("***"), || {
                    format!("the event is {event:?}")
                });
            }
            None => {
                faults.unless(status.is_none(), || format!("it failed: {status:?}"));
                let event = span.attribute("throughline.event");
                faults.unless(event.is_none(), || format!("the event is told: {event:?}"));
                faults.unless(span.attribute("error.type").is_none(), || "it has an error.type".to_owned());
            }
        }
        faults.unless(is_partial(span) == told.partial, || "it is partial, or should be".to_owned());
        let recorded = span
            .span
            .events
            .iter()
            .any(|event| event.name == "log" && format!("{event:?}").contains("looked into it"));
        faults.unless(recorded == told.partial, || format!("debug lines on the span: {recorded}"));
        self.check_swallowed(span, faults);
        let traces: Vec<_> = span
            .exceptions()
            .into_iter()
            .filter_map(|mut told| told.remove("exception.stacktrace"))
            .collect();
        if let Some(place) = told.stacktrace {
            faults.unless(traces.iter().any(|trace| trace.contains(place)), || {
                format!("the traces are {traces:?}")
            });
        }
        let all = format!("{:?}", span.span);
        faults.unless(!all.contains(SECRET), || format!("the secret is on the span: {all}"));
    }

    fn check_swallowed(&self, span: &Arrived, faults: &mut Faults) {
        let due = self.ending.told.swallowed;
        let count = span.attribute("throughline.swallowed_errors");
        let due_count = (!due.is_empty()).then(|| due.len().to_string());
        faults.unless(count == due_count, || format!("swallowed: {count:?}, not {due_count:?}"));
        let swallowed: Vec<_> = span
            .exceptions()
            .into_iter()
            .filter(|told| told.get("throughline.swallowed").is_some_and(|yes| yes == "true"))
            .filter_map(|mut told| told.remove("exception.message"))
            .collect();
        faults.unless(swallowed == due, || format!("swallowed: {swallowed:?}, not {due:?}"));
    }

    /// The handler's own spans are there, each once, in its trace and under it.
    fn check_steps(&self, invocation: &Arrived, mine: &[&Arrived], faults: &mut Faults) {
        let mut numbers: Vec<_> = mine
            .iter()
            .filter(|span| span.span.name == "step")
            .filter(|span| {
                let of = (&span.span.trace_id, &span.span.parent_span_id);
                of == (&invocation.span.trace_id, &invocation.span.span_id)
            })
            .filter_map(|span| span.attribute("n"))
            .collect();
        numbers.sort();
        let open = mine.iter().filter(|span| span.span.name == "step" && is_partial(span));
        let open: Vec<_> = open.filter_map(|span| span.attribute("n")).collect();
        let due: Vec<_> = self.ending.told.partial.then(|| STEPS.to_string()).into_iter().collect();
        faults.unless(open == due, || format!("its open steps are {open:?}, not {due:?}"));
        let due: Vec<_> = (0..self.ending.told.steps).map(|n| n.to_string()).collect();
        faults.unless(numbers == due, || format!("its steps are {numbers:?}, not {due:?}"));
    }

    /// The function's lines name the invocation, and say no secret.
    fn check_lines(&self, lines: &[String], faults: &mut Faults) {
        let lines = lines.iter().filter(|line| !line.starts_with(r#"{"resourceSpans""#));
        let lines: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mine: Vec<_> = lines.iter().filter(|line| line["request_id"] == *self.reply.request_id).collect();
        let said = |message: &str| mine.iter().filter(|line| line["message"] == message).count();
        let due = usize::from(self.ending.told.logs);
        faults.unless(said("took the order") == due, || format!("the lines are {:?}", messages(&mine)));
        let (written, due) = (said("looked into it"), usize::from(self.ending.told.debug_lines));
        faults.unless(written == due, || format!("{written} debug lines among {:?}", messages(&mine)));
        faults
            .unless(mine.iter().all(|line| line["trace_id"] == TRACE), || format!("other traces: {mine:?}"));
        let spoken = mine.iter().find(|line| line.to_string().contains(SECRET));
        faults.unless(spoken.is_none(), || format!("the secret is in a line: {spoken:?}"));
    }
}

fn is_partial(span: &Arrived) -> bool {
    span.attribute("throughline.partial").as_deref() == Some("true")
}

fn messages<'a>(lines: &[&'a Value]) -> Vec<&'a Value> {
    lines.iter().map(|line| &line["message"]).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
