//! `throughline demo`, run as people run it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use throughline_host::{Build, build, sandbox_folder};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The hops of an order, and what they go over.
const HOPS: [(&str, &str, &str); 4] = [
    ("checkout-api", "payment-worker", "sns orders → sqs payments"),
    ("fulfilment", "audit-trail", "kinesis audit"),
    ("payment-worker", "email-sender", "sqs email"),
    ("payment-worker", "fulfilment", "stream orders"),
];

/// The program, and beforehand what it builds itself: a test that waits for cargo says nothing.
async fn throughline() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let built = async {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let program = Build { workspace, packages: &["throughline-explorer"] };
        let program = build(program, |_| {}).await.unwrap()["throughline"].clone();
        let shop = Build { workspace, packages: &["throughline-shop", "throughline-extension"] };
        build(shop, |_| {}).await.unwrap();
        program
    };
    BUILT.get_or_init(|| built).await
}

async fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(throughline().await);
    command.arg("demo").args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the demo with `--json`; its exit status, its object, and what it said on the way.
async fn demo(arguments: &[&str]) -> (ExitStatus, Value, String) {
    let output = command(arguments).await.arg("--json").output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let object = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error} in {:?}\n{said}", String::from_utf8_lossy(&output.stdout));
    });
    (output.status, object, said)
}

fn text<'a>(transaction: &'a Value, member: &str) -> &'a str {
    transaction[member].as_str().unwrap_or_else(|| panic!("no {member} in {transaction}"))
}

fn hops(transaction: &Value) -> BTreeSet<(&str, &str, &str)> {
    let hops = transaction["hops"].as_array().unwrap();
    let hop = |hop| (text(hop, "from"), text(hop, "to"), text(hop, "via"));
    let found: BTreeSet<_> = hops.iter().map(hop).collect();
    assert_eq!(found.len(), hops.len(), "a hop is there twice: {transaction}");
    found
}

#[tokio::test]
async fn fifty_orders_are_fifty_whole_transactions() {
    let (status, told, said) = demo(&["--orders", "50"]).await;
    assert!(status.success(), "{status}\n{said}\n{told}");
    assert_eq!((&told["orders"], &told["complete"]), (&json!(50), &json!(50)), "{told}");
    let orders = told["transactions"].as_array().unwrap();
    let others = told["others"].as_array().unwrap();
    assert_eq!(orders.len(), 50);
    for order in orders {
        assert_eq!(order["orphans"], 0, "{order}");
        assert_eq!(hops(order), BTreeSet::from(HOPS), "{order}");
        let functions: BTreeSet<_> =
            order["functions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let on_the_way: BTreeSet<_> = HOPS.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        assert_eq!(functions, on_the_way, "{order}");
        assert_eq!((&order["status"], &order["problems"]), (&json!("ok"), &json!([])));
    }
    // Batches mix orders; their ids do not.
    for id in ["trace_id", "correlation_id"] {
        let ids: BTreeSet<_> = orders.iter().chain(others).map(|transaction| text(transaction, id)).collect();
        assert_eq!(ids.len(), orders.len() + others.len(), "{id} is shared");
    }
    // That batches did mix them shows: an invocation with one sender is a span of that sender's
    // transaction, one with several is none of either's.
    let (_, alone, said) = demo(&["--orders", "1"]).await;
    let alone = alone["transactions"][0]["spans"].as_u64().unwrap_or_else(|| panic!("{alone}\n{said}"));
    let sizes: Vec<u64> = orders.iter().map(|order| order["spans"].as_u64().unwrap()).collect();
    assert!(sizes.iter().any(|size| *size < alone), "no batch held two orders: {sizes:?}, alone {alone}");
}

#[tokio::test]
async fn a_failing_function_shows_with_all_its_attempts() {
    let (status, told, said) = demo(&["--orders", "3", "--fail", "email-sender"]).await;
    assert!(status.success(), "{status}\n{said}\n{told}");
    assert_eq!(told["complete"], 3, "{told}");
    for order in told["transactions"].as_array().unwrap() {
        assert_eq!((&order["status"], &order["orphans"]), (&json!("failed"), &json!(0)), "{order}");
        assert_eq!(hops(order), BTreeSet::from(HOPS), "{order}");
    }
    let trees = command(&["--orders", "3", "--fail", "email-sender"]).await.output().await.unwrap();
    assert!(trees.status.success(), "{}\n{}", trees.status, String::from_utf8_lossy(&trees.stderr));
    let trees = String::from_utf8(trees.stdout).unwrap();
    // Three orders and lunchbot's round; the queue gives each message three times.
    for (part, times) in [("attempt 2", 4), ("attempt 3", 4), ("attempt 4", 0), ("3 of 3 orders whole", 1)] {
        assert_eq!(trees.matches(part).count(), times, "{part} in\n{trees}");
    }
}

/// Only `checkout-api` is told whose orders to debug: the others learn it from what reaches them.
#[tokio::test]
async fn the_orders_that_are_debugged_have_debug_lines_everywhere_and_no_others_have_any() {
    let (status, told, said) = demo(&["--orders", "10", "--debug", "u-0007", "--logs"]).await;
    assert!(status.success(), "{status}\n{said}\n{told}");
    let orders = told["transactions"].as_array().unwrap();
    let debugged: Vec<_> = orders.iter().filter(|order| order["user"] == "u-0007").collect();
    assert_eq!((orders.len(), debugged.len()), (10, 2));
    let functions: BTreeSet<_> = HOPS.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
    let ids = |id| debugged.iter().map(|order| text(order, id)).collect::<BTreeSet<_>>();
    let expected: BTreeSet<_> = ids("correlation_id")
        .into_iter()
        .flat_map(|id| functions.iter().map(move |name| (id, *name)))
        .collect();

    let lines = said.lines().filter_map(|line| {
        let (function, line) = line.split_once(": ")?;
        Some((function, serde_json::from_str::<Value>(line).ok()?))
    });
    let lines: Vec<_> = lines.filter(|(_, line)| line["level"] == "DEBUG").collect();
    let found: BTreeSet<_> = lines.iter().map(|(name, line)| (text(line, "correlation_id"), *name)).collect();
    assert_eq!(found, expected, "{said}");
    for (function, line) in &lines {
        assert!(ids("trace_id").contains(text(line, "trace_id")), "{line}");
        // The line that was kept until the user was known says what was known then.
        if *function != "checkout-api" {
            assert_eq!((&line["user.id"], &line["throughline.debug"]), (&json!("u-0007"), &json!(true)));
        }
    }
    assert!(said.matches("order accepted").count() == 10, "{said}");
}

#[tokio::test]
async fn a_dry_run_reaches_every_function_that_messages_lead_to_and_nobody_else_sees_it() {
    let (status, told, said) = demo(&["--orders", "6", "--dry-runs", "1"]).await;
    assert!(status.success(), "{status}\n{said}\n{told}");
    assert_eq!((&told["orders"], &told["complete"]), (&json!(7), &json!(7)), "{told}");
    let everybody = json!(["mail provider", "payment provider", "table"]);
    for order in told["transactions"].as_array().unwrap() {
        assert_eq!(order["status"], "ok", "{order}");
        if order["dry_run"] == json!(false) {
            assert_eq!((&order["seen_by"], hops(order)), (&everybody, BTreeSet::from(HOPS)), "{order}");
            continue;
        }
        assert_eq!(order["seen_by"], json!([]), "{order}");
        // The table, whose stream leads to the other two functions, has nothing to tell of.
        assert_eq!(hops(order), BTreeSet::from([HOPS[0], HOPS[2]]), "{order}");
        let functions: BTreeSet<_> =
            order["functions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(functions, BTreeSet::from(["checkout-api", "payment-worker", "email-sender"]), "{order}");
    }
    let dry_runs =
        told["transactions"].as_array().unwrap().iter().filter(|order| order["dry_run"] == json!(true));
    assert_eq!(dry_runs.count(), 1, "{told}");
}

#[tokio::test]
async fn ctrl_c_leaves_no_process_behind() {
    assert_eq!(stopped_by(Signal::INT).await.code(), Some(130));
}

#[tokio::test]
async fn not_even_kill_leaves_a_process_behind() {
    assert_eq!(stopped_by(Signal::KILL).await.code(), None);
}

/// Sends `signal` to a demo in full swing and waits until all its processes are gone.
async fn stopped_by(signal: Signal) -> ExitStatus {
    let mut command = command(&["--orders", "500"]).await;
    let mut demo = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(demo.stderr.take().unwrap()).lines();
    while !said.next_line().await.unwrap().expect("the demo ended early").contains("sending") {}
    let pid = Pid::from_raw(demo.id().unwrap().try_into().unwrap()).unwrap();
    let children = children_of(demo.id().unwrap());
    assert_eq!(children.len(), 12, "six functions, six extensions");
    let folders: BTreeSet<_> = children.iter().map(|child| sandbox_folder(&runtime_api(*child))).collect();
    kill_process(pid, signal).unwrap();
    // A full pipe would hold it up.
    while let Ok(Some(_)) = said.next_line().await {}
    let status = demo.wait().await.unwrap();
    let begun = Instant::now();
    for child in children {
        while is_running(child) {
            assert!(begun.elapsed() < Duration::from_secs(10), "process {child} is left behind");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // Nobody who is killed tidies up.
    folders.iter().for_each(|folder| _ = std::fs::remove_dir_all(folder));
    status
}

/// The value of `AWS_LAMBDA_RUNTIME_API` for a process.
fn runtime_api(pid: u32) -> String {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(b"AWS_LAMBDA_RUNTIME_API="));
    String::from_utf8(value.unwrap().to_vec()).unwrap()
}

/// The parent's id and the state of a process.
fn stat(pid: u32) -> Option<(u32, char)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

fn children_of(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|(of, _)| of == parent))
        .collect()
}

/// Whether it runs; one that has ended and that nobody has asked about does not.
fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(_, state)| state != 'Z')
}
