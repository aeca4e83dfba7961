//! Many transactions at once in one process: no id, baggage or span of one ever turns up in another.
//!
//! Each transaction has a name of its own, and all that the function makes for it says that name: messages, log lines
//! and spans. What they carry must be the ids that the transaction of that name came with.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use throughline_host::{Invocation, Reply, Source};
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
    /// What Lambda has counted for that invocation, see [`lineage`].
    lineage: String,
    /// How often the function did its work for it.
    works: usize,
}

impl Transaction {
    fn new(number: usize, works: usize) -> Self {
        Self { own: format!("o-{number}"), number, request_id: String::new(), lineage: String::new(), works }
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
    /// How much of the output is read.
    read: usize,
}

impl Made {
    fn of(transactions: Vec<Transaction>) -> Self {
        let transactions = transactions.into_iter().map(|known| (known.trace_id(), known)).collect();
        Self { transactions, messages: Vec::new(), lines: Vec::new(), spans: HashMap::new(), read: 0 }
    }

    /// Reads what is new. There is much of it: to read all of it each time would keep the test from taking more.
    fn read(&mut self, sqs: &Sqs, printed: &Printed) {
        self.messages = sqs.messages();
        for line in printed.lines_after(Source::Function, self.read) {
            self.read += 1;
            if let Some(spans) = Arrived::in_line(&line) {
                self.spans.extend(spans.into_iter().map(|span| (hex(&span.span.span_id), span)));
            } else if let Some(line) =
                serde_json::from_str(&line).ok().filter(|line: &Value| !line["own"].is_null())
            {
                self.lines.push(line);
            }
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
        let header = message.trace_header().unwrap_or_default();
        let right = sender.is_some_and(|span| trace_id(span) == parts[1])
            && parts[1] == transaction.trace_id()
            && baggage == pairs(&due)
            && header == trace_header(parts[1], parts[2], &transaction.lineage);
        (!right).then(|| format!("{}: a message with {traceparent}, {baggage:?} and {header}", message.body))
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

/// X-Ray's header of a span. Lambda ends a loop of functions by what it counts in `Lineage`.
fn trace_header(trace: &str, span: &str, lineage: &str) -> String {
    let (time, rest) = trace.split_at(8);
    format!("Root=1-{time}-{rest};Parent={span};Sampled=1;{lineage}")
}

/// What Lambda has counted for an invocation, a member of X-Ray's header.
fn lineage(invocation: usize) -> String {
    format!("Lineage=1:{invocation:08x}:0")
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
        // On a busy machine it takes long; near a deadline DEBUG lines are written, which are not due here.
        .with(|config| config.managed_instance(at_once as u32).timeout(Duration::from_secs(300)));
    let function = setup.start().await;
    let (events, of_events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
    let invocations = events.into_iter().enumerate().map(|(number, event)| {
        // Of another trace than the event: that counts, and of this the lineage alone.
        let header = trace_header(&trace_of(900_000 + number), "00000000000000aa", &lineage(number));
        function.sandbox.invoke(Invocation::from(event).trace_header(header))
    });
    let replies = join_all(invocations).await;
    let printed = function.printed.clone();
    let mut transactions = Vec::new();
    for (number, (Reply { request_id, outcome }, of_event)) in replies.into_iter().zip(of_events).enumerate()
    {
        let answer = outcome.json().unwrap_or_else(|| panic!("{outcome:?}"));
        assert!(answer.is_null() || answer == json!({ "batchItemFailures": [] }), "{outcome:?}");
        let lineage = lineage(number);
        let called = |of| Transaction { request_id: request_id.clone(), lineage: lineage.clone(), ..of };
        transactions.extend(of_event.into_iter().map(called));
    }
    let mut made = Made::of(transactions);
    let look = || {
        made.read(&sqs, &printed);
        made.missing()
    };
    eventually(look).await;
    let faults = made.faults();
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
