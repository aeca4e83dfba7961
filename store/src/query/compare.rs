//! In what a transaction is not like good ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Transaction;
use crate::run::{Card, Failure};
use crate::span::Span;

/// How many differences are told.
const MAX_TOLD: usize = 30;
/// The longest value, in bytes.
const MAX_VALUE: usize = 200;
/// Of so many good ones at least a quantile says something.
pub(super) const FEWEST: usize = 5;
/// What is another each time, or said elsewhere, by how its name begins or ends.
const PASSING: [&str; 27] = [
    "aws.dynamodb.consumed_capacity",
    "aws.dynamodb.count",
    "aws.dynamodb.scanned_count",
    "aws.extended_request_id",
    "aws.sqs.queue.url",
    "client.",
    "code.",
    "cloud.",
    "faas.coldstart",
    "faas.instance",
    "faas.invo",
    "faas.mem_usage",
    "messaging.batch.message_count",
    "messaging.kafka.offset",
    "messaging.message.",
    "network.",
    "server.port",
    "thread.",
    "throughline.batch.succeeded",
    "throughline.event",
    "throughline.join.",
    "throughline.message_group",
    "throughline.re",
    "throughline.step_functions.execution",
    "url.full",
    "url.path",
    "user_agent.",
];
const ENDINGS: [&str; 8] = ["id", "ids", "_bytes", "_ms", ".arn", "_at", "timestamp", "key"];
const FLAG: &str = "feature_flag.evaluation";
const STATUS: &str = "status";
const BUILD: &str = "build";

/// What is not as in good ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The function, and the call in it: `payment-worker`, `payment-worker PutItem`.
    pub step: String,
    /// An attribute; `build`, `status`, or `flag` and its name.
    pub name: String,
    /// What it is here; nothing if it is not there.
    pub here: Vec<String>,
    /// What it was in the last good one.
    pub good: Vec<String>,
}

/// What took longer than usual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Slower {
    /// Whose run.
    pub function: String,
    /// `took`, or `waited` for the time in the queue.
    pub what: String,
    /// How long, in microseconds: the longest of its runs.
    pub micros: u64,
    /// The good ones' quantile of 95 %, in microseconds.
    pub p95: u64,
    /// Of how many.
    pub of: u64,
}

/// What is said in each step: under each name the values.
type Said = BTreeMap<(String, String), BTreeSet<String>>;

/// What is not as in any of the good ones, of which the first is the last. Only of what was done in all of them, and not
/// what is another in each.
pub(super) fn differences(ours: &Transaction, good: &[Transaction]) -> Vec<Difference> {
    let (said, theirs): (Said, Vec<Said>) = (said(ours), good.iter().map(self::said).collect());
    let steps = |said: &Said| -> BTreeSet<String> { said.keys().map(|(step, _)| step.clone()).collect() };
    let (our_steps, their_steps) = (steps(&said), theirs.iter().map(steps).collect::<Vec<_>>());
    let in_all = |step: &String| our_steps.contains(step) && their_steps.iter().all(|one| one.contains(step));
    let names: BTreeSet<&(String, String)> = said.keys().chain(theirs.iter().flat_map(Said::keys)).collect();
    let nothing = BTreeSet::new();
    let mut differences = Vec::new();
    for key in names.into_iter().filter(|(step, _)| in_all(step)) {
        let here = said.get(key).unwrap_or(&nothing);
        let there: Vec<&BTreeSet<String>> =
            theirs.iter().map(|one| one.get(key).unwrap_or(&nothing)).collect();
        let Some(last) = there.first() else { continue };
        let different: BTreeSet<_> = there.iter().collect();
        let is_another_each_time = there.len() > 1 && different.len() == there.len();
        if there.contains(&here) || is_another_each_time {
            continue;
        }
        let list = |values: &BTreeSet<String>| values.iter().cloned().collect();
        let (step, name) = key.clone();
        differences.push(Difference { step, name, here: list(here), good: list(last) });
    }
    let rank = |one: &Difference| match one.name.as_str() {
        BUILD => 0,
        STATUS => 1,
        name if name.starts_with("flag ") => 2,
        _ => 3,
    };
    differences.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
    differences.truncate(MAX_TOLD);
    differences
}

fn said(transaction: &Transaction) -> Said {
    let mut said = Said::new();
    let mut add = |step: &str, name: &str, value: &str| {
        let value = value.get(..value.floor_char_boundary(MAX_VALUE)).unwrap_or_default();
        said.entry((step.to_owned(), name.to_owned())).or_default().insert(value.to_owned());
    };
    for run in &transaction.runs {
        if let Some(build) = &run.build {
            add(&run.function, BUILD, build);
        }
        add(&run.function, STATUS, run.error.as_ref().map_or("ok", |error| &error.kind));
    }
    for span in &transaction.spans {
        let is_run = span.source().is_some() || span.invocation_id().is_some();
        let step = if is_run { span.function.clone() } else { format!("{} {}", span.function, span.name) };
        if !is_run {
            add(&step, STATUS, Failure::of(span).as_ref().map_or("ok", |error| &error.kind));
        }
        for (name, value) in span.attributes.iter().filter(|(name, _)| matters(name)) {
            add(&step, name, value);
        }
        for (flag, variant) in flags(span) {
            add(&step, &format!("flag {flag}"), variant);
        }
    }
    said
}

fn flags(span: &Span) -> impl Iterator<Item = (&str, &str)> {
    let flags = span.events.iter().filter(|event| event.name == FLAG);
    flags.filter_map(|event| {
        let said = |name: &str| event.attributes.get(name).map(String::as_str);
        Some((said("feature_flag.key")?, said("feature_flag.result.variant")?))
    })
}

fn matters(name: &str) -> bool {
    let of_error =
        ["error.type", "throughline.swallowed_errors", "throughline.source", "throughline.build_id"];
    !of_error.contains(&name)
        && !PASSING.iter().any(|begins| name.starts_with(begins))
        && !ENDINGS.iter().any(|ends| name.ends_with(ends))
}

/// What took longer than in 95 % of the good ones: each function's longest run.
pub(super) fn slower(ours: &[Card], good: &[&[Card]]) -> Vec<Slower> {
    let functions: BTreeSet<&str> = ours.iter().map(|run| run.function.as_str()).collect();
    let longest = |cards: &[Card], function: &str, of: fn(&Card) -> Option<u64>| {
        let runs = cards.iter().filter(|card| card.part_of.is_none() && card.function == function);
        runs.filter_map(of).max()
    };
    let took: fn(&Card) -> Option<u64> = |card| Some(card.duration);
    let waited: fn(&Card) -> Option<u64> = |card| Some(card.queued?.saturating_mul(1000));
    let mut slower = Vec::new();
    for function in functions {
        for (what, of) in [("took", took), ("waited", waited)] {
            let mut theirs: Vec<u64> = good.iter().filter_map(|cards| longest(cards, function, of)).collect();
            theirs.sort_unstable();
            // The nearest rank.
            let rank = (theirs.len() * 95).div_ceil(100).saturating_sub(1);
            let Some(p95) = theirs.get(rank).copied().filter(|_| theirs.len() >= FEWEST) else { continue };
            let micros = longest(ours, function, of).unwrap_or_default();
            // A millisecond more is nothing to tell of.
            if micros > p95.saturating_add(1000) {
                let (function, what) = (function.to_owned(), what.to_owned());
                slower.push(Slower { function, what, micros, p95, of: theirs.len() as u64 });
            }
        }
    }
    slower
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Event, Status};

    fn transaction(build: &str, spans: Vec<Span>) -> Transaction {
        let run = Card { function: "api".into(), build: Some(build.into()), ..Card::default() };
        Transaction { runs: vec![run], spans, ..Transaction::default() }
    }

    fn span(name: &str, attributes: &[(&str, &str)]) -> Span {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Span {
            function: "api".into(),
            name: name.into(),
            attributes: attributes.collect(),
            ..Span::default()
        }
    }

    fn told(ours: &Transaction, good: &[Transaction]) -> Vec<String> {
        let told = differences(ours, good).into_iter();
        told.map(|one| format!("{} {} {:?} {:?}", one.step, one.name, one.here, one.good)).collect()
    }

    #[test]
    fn builds_statuses_flags_and_attributes_that_differ() {
        let put = |status: &str, table: &str, total: &str| {
            let attributes = [
                ("http.response.status_code", status),
                ("aws.dynamodb.table_names", table),
                ("order.total", total),
                ("aws.request_id", total),
            ];
            span("put", &attributes)
        };
        let mut failed = put("500", "orders-v2", "1");
        failed.status = Status::Error("no".into());
        failed.attributes.insert("error.type".into(), "Throttled".into());
        let attributes = [("feature_flag.key", "v2"), ("feature_flag.result.variant", "on")]
            .map(|(k, v)| (k.into(), v.into()));
        failed.events.push(Event { name: FLAG.into(), attributes: attributes.into(), ..Event::default() });
        let ours = transaction("2", vec![failed, span("only here", &[("x", "1")])]);
        let good = ["7", "8", "9"].map(|total| transaction("1", vec![put("200", "orders", total)]));
        assert_eq!(
            told(&ours, &good),
            [
                r#"api build ["2"] ["1"]"#,
                r#"api put status ["Throttled"] ["ok"]"#,
                r#"api put flag v2 ["on"] []"#,
                r#"api put aws.dynamodb.table_names ["orders-v2"] ["orders"]"#,
                r#"api put http.response.status_code ["500"] ["200"]"#,
            ]
        );
        assert!(told(&good[0], &good).is_empty());
        assert!(told(&ours, &[]).is_empty());
    }

    #[test]
    fn what_took_longer_than_usual() {
        let run = |duration: u64, queued: u64| Card {
            function: "api".into(),
            duration,
            queued: Some(queued),
            ..Card::default()
        };
        let good: Vec<[Card; 1]> = (1..=40).map(|at| [run(at * 1000, 5)]).collect();
        let good: Vec<&[Card]> = good.iter().map(<[Card; 1]>::as_slice).collect();
        let slow = slower(&[run(10, 5), run(50_000, 9)], &good);
        let told: Vec<_> = slow.iter().map(|one| (one.what.as_str(), one.micros, one.p95, one.of)).collect();
        assert_eq!(told, [("took", 50_000, 38_000, 40), ("waited", 9_000, 5_000, 40)]);
        assert!(slower(&[run(38_500, 5)], &good).is_empty());
        assert!(slower(&[run(50_000, 5)], &good[..4]).is_empty(), "too few to say");
    }
}
