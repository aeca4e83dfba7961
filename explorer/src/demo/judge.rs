//! Whether a transaction is whole: facts from outside the trace, held against its spans.
//!
//! For every record of the transaction that a function was given there must be evidence in the
//! trace: a record span for each delivery; where the function does not look at records one by one,
//! the invocation's own span. A delivery that failed must show as an error. No span may hang in the
//! air, or carry another transaction's correlation id.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stored::Told;
use crate::mappings::{Delivery, Fate};
use crate::trace::{Span, Transaction};

/// A transaction as told from outside: where it began, and what was delivered for it.
#[derive(Debug, Clone)]
pub(super) struct Story<'a> {
    /// The request id of the invocation at which it began.
    pub began: &'a str,
    /// Deliveries, each with the positions of this transaction's records in its batch.
    pub deliveries: Vec<(&'a Delivery, Vec<usize>)>,
}

/// What the judge found.
#[derive(Debug)]
pub(super) struct Judgement {
    /// The trace, if its beginning has a span.
    pub transaction: Option<Transaction>,
    /// What is wrong with it; nothing, if it is whole.
    pub problems: Vec<String>,
}

impl Judgement {
    /// Holds the story against what the store tells of the transaction.
    pub(super) fn new(story: &Story<'_>, told: Option<&Told>) -> Self {
        let mut problems = Vec::new();
        let Some(Told { tree: transaction, partly }) = told else {
            return Self { transaction: None, problems: vec!["its first invocation has no span".to_owned()] };
        };
        if *partly {
            problems.push("the store tells only a part of it".to_owned());
        }
        for (delivery, _) in &story.deliveries {
            if invocation(transaction, &delivery.request_id).is_none() {
                problems
                    .push(format!("{}: invocation {} has no span", delivery.function, delivery.request_id));
            }
        }
        for ((function, id), deliveries) in by_record(story) {
            let evidence = Evidence { transaction, function, id };
            problems.extend(evidence.missing(&deliveries).map(|what| format!("{function}: {what}")));
        }
        for orphan in transaction.orphans() {
            problems.push(format!("{}: the parent of span '{}' is missing", orphan.function, orphan.name));
        }
        let correlations = transaction.values("correlation.id").len();
        if correlations != 1 {
            problems.push(format!("it has {correlations} correlation ids"));
        }
        Self { transaction: Some(transaction.clone()), problems }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// The span of an invocation.
fn invocation<'a>(transaction: &'a Transaction, request_id: &str) -> Option<&'a Arc<Span>> {
    let mut spans = transaction.spans.iter().chain(&transaction.linking);
    spans.find(|span| span.invocation_id() == Some(request_id))
}

type RecordKey<'a> = (&'a str, Option<&'a str>);

/// The deliveries of each record: several, if it came again.
fn by_record<'a>(story: &Story<'a>) -> BTreeMap<RecordKey<'a>, Vec<(&'a Delivery, Fate)>> {
    let mut records: BTreeMap<RecordKey<'_>, Vec<_>> = BTreeMap::new();
    for (delivery, positions) in &story.deliveries {
        for record in positions.iter().map(|position| &delivery.records[*position]) {
            let key = (delivery.function.as_str(), record.id.as_deref());
            records.entry(key).or_default().push((*delivery, record.fate));
        }
    }
    records
}

/// What the trace knows of one record at one function.
struct Evidence<'a> {
    transaction: &'a Transaction,
    function: &'a str,
    id: Option<&'a str>,
}

impl Evidence<'_> {
    /// What is not there that should be.
    fn missing(&self, deliveries: &[(&Delivery, Fate)]) -> Option<String> {
        let runs: Vec<&Arc<Span>> = self.record_spans();
        let (mut told, mut errors) = (runs.len(), runs.iter().filter(|run| run.error().is_some()).count());
        let (mut at_least, mut at_most, mut failed) = (0, 0, 0);
        for (delivery, fate) in deliveries {
            at_most += 1;
            at_least += usize::from(*fate != Fate::Unknown);
            failed += usize::from(*fate == Fate::Failed);
            // A record span says more; the invocation's own must do where there is none.
            if self.told_by_invocation(delivery, &runs) {
                told += 1;
                errors += usize::from(delivery.error.is_some());
            }
        }
        if told < at_least {
            return Some(format!("{told} of {at_least} runs of a record have a span"));
        }
        if told > at_most {
            return Some(format!("{at_most} runs of a record have {told} spans"));
        }
        (errors < failed).then(|| format!("{errors} of {failed} failed runs of a record show an error"))
    }

    fn record_spans(&self) -> Vec<&Arc<Span>> {
        let Some(id) = self.id else { return Vec::new() };
        let is_run = |span: &&Arc<Span>| {
            span.is_record()
                && span.function == self.function
                && span.attribute("messaging.message.id") == Some(id)
        };
        self.transaction.spans.iter().filter(is_run).collect()
    }

    /// Whether the invocation's span, in this trace or (if it failed as a whole) linking into it,
    /// stands for the record.
    fn told_by_invocation(&self, delivery: &Delivery, runs: &[&Arc<Span>]) -> bool {
        let Some(invocation) = invocation(self.transaction, &delivery.request_id) else { return false };
        if runs.iter().any(|run| (invocation.start..=invocation.end).contains(&run.start)) {
            return false;
        }
        let trace_id = self.transaction.trace_id();
        let links_here = || invocation.links.iter().any(|link| link.trace_id == trace_id);
        invocation.trace_id == trace_id
            || (delivery.error.is_some() && invocation.error().is_some() && links_here())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use throughline_host::FunctionError;

    use super::super::stored::testing::stored;
    use super::*;
    use crate::mappings::Delivered;
    use crate::trace::testing::{Told as _, span};

    /// A delivery of record `m` (none for the front) to `function` under request `id`.
    fn delivery(function: &str, id: &str, record: Option<&str>, fate: Fate) -> Delivery {
        Delivery {
            function: function.into(),
            request_id: id.into(),
            records: vec![Delivered { id: record.map(str::to_owned), record: Value::Null, fate }],
            error: None,
        }
    }

    fn first() -> Span {
        span("t", "1", None, "checkout-api")
            .triggered_by("http POST /orders")
            .with("faas.invocation_id", "r-1")
            .with("correlation.id", "c")
    }

    /// The invocation of a mixed batch, in a trace of its own.
    fn batch(request: &str) -> Span {
        span("u", request, None, "payment-worker")
            .triggered_by("sqs payments")
            .with("faas.invocation_id", request)
            .linked("t", "1")
            .at(10, 20)
    }

    fn run(id: &str) -> Span {
        span("t", id, Some("1"), "payment-worker")
            .triggered_by("sqs payments")
            .with("messaging.message.id", "m")
            .at(11, 12)
    }

    fn problems(deliveries: &[Delivery], spans: Vec<Span>) -> Vec<String> {
        let stored = stored((!spans.is_empty()).then_some(("r-1", spans)));
        let deliveries = deliveries.iter().map(|delivery| (delivery, vec![0])).collect();
        Judgement::new(&Story { began: "r-1", deliveries }, stored.transaction("r-1")).problems
    }

    #[test]
    fn a_transaction_with_all_its_spans_is_whole() {
        let deliveries = [
            delivery("checkout-api", "r-1", None, Fate::Done),
            delivery("payment-worker", "r-2", Some("m"), Fate::Done),
        ];
        assert!(problems(&deliveries, vec![first(), batch("r-2"), run("2")]).is_empty());
    }

    #[test]
    fn a_lost_hop_shows() {
        let deliveries = [
            delivery("checkout-api", "r-1", None, Fate::Done),
            delivery("payment-worker", "r-2", Some("m"), Fate::Done),
        ];
        let found = problems(&deliveries, vec![first(), batch("r-2")]);
        assert_eq!(found, ["payment-worker: 0 of 1 runs of a record have a span"]);
        let found = problems(&deliveries, vec![first(), run("2")]);
        assert_eq!(found, ["payment-worker: invocation r-2 has no span"]);
        assert_eq!(problems(&deliveries, vec![]), ["its first invocation has no span"]);
    }

    #[test]
    fn every_attempt_must_show_and_as_a_failure() {
        let attempt = |id| delivery("payment-worker", id, Some("m"), Fate::Failed);
        let deliveries = [delivery("checkout-api", "r-1", None, Fate::Done), attempt("r-2"), attempt("r-3")];
        let told = |runs: Vec<Span>| {
            let mut spans = vec![first(), batch("r-2"), batch("r-3").at(30, 40)];
            spans.extend(runs);
            problems(&deliveries, spans)
        };
        assert!(told(vec![run("2").failed("no"), run("3").failed("no").at(31, 32)]).is_empty());
        assert_eq!(
            told(vec![run("2").failed("no")]),
            ["payment-worker: 1 of 2 runs of a record have a span"]
        );
        assert_eq!(
            told(vec![run("2").failed("no"), run("3").at(31, 32)]),
            ["payment-worker: 1 of 2 failed runs of a record show an error"]
        );
        assert_eq!(
            told(vec![
                run("2").failed("no"),
                run("3").failed("no").at(31, 32),
                run("4").failed("no").at(33, 34)
            ]),
            ["payment-worker: 2 runs of a record have 3 spans"]
        );
    }

    #[test]
    fn a_function_error_is_told_by_the_span_that_links_here() {
        let mut failed = delivery("payment-worker", "r-2", Some("m"), Fate::Failed);
        failed.error = Some(FunctionError { kind: "Panic".into(), message: String::new() });
        let deliveries = [delivery("checkout-api", "r-1", None, Fate::Done), failed];
        assert!(problems(&deliveries, vec![first(), batch("r-2").failed("panicked")]).is_empty());
        assert_eq!(problems(&deliveries, vec![first(), batch("r-2")]).len(), 1);
    }

    #[test]
    fn what_may_not_have_run_is_not_missed() {
        let deliveries = [
            delivery("checkout-api", "r-1", None, Fate::Done),
            delivery("payment-worker", "r-2", Some("m"), Fate::Unknown),
        ];
        assert!(problems(&deliveries, vec![first(), batch("r-2")]).is_empty());
        assert!(problems(&deliveries, vec![first(), batch("r-2"), run("2")]).is_empty());
    }

    #[test]
    fn orphans_and_foreign_correlations_show() {
        let deliveries = [delivery("checkout-api", "r-1", None, Fate::Done)];
        let orphan = span("t", "9", Some("gone"), "f").with("correlation.id", "other");
        let found = problems(&deliveries, vec![first(), orphan]);
        assert_eq!(found, ["f: the parent of span 'f' is missing", "it has 2 correlation ids"]);
    }
}
