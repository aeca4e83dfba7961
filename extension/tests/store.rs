//! The trace store: a table that takes, refuses or says nothing, beside the real binary.

mod support;

use base64::Engine as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prost::Message as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use support::{Backend, Extension};
use throughline_extension::http::serve;
use tokio::net::TcpListener;
use tokio::process::Command;

const TABLE: &str = "traces";

#[derive(Debug, Default)]
struct State {
    /// What is refused, and how; 0 is never answered.
    refuses: Option<(u16, &'static str)>,
    /// The items that were taken, in their order.
    items: Vec<Value>,
    requests: usize,
}

/// A table of DynamoDB, scripted.
struct Table {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Table {
    async fn start(refuses: Option<(u16, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State { refuses, ..State::default() }));
        let shared = Arc::clone(&state);
        tokio::spawn(serve(listener, move |request| answer(request, Arc::clone(&shared))));
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under the lock")
    }

    /// The variables of a function that writes there, and these.
    fn variables<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [
            ("THROUGHLINE_STORE_TABLE", TABLE),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.url.as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/22/[$LATEST]00"),
        ];
        [&own[..], more].concat()
    }

    /// What was counted, each time that it was written.
    fn totals(&self) -> Vec<Totals> {
        let state = self.state();
        let totals = state.items.iter().filter_map(|item| item["totals"]["B"].as_str());
        let bytes = totals.map(|text| base64::prelude::BASE64_STANDARD.decode(text).expect("Base64"));
        bytes.map(|bytes| Totals::decode(bytes.as_slice()).expect("totals")).collect()
    }

    /// The sort keys of the items of a kind.
    fn keys(&self, kind: &str) -> Vec<String> {
        let state = self.state();
        let of_kind = state.items.iter().filter(|item| text(item, "pk").split('#').next() == Some(kind));
        of_kind.map(|item| text(item, "sk").to_owned()).collect()
    }
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().expect("a key")
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let refuses = {
        let mut state = state.lock().expect("no panic under the lock");
        state.requests += 1;
        if state.refuses.is_none() {
            let puts = body["RequestItems"][TABLE].as_array().expect("puts");
            state.items.extend(puts.iter().map(|put| put["PutRequest"]["Item"].clone()));
        }
        state.refuses
    };
    let Some((status, code)) = refuses else { return Response::new(Full::from("{}")) };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let refusal = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "no" });
    let mut response = Response::new(Full::from(refusal.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

fn warnings(extension: &Extension) -> Vec<Value> {
    extension.lines().into_iter().filter(|line| line["level"] == "WARN").collect()
}

#[tokio::test]
async fn each_invocation_is_in_the_table_when_the_next_event_is_asked_for() {
    let table = Table::start(None).await;
    let mut extension = Extension::start(&table.variables(&[])).await;
    for number in 0..2 {
        extension.invocation(&format!("r{number}"), "s").await;
        assert_eq!(table.keys("spans").len(), number + 1);
        assert_eq!(table.keys("runs").len(), number + 1);
    }
    let totals = table.keys("totals");
    assert!(totals[0].contains("2026/11/22/[$LATEST]00/") && totals[0] == totals[1], "{totals:?}");
    let summary = extension.shut_down().await;
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["dropped"]), (&2.into(), &0.into()));
    assert_eq!(extension.spans_on_stdout(), [""; 0], "a store is enough");
    assert!(!format!("{:?}", extension.lines()).contains("hunter2"));
}

/// What the totals say of memory and of time that is billed.
#[derive(Clone, PartialEq, prost::Message)]
struct Totals {
    #[prost(message, repeated, tag = "1")]
    flows: Vec<Flow>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Flow {
    #[prost(uint64, tag = "3")]
    runs: u64,
    #[prost(uint64, tag = "10")]
    memory: u64,
    #[prost(uint64, tag = "12")]
    mib_millis: u64,
}

/// It comes after the response: with the next invocation at the earliest, and the last one's at SHUTDOWN.
#[tokio::test]
async fn what_the_platform_reports_is_counted_with_its_invocation() {
    let table = Table::start(None).await;
    let memory = [("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")];
    let mut extension = Extension::start(&table.variables(&memory)).await;
    for (number, used) in [(0, 31), (1, 33)] {
        extension.invocation(&format!("r{number}"), "s").await;
        let metrics = json!({ "durationMs": 9.5, "billedDurationMs": 10, "maxMemoryUsedMB": used });
        let record = json!({ "requestId": format!("r{number}"), "status": "success", "metrics": metrics });
        let report = json!({ "time": "2026-11-22T07:00:00Z", "type": "platform.report", "record": record });
        // It is delivered twice, as the platform may.
        assert_eq!(extension.lambda.tell(json!([report, report])).await, 200);
    }
    let summary = extension.shut_down().await;
    assert_eq!(summary["spans"]["exported"], 2, "a report is no span: {summary}");
    let told: Vec<Flow> = table.totals().iter().flat_map(|totals| totals.flows.clone()).collect();
    let [first, second, last] = told.as_slice() else { panic!("one of each write: {told:?}") };
    assert_eq!((first.runs, first.memory), (1, 0));
    assert_eq!((second.runs, second.memory), (2, 31 << 20));
    assert_eq!(*last, Flow { runs: 2, memory: 33 << 20, mib_millis: 20 * 256 }, "as billed");
    assert_eq!(table.keys("totals")[0], table.keys("totals")[2]);
}

#[tokio::test]
async fn a_table_that_takes_no_last_report_is_told() {
    let table = Table::start(None).await;
    let mut extension = Extension::start(&table.variables(&[])).await;
    extension.invocation("r", "s").await;
    let record = json!({ "requestId": "r", "status": "success", "metrics": { "maxMemoryUsedMB": 31 } });
    let report = json!([{ "time": "2026-11-22T07:00:00Z", "type": "platform.report", "record": record }]);
    assert_eq!(extension.lambda.tell(report).await, 200);
    table.state().refuses = Some((400, "AccessDeniedException"));
    extension.shut_down().await;
    let [warning] = &warnings(&extension)[..] else { panic!("one line: {:?}", warnings(&extension)) };
    assert!(warning["reason"].as_str().expect("a reason").contains("BatchWriteItem"), "{warning}");
}

/// A sandbox that was reset has the same log stream, and begins to count anew.
#[tokio::test]
async fn each_process_counts_under_a_name_of_its_own() {
    let table = Table::start(None).await;
    for _ in 0..2 {
        let mut extension = Extension::start(&table.variables(&[])).await;
        extension.invocation("r", "s").await;
        extension.shut_down().await;
    }
    let totals = table.keys("totals");
    assert_ne!(totals.first(), totals.last());
}

#[tokio::test]
async fn without_a_table_there_is_one_line_with_what_helps_and_the_spans_are_written_down() {
    let table = Table::start(Some((400, "ResourceNotFoundException"))).await;
    let backend = Backend::start(&[]).await;
    let url = backend.url();
    let more = [("THROUGHLINE_EXPORT_ENDPOINT", url.as_str()), ("THROUGHLINE_BUDGET_MS", "100")];
    let mut extension = Extension::start(&table.variables(&more)).await;
    for number in 0..5 {
        extension.invocation(&format!("r{number}"), &format!("s{number}")).await;
    }
    let names: Vec<String> = (0..5).map(|number| format!("s{number}")).collect();
    assert_eq!(backend.state().spans, names, "the other destination misses nothing");
    let [warning] = &warnings(&extension)[..] else { panic!("one line: {:?}", warnings(&extension)) };
    assert_eq!(warning["destination"], "dynamodb:traces");
    assert!(warning["reason"].as_str().expect("a reason").contains("throughline store create"), "{warning}");
    let summary = extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), names);
    let spans = &summary["destinations"][1]["spans"];
    assert_eq!((&spans["spilled"], &spans["dropped"]), (&5.into(), &0.into()), "{summary}");
}

#[tokio::test]
async fn a_table_that_comes_back_gets_everything() {
    let table = Table::start(Some((400, "ProvisionedThroughputExceededException"))).await;
    let mut extension = Extension::start(&table.variables(&[("THROUGHLINE_BUDGET_MS", "100")])).await;
    extension.invocation("r0", "s0").await;
    let asked = table.state().requests;
    assert!(asked > 1, "it is asked again within the budget");
    table.state().refuses = None;
    extension.invocation("r1", "s1").await;
    let summary = extension.shut_down().await;
    assert_eq!(table.keys("runs").len(), 2);
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["spilled"]), (&2.into(), &0.into()));
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_counted_and_written_again() {
    let table = Table::start(Some((0, ""))).await;
    let mut extension = Extension::start(&table.variables(&[("THROUGHLINE_BUDGET_MS", "100")])).await;
    extension.invocation("r0", "s0").await;
    table.state().refuses = None;
    let summary = extension.shut_down().await;
    assert_eq!(table.keys("runs").len(), 1);
    let spans = &summary["spans"];
    assert_eq!((&spans["unanswered"], &spans["exported"]), (&1.into(), &1.into()), "{summary}");
}

#[tokio::test]
async fn log_lines_of_the_function_are_written_too() {
    let table = Table::start(None).await;
    let mut extension = Extension::start(&table.variables(&[("THROUGHLINE_LOGS", "on")])).await;
    let id = "8286a188-ba32-4475-8077-530cd35c09a9";
    let line = json!({ "level": "INFO", "requestId": id, "message": "hello" });
    let record = json!([{ "time": "2026-11-22T07:00:00.000Z", "type": "function", "record": line }]);
    assert_eq!(extension.lambda.tell(record).await, 200);
    extension.invocation(id, "s").await;
    let summary = extension.shut_down().await;
    assert_eq!(table.keys("logs").len(), 1);
    assert_eq!(summary["log_records"]["exported"], 1, "{summary}");
}

async fn check(table: &Table) -> (Value, Option<i32>) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_throughline-extension"));
    let output = check
        .env_clear()
        .args(["--check", "--json"])
        .envs(table.variables(&[]))
        .output()
        .await
        .expect("it runs");
    (serde_json::from_slice(&output.stdout).expect("JSON"), output.status.code())
}

#[tokio::test]
async fn a_check_tells_whether_the_table_takes_anything() {
    let table = Table::start(None).await;
    let (told, status) = check(&table).await;
    assert_eq!((told["grade"].as_str(), status), (Some("fine"), Some(0)), "{told}");
    assert_eq!(table.keys("check"), ["check"]);
    table.state().refuses = Some((400, "AccessDeniedException"));
    let (told, status) = check(&table).await;
    assert_eq!((told["grade"].as_str(), status), (Some("error"), Some(2)), "{told}");
    let outcome = told["destinations"][0]["steps"][2]["outcome"].as_str().expect("why");
    assert!(outcome.contains("dynamodb:BatchWriteItem"), "{outcome}");
}
