//! DEBUG lines of many transactions at once in one process: those that bear the mark and those that fail have theirs, with
//! their own ids, and nobody else has any.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};
use throughline_host::Source;
use throughline_tests::sqs::Sqs;

use crate::support::{Printed, Setup, eventually};

/// What one run of the function's work says at DEBUG.
const LINES: usize = 3;

/// A transaction: every third bears the mark, every third fails, of the others nothing is heard.
#[derive(Clone, Copy)]
struct Transaction(usize);

impl Transaction {
    fn own(self) -> String {
        format!("o-{}{}", self.0, if self.fails() { "!" } else { "" })
    }

    fn is_marked(self) -> bool {
        self.0.is_multiple_of(3)
    }

    fn fails(self) -> bool {
        self.0 % 3 == 1
    }

    fn trace_id(self) -> String {
        format!("{:032x}", 0xdeb_0000 + self.0)
    }

    fn traceparent(self) -> String {
        format!("00-{}-{:016x}-01", self.trace_id(), 0xabc_0000 + self.0)
    }

    fn baggage(self) -> String {
        let mark = if self.is_marked() { ",throughline.debug=true" } else { "" };
        format!("correlation.id=c-{},user.id=u-{}{mark}", self.0, self.0)
    }

    /// A direct invoke.
    fn event(self) -> Value {
        let carrier = json!({ "traceparent": self.traceparent(), "baggage": self.baggage() });
        json!({ "own": self.own(), "_throughline": carrier })
    }

    /// A message of a batch.
    fn record(self) -> Value {
        let attribute = |value: String| json!({ "stringValue": value, "dataType": "String" });
        json!({
            "messageId": self.own(),
            "body": self.own(),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
            "attributes": {},
            "messageAttributes": {
                "traceparent": attribute(self.traceparent()),
                "baggage": attribute(self.baggage()),
            },
        })
    }

    /// What is wrong with a line of it, which was made in that invocation.
    fn fault(self, line: &Value, request_id: &str) -> Option<String> {
        let right = line["trace_id"] == self.trace_id()
            && line["correlation_id"] == format!("c-{}", self.0)
            && line["user.id"] == format!("u-{}", self.0)
            && line["throughline.debug"].as_bool().unwrap_or_default() == self.is_marked()
            && line["request_id"] == request_id;
        (!right).then(|| format!("{}: {line}", self.own()))
    }
}

/// The DEBUG lines of the function, by the transaction that they name.
fn debug_lines(printed: &Printed) -> BTreeMap<String, Vec<Value>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in printed.lines(Source::Function) {
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        if let (Some("DEBUG"), Some(own)) = (line["level"].as_str(), line["own"].as_str()) {
            found.entry(own.to_owned()).or_default().push(line);
        }
    }
    found
}

/// Invokes with all events at once; each comes with its transactions, of which the work is done `works` times.
async fn run(works: usize, events: Vec<(Value, Vec<Transaction>)>) {
    let sqs = Sqs::start().await.unwrap();
    let at_once = events.len();
    let setup = Setup::of(env!("CARGO_BIN_EXE_crossing"))
        .env("TEST_MEETING", at_once.to_string())
        .env("AWS_ENDPOINT_URL", sqs.endpoint())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .with(|config| config.managed_instance(at_once as u32));
    let function = setup.start().await;
    let invoked = events.into_iter().map(|(event, transactions)| {
        let sandbox = &function.sandbox;
        async move { (sandbox.invoke(event).await.request_id, transactions) }
    });
    let invoked = join_all(invoked).await;

    let all: Vec<_> = invoked.iter().flat_map(|(_, transactions)| transactions).copied().collect();
    let heard = all.iter().filter(|of| of.is_marked() || of.fails());
    let expected: BTreeMap<_, _> = heard.map(|of| (of.own(), works * LINES)).collect();
    let count = || -> BTreeMap<_, _> {
        debug_lines(&function.printed).into_iter().map(|(own, lines)| (own, lines.len())).collect()
    };
    eventually(|| {
        let found = count();
        (found != expected).then(|| format!("{found:?} is not {expected:?}"))
    })
    .await;
    let printed = function.printed.clone();
    function.shutdown().await;
    let lines = debug_lines(&printed);
    for (request_id, transactions) in invoked {
        for of in transactions {
            let own = lines.get(&of.own()).into_iter().flatten();
            let faults: Vec<_> = own.filter_map(|line| of.fault(line, &request_id)).collect();
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
}

#[tokio::test]
async fn invocations_at_once_keep_their_debug_lines_apart() {
    let transactions = (0..24).map(Transaction);
    run(1, transactions.map(|one| (one.event(), vec![one])).collect()).await;
}

#[tokio::test]
async fn records_of_batches_at_once_keep_their_debug_lines_apart() {
    let batch = |batch: usize| {
        let messages: Vec<_> = (0..30).map(|number| Transaction(batch * 30 + number)).collect();
        let records: Vec<_> = messages.iter().map(|message| message.record()).collect();
        (json!({ "Records": records }), messages)
    };
    run(3, (0..4).map(batch).collect()).await;
}
