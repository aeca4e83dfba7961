//! Many transactions at once in one process: no id, baggage or span of one ever turns up in another.
//!
//! Each transaction has a name of its own, and all that the function makes for it says that name: messages, log lines
//! and spans. What they carry must be the ids that the transaction of that name came with.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::join_all;
use serde_json::{Value, json};
use throughline_host::{Reply, Source};
use throughline_tests::spans::Arrived;
use throughline_tests::sqs::{Message, Sqs};

use crate::support::{Printed, Setup, eventually};

/// What one run of the function's work makes.
const MESSAGES: usize = 3;
const LINES: usize = 3;
/// `step`, `task`, and a call for each message.
const SPANS: usize = 2 + MESSAGES;

/// A transaction that the function is called in.
#[derive(Clone)]
struct Transaction {
    own: String,
    number: usize,
    /// The invocation that it was part of.
    request_id: String,
    /// How often the function did its work for it.
    works: usize,
}

impl Transaction {
    fn new(number: usize, works: usize) -> Self {
        Self { own: format!("o-{number}"), number, request_id: String::new(), works }
    }

    fn trace_id(&self) -> String {
        trace_of(self.number)
    }

    /// The span that sent the event.
    fn sender(&self) -> String {
        format!("{:016x}", 0xdef_0000 + self.number)
    }

    fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id(), self.sender())
    }

    fn correlation_id(&self) -> String {
        format!("c-{}", self.number)
    }

    fn baggage(&self) -> String {
        let (id, number) = (self.correlation_id(), self.number);
        format!("correlation.id={id},tenant=t-{number},throughline.entry=e-{number}")
    }

    /// A direct invoke.
    fn event(&self) -> Value {
        let carrier = json!({ "traceparent": self.traceparent(), "baggage": self.baggage() });
        json!({ "own": self.own, "_throughline": carrier })
    }

    /// A message of a batch.
    fn record(&self) -> Value {
        let attribute = |value: String| json!({ "stringValue": value, "dataType": "String" });
        json!({
            "messageId": self.own,
            "body": self.own,
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
            "attributes": {},
            "messageAttributes": {
                "traceparent": attribute(self.traceparent()),
                "baggage": attribute(self.baggage()),
            },
        })
    }
}

/// All that the function made.
struct Made {
    /// By their trace ids.
    transactions: HashMap<String, Transaction>,
    messages: Vec<Message>,
    lines: Vec<Value>,
    /// By their ids.
    spans: HashMap<String, Arrived>,
}

impl Made {
    fn of(transactions: &[Transaction], sqs: &Sqs, printed: &Printed) -> Self {
        let lines = printed.lines(Source::Function);
        let lines = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        Self {
            transactions: transactions.iter().map(|known| (known.trace_id(), known.clone())).collect(),
            messages: sqs.messages(),
            lines: lines.filter(|line: &Value| line.get("own").is_some()).collect(),
            spans: printed
                .spans(Source::Function)
                .into_iter()
                .map(|span| (hex(&span.span.span_id), span))
                .collect(),
        }
    }

    fn named(&self, own: &str) -> &Transaction {
        &self.transactions[&trace_of(own.trim_start_matches("o-").parse().unwrap())]
    }

    fn works(&self) -> usize {
        self.transactions.values().map(|transaction| transaction.works).sum()
    }

    /// Whether something is on its way still.
    fn missing(&self) -> Option<String> {
        let works = self.works();
        // A span for each transaction, and one for an invocation of several.
        let invocations: HashSet<_> = self.transactions.values().map(|of| &of.request_id).collect();
        let batches = if invocations.len() < self.transactions.len() { invocations.len() } else { 0 };
        let spans = works * SPANS + self.transactions.len() + batches;
        let (here, due) = (
            (self.messages.len(), self.lines.len(), self.spans.len()),
            (works * MESSAGES, works * LINES, spans),
        );
        (here != due).then(|| format!("messages, lines and spans are {here:?} and should be {due:?}"))
    }

    /// What carries the ids of another transaction than its own.
    fn faults(&self) -> Vec<String> {
        let messages = self.messages.iter().filter_map(|message| self.of_message(message));
        let lines = self.lines.iter().filter_map(|line| self.of_line(line));
        let spans = self.spans.values().filter_map(|span| self.of_span(span));
        messages.chain(lines).chain(spans).collect()
    }

    fn of_message(&self, message: &Message) -> Option<String> {
        let transaction = self.named(&message.body);
        let traceparent = message.attribute("traceparent").unwrap_or_default();
        let baggage = pairs(message.attribute("baggage").unwrap_or_default());
        let due = format!("{},own={}", transaction.baggage(), transaction.own);
        let parts: Vec<_> = traceparent.split('-').collect();
        let sender = parts.get(2).and_then(|id| self.spans.get(*id));
        let right = sender.is_some_and(|span| trace_id(span) == parts[1])
            && parts[1] == transaction.trace_id()
            && baggage == pairs(&due);
        (!right).then(|| format!("{}: a message with {traceparent} and {baggage:?}", message.body))
    }

    fn of_line(&self, line: &Value) -> Option<String> {
        let transaction = self.named(line["own"].as_str().unwrap());
        let right = line["trace_id"] == transaction.trace_id()
            && line["correlation_id"] == transaction.correlation_id()
            && line["request_id"] == transaction.request_id
            && line["span_id"].as_str().is_some_and(|id| self.spans.contains_key(id));
        (!right).then(|| format!("{}: a line {line}", transaction.own))
    }

    /// Every span is below the entry of its transaction, and says that transaction's name and id.
    fn of_span(&self, span: &Arrived) -> Option<String> {
        let trace = trace_id(span);
        let Some(transaction) = self.transactions.get(&trace) else {
            // The invocation of a batch has a trace of its own.
            let stray = !span.is_invocation() || span.attribute("own").is_some();
            return stray.then(|| format!("a span {:?} of nobody's trace", span.span.name));
        };
        let mut top = span;
        while let Some(above) = self.spans.get(&hex(&top.span.parent_span_id)) {
            top = above;
        }
        let correlated = |span: &Arrived| {
            span.attribute("correlation.id").is_some_and(|id| id == transaction.correlation_id())
        };
        let right = correlated(span)
            && hex(&top.span.parent_span_id) == transaction.sender()
            && trace_id(top) == trace
            && span.attribute("own").is_none_or(|own| own == transaction.own);
        (!right).then(|| format!("{}: a span {:?} below {:?}", transaction.own, span.span, top.span))
    }
}

fn trace_of(number: usize) -> String {
    format!("{:032x}", 0xabc_0000 + number)
}

fn trace_id(span: &Arrived) -> String {
    hex(&span.span.trace_id)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The members of baggage, but for the number of hops, which grows.
fn pairs(baggage: &str) -> BTreeMap<&str, &str> {
    let members = baggage.split(',').filter_map(|member| member.split_once('='));
    members.filter(|(key, _)| *key != "throughline.hops").collect()
}

/// Invokes with all events at once, in a function that starts none before `at_once` are there, and looks at what came
/// of it. The transactions of each event are given beside it.
async fn run(at_once: usize, events: Vec<(Value, Vec<Transaction>)>) {
    let sqs = Sqs::start().await.unwrap();
    let setup = Setup::of(env!("CARGO_BIN_EXE_crossing"))
        .env("TEST_MEETING", at_once.to_string())
        .env("AWS_ENDPOINT_URL", sqs.endpoint())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .with(|config| config.managed_instance(at_once as u32));
    let function = setup.start().await;
    let (events, of_events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
    let replies = join_all(events.into_iter().map(|event| function.sandbox.invoke(event))).await;
    let printed = function.printed.clone();
    let mut transactions = Vec::new();
    for (Reply { request_id, outcome }, of_event) in replies.into_iter().zip(of_events) {
        assert!(outcome.error().is_none(), "{outcome:?}");
        transactions
            .extend(of_event.into_iter().map(|of| Transaction { request_id: request_id.clone(), ..of }));
    }
    eventually(|| Made::of(&transactions, &sqs, &printed).missing()).await;
    let faults = Made::of(&transactions, &sqs, &printed).faults();
    assert!(faults.is_empty(), "{} of another's:\n{}", faults.len(), faults.join("\n"));
    function.shutdown().await;
}

#[tokio::test]
async fn sixty_four_invocations_at_once_stay_apart() {
    let transactions = (0..3 * 64).map(|number| Transaction::new(number, 1));
    run(64, transactions.map(|one| (one.event(), vec![one])).collect()).await;
}

#[tokio::test]
async fn a_hundred_records_of_each_batch_stay_apart() {
    let batch = |batch: usize| {
        let messages: Vec<_> = (0..100).map(|number| Transaction::new(batch * 100 + number, 3)).collect();
        let records: Vec<_> = messages.iter().map(Transaction::record).collect();
        (json!({ "Records": records }), messages)
    };
    run(4, (0..4).map(batch).collect()).await;
}
