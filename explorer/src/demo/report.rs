//! What a run found: as trees for people, as one object for programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::Options;
use super::effects::{OUTSIDE, Seen};
use super::judge::Judgement;
use super::orders::Sent;
use super::stored::Stored;
use super::stories::stories;
use crate::connection::Connection;
use crate::mappings::Delivery;
use crate::trace::{Style, Transaction, duration, paint, rows};

/// The judged transactions of a run.
#[derive(Debug)]
pub(super) struct Report {
    orders: Vec<Told>,
    /// Transactions that are no order: lunchbot's.
    others: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    user: Option<String>,
    dry_run: bool,
    /// Who saw the order, outside of the functions; `None` where that is not known.
    seen_by: Option<Vec<&'static str>>,
    /// What the client was answered, if it was not a success.
    refused: Option<String>,
    judgement: Judgement,
}

impl Report {
    /// Judges every transaction.
    pub(super) fn new(orders: &[Sent], deliveries: &[Delivery], stored: &Stored) -> Self {
        let stories = stories(orders, deliveries);
        let mut told: Vec<Told> = stories
            .iter()
            .map(|story| Told {
                user: None,
                dry_run: false,
                seen_by: None,
                refused: None,
                judgement: Judgement::new(story, stored.transaction(story.began)),
            })
            .collect();
        let others = told.split_off(orders.len());
        for (told, order) in told.iter_mut().zip(orders) {
            told.user = Some(order.user.clone());
            told.dry_run = order.dry_run;
            told.refused = (!order.status.is_success()).then(|| format!("answered {}", order.status));
        }
        let mut report = Self { orders: told, others };
        report.find_shared_traces();
        report
    }

    /// Two orders in one trace are two orders that nobody can tell apart.
    fn find_shared_traces(&mut self) {
        for id in ["trace", "correlation"] {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for told in self.orders.iter_mut().chain(&mut self.others) {
                let value = told.judgement.transaction.as_ref().and_then(|transaction| match id {
                    "trace" => Some(transaction.trace_id().to_owned()),
                    _ => correlation(transaction),
                });
                let Some(value) = value else { continue };
                let count = seen.entry(value).or_default();
                *count += 1;
                if *count > 1 {
                    told.judgement.problems.push(format!("it shares its {id} id with another"));
                }
            }
        }
    }

    /// Adds who saw which order. Of a dry run nobody may.
    pub(super) fn tell_effects(&mut self, orders: &[Sent], seen: &Seen) {
        for (told, order) in self.orders.iter_mut().zip(orders) {
            told.seen_by = order.order_id.as_deref().map(|id| seen.by(id));
            if told.dry_run {
                let problem = |who: &&str| format!("it is a dry run, and the {who} saw it");
                told.judgement.problems.extend(told.seen_by.iter().flatten().map(problem));
            }
        }
    }

    /// How many orders are whole.
    pub(super) fn complete(&self) -> usize {
        self.orders.iter().filter(|told| told.judgement.is_whole()).count()
    }

    /// Whether everything is.
    pub(super) fn is_whole(&self) -> bool {
        self.orders.iter().chain(&self.others).all(|told| told.judgement.is_whole())
    }

    /// One JSON object and a line's end.
    pub(super) fn json(&self) -> String {
        let list = |told: &[Told]| told.iter().map(Told::json).collect::<Vec<_>>();
        let object = json!({
            "orders": self.orders.len(),
            "complete": self.complete(),
            "transactions": list(&self.orders),
            "others": list(&self.others),
        });
        format!("{object}\n")
    }

    /// The trees, and a last line that says what to do next.
    pub(super) fn text(
        &self,
        style: Style,
        options: &Options,
        started: Duration,
        store: &Connection,
    ) -> String {
        let mut text = String::new();
        for told in self.orders.iter().chain(&self.others) {
            told.write(style, &mut text);
        }
        let (complete, all) = (self.complete(), self.orders.len());
        let count = format!("{complete} of {all} orders whole");
        let count = if self.is_whole() { style.green(&count) } else { style.red(&count) };
        let started = duration(started.as_secs_f64() * 1000.0);
        let freeze = if options.no_freeze { "" } else { ", frozen between invocations" };
        let _ = writeln!(text, "{count}   six functions up in {started}{freeze}");
        let next = match (&options.fail, self.is_whole()) {
            (_, false) => "see what the processes log: cargo demo --logs".to_owned(),
            (_, true) if store.is_file() => store.command(&["traces"]),
            (None, true) => "see a failure and its retries: cargo demo --fail email-sender".to_owned(),
            (Some(_), true) => "ask what it broke: cargo demo --fail email-sender --store shop.db".to_owned(),
        };
        let _ = writeln!(text, "{}", style.dim(&format!("next: {next}")));
        text
    }
}

impl Told {
    fn json(&self) -> Value {
        let Judgement { transaction, problems } = &self.judgement;
        json!({
            "trace_id": transaction.as_ref().map(Transaction::trace_id),
            "correlation_id": transaction.as_ref().and_then(correlation),
            "spans": transaction.as_ref().map_or(0, |t| t.spans.len()),
            "orphans": transaction.as_ref().map_or(0, |t| t.orphans().len()),
            "hops": transaction.as_ref().map(Transaction::hops).unwrap_or_default(),
            "functions": transaction.as_ref().map(|t| json!(t.functions())),
            "status": if self.failed() { "failed" } else { "ok" },
            "user": self.user,
            "dry_run": self.dry_run,
            "seen_by": self.seen_by.as_deref().unwrap_or_default(),
            "whole": self.judgement.is_whole(),
            "problems": problems,
        })
    }

    fn failed(&self) -> bool {
        self.refused.is_some() || self.judgement.transaction.as_ref().is_some_and(Transaction::failed)
    }

    fn write(&self, style: Style, text: &mut String) {
        let Judgement { transaction, problems } = &self.judgement;
        let mut title = Vec::new();
        let source = transaction.as_ref().and_then(|t| t.root()?.source().map(str::to_owned));
        let source = source.unwrap_or_else(|| "a transaction without a trace".to_owned());
        title.push(style.bold(source.strip_prefix("http ").unwrap_or(&source)));
        title.extend(self.user.as_ref().map(|user| format!("user {user}")));
        title.extend(self.dry_run.then(|| "dry run".to_owned()));
        if let Some(transaction) = transaction {
            title.extend(correlation(transaction).map(|id| format!("correlation {}", short(&id))));
            title.push(duration(transaction.millis()));
        }
        title.push(if self.failed() { style.red("failed") } else { style.green("ok") });
        title.extend(self.refused.as_ref().map(|refused| style.red(refused)));
        // In full: X-Ray's ids begin with the time, and an id is there to be copied.
        title.extend(transaction.as_ref().map(|t| style.dim(&format!("trace {}", t.trace_id()))));
        let _ = writeln!(text, "{}", title.join("  "));
        for line in transaction.iter().flat_map(|transaction| paint(&rows(transaction), style)) {
            let _ = writeln!(text, "{line}");
        }
        if self.dry_run && self.seen_by.as_ref().is_some_and(Vec::is_empty) {
            let nobody = format!("dry run: nothing of it was seen by the {}", OUTSIDE.join(", the "));
            let _ = writeln!(text, "{}", style.green(&nobody));
        }
        for problem in problems {
            let _ = writeln!(text, "{}", style.red(&format!("not whole: {problem}")));
        }
        text.push('\n');
    }
}

fn correlation(transaction: &Transaction) -> Option<String> {
    transaction.values("correlation.id").into_iter().next().map(str::to_owned)
}

fn short(id: &str) -> String {
    match id.get(..8) {
        Some(start) if id.len() > 12 => format!("{start}…"),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::testing::stored;
    use super::super::stories::testing::{delivery, sent};
    use super::*;
    use crate::trace::testing::{Told as _, span};

    #[test]
    fn two_orders_in_one_trace_are_not_whole() {
        let orders = [sent(0), sent(1)];
        let deliveries = [
            delivery("checkout-api", "r-0", &[(None, "{}")]),
            delivery("checkout-api", "r-1", &[(None, "{}")]),
        ];
        let first = |id, request| {
            let span = span("t", id, None, "checkout-api").triggered_by("http POST /orders");
            span.with("faas.invocation_id", request).with("correlation.id", "c")
        };
        let both = || vec![first("1", "r-0"), first("2", "r-1")];
        let report = Report::new(&orders, &deliveries, &stored([("r-0", both()), ("r-1", both())]));
        assert_eq!(report.complete(), 1);
        let object: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&object["orders"], &object["complete"]), (&json!(2), &json!(1)));
        assert_eq!(object["transactions"][1]["problems"][0], "it shares its trace id with another");
    }

    #[test]
    fn of_a_dry_run_people_read_who_saw_it() {
        let orders =
            [sent(0), Sent { dry_run: true, ..sent(1) }, Sent { order_id: None, dry_run: true, ..sent(2) }];
        let text = |seen: Seen| {
            let mut report = Report::new(&orders, &[], &Stored::default());
            report.tell_effects(&orders, &seen);
            let mut texts = [const { String::new() }; 3];
            let style = Style { width: 100, colour: false };
            report.orders.iter().zip(&mut texts).for_each(|(told, text)| told.write(style, text));
            texts
        };
        let nobody = "dry run: nothing of it was seen by the table, the payment provider, the mail provider";
        // Of the third nobody knows: it has no id to be looked for.
        assert_eq!(text(Seen::default()).map(|text| text.contains(nobody)), [false, true, false]);
        let [_, seen, _] = text(Seen(vec![("table", "o-1".to_owned())]));
        assert!(!seen.contains(nobody) && seen.contains("it is a dry run, and the table saw it"), "{seen}");
    }
}
