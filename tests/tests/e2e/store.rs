//! The extension writes into the trace store: an embedded DynamoDB on loopback, asked as the explorer asks it.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

use dynoxide::Database;
use throughline_host::Source;
use throughline_store::time::Window;
use throughline_store::{Card, Filter, FunctionRow, Store};
use throughline_tests::handlers::Kind;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::{Setup, command, plain_outcomes};

const TABLE: &str = "traces";

/// A database that listens, and the store in it.
struct Dynamo {
    store: Store,
    url: String,
    _server: JoinSet<()>,
}

impl Dynamo {
    /// Without a table.
    async fn start() -> Self {
        let database = Database::memory().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(dynoxide::server::serve_on(listener, database.clone()));
        Self { store: Store::embedded(database, TABLE), url, _server: server }
    }

    /// A function that writes there.
    async fn function(&self, setup: Setup) -> Setup {
        setup
            .with_extension()
            .await
            .env("THROUGHLINE_STORE_TABLE", TABLE)
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.url)
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
    }

    async fn runs(&self) -> Vec<Card> {
        let (window, reader) = (last_hour(), self.store.reader(SystemTime::now()));
        let answer = reader.runs("test-function", window, &Filter::default(), 100).await.unwrap();
        assert!(answer.damaged.is_empty(), "{:?}", answer.damaged);
        answer.found
    }

    async fn function_row(&self) -> FunctionRow {
        self.store
            .reader(SystemTime::now())
            .functions(last_hour(), &Filter::default())
            .await
            .unwrap()
            .found
            .remove(0)
    }
}

fn last_hour() -> Window {
    Window::last(Duration::from_secs(3600), SystemTime::now())
}

#[tokio::test]
async fn what_ended_well_failed_and_ran_out_of_time_is_found_with_what_the_platform_told() {
    let dynamo = Dynamo::start().await;
    dynamo.store.create_table().await.unwrap();
    let setup = dynamo.function(Setup::wrapped(Kind::Command)).await.env("THROUGHLINE_PHASES", "cold-starts");
    let function = setup.with(|config| config.timeout(Duration::from_secs(2))).start().await;
    let mut request_ids = Vec::new();
    for ending in ["ok", "error", "hang", "ok"] {
        request_ids.push(function.sandbox.invoke(command(ending, 1)).await.request_id);
    }
    let printed = function.shutdown().await.printed;
    assert_eq!(printed.spans(Source::Extension).len(), 0, "nothing is left for the log");

    let mut runs = dynamo.runs().await;
    runs.sort_by_key(|run| request_ids.iter().position(|id| *id == run.request_id));
    let told =
        runs.iter().map(|run| (run.request_id.clone(), run.error.as_ref().map(|error| error.kind.as_str())));
    let told: Vec<_> = told.collect();
    let [first, failed, late, last] = told.as_slice() else { panic!("four runs, not {told:?}") };
    assert_eq!([first, failed, late, last].map(|(id, _)| id.clone()).as_slice(), request_ids);
    assert_eq!((first.1, late.1, last.1), (None, Some("Sandbox.Timedout"), None));
    assert!(failed.1.is_some());
    assert!(runs[0].cold_start && !runs[1].cold_start);

    let reader = dynamo.store.reader(SystemTime::now());
    let names = async |run: &Card| {
        let transaction = reader.transaction(&run.trace_id).await.unwrap().found;
        transaction.spans.into_iter().map(|span| span.name).collect::<Vec<_>>()
    };
    let cold = names(&runs[0]).await;
    assert!(cold.iter().any(|name| name == "init"), "the phases of the cold start: {cold:?}");
    assert!(names(&runs[2]).await.len() > 1, "what it did until its time was out");
    let row = dynamo.function_row().await;
    assert_eq!((row.now.figures.runs, row.now.figures.failures), (4, 2), "{row:?}");
    assert_eq!(row.errors.get("Sandbox.Timedout"), Some(&1), "{row:?}");
    assert!(row.now.cold_starts >= 1);
    let failures = reader.failures("test-function", last_hour(), &Filter::default(), 9).await.unwrap().found;
    assert_eq!(failures.len(), 2);
}

#[tokio::test]
async fn without_a_table_functions_answer_as_ever_and_a_table_that_comes_gets_everything() {
    let dynamo = Dynamo::start().await;
    // Enough for a busy machine to say what is wrong.
    let setup = dynamo.function(Setup::wrapped(Kind::Command)).await.env("THROUGHLINE_BUDGET_MS", "2000");
    let mut function = setup.start().await;
    let endings = ["ok", "error", "ok"];
    let plain = plain_outcomes(Kind::Command, endings.map(|ending| command(ending, 2))).await;
    for (ending, plain) in endings.into_iter().zip(plain) {
        assert_eq!(function.command(ending, 2).await, plain, "{ending}");
        let begun = Instant::now();
        function.sandbox.settled().await;
        // The budget, and what a busy machine adds; far from the thirty seconds of the deadline.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    dynamo.store.create_table().await.unwrap();
    let ended = function.shutdown().await;
    assert_eq!((dynamo.runs().await.len(), ended.printed.spans(Source::Extension).len()), (3, 0));
    let row = dynamo.function_row().await;
    assert_eq!((row.now.figures.runs, row.now.figures.failures), (3, 1), "each counts once");
    let lines = ended.printed.lines(Source::Extension);
    let outages = lines.iter().filter(|line| line.contains("export fails")).collect::<Vec<_>>();
    assert!(matches!(outages.as_slice(), [one] if one.contains("throughline store create")), "{outages:?}");
}

#[tokio::test]
async fn what_no_table_took_is_in_the_log_at_the_end() {
    let dynamo = Dynamo::start().await;
    let mut function = dynamo.function(Setup::wrapped(Kind::Command)).await.start().await;
    for ending in ["ok", "error"] {
        function.command(ending, 2).await;
    }
    let ended = function.shutdown().await;
    ended.ledger.assert(&ended.printed.spans(Source::Extension));
}
