//! Incident drills, as people run them: the drill, then the commands of its page, typed as they stand there. Their answers
//! must name the root cause, the entry points and the users that were hit, and no other users as hit.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use throughline_host::{Build, build};
use tokio::process::Command;
use tokio::sync::{OnceCell, Semaphore};

/// Each runs twelve processes and more: two at once are enough for a small machine, whose time counts in drills.
static LANES: Semaphore = Semaphore::const_new(2);
const PATIENCE: Duration = Duration::from_secs(120);

/// What the answers to the commands of a page must name.
struct Named {
    drill: &'static str,
    /// The function, what it says, the build or third party: all of them.
    cause: &'static [&'static str],
    entries: &'static [&'static str],
    users: &'static [&'static str],
}

const ORDERS: &[&str] = &["http POST /orders"];

/// The program, and beforehand what it builds itself.
async fn throughline() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let built = async {
        let program = Build { workspace: workspace(), packages: &["throughline-explorer"] };
        let program = build(program, |_| {}).await.unwrap()["throughline"].clone();
        let shop = Build { workspace: workspace(), packages: &["throughline-shop", "throughline-extension"] };
        build(shop, |_| {}).await.unwrap();
        program
    };
    BUILT.get_or_init(|| built).await
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What is typed on the page of a drill.
fn typed(drill: &str) -> Vec<String> {
    let page = workspace().join(format!("docs/drills/{drill}.md"));
    let page = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    page.lines().filter_map(|line| line.strip_prefix("$ throughline ")).map(str::to_owned).collect()
}

/// Types a command, with `--json` behind it.
async fn ask(folder: &Path, command: &str) -> Value {
    let mut run = Command::new(throughline().await);
    run.args(command.split(' ')).arg("--json").current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    run.env_remove("THROUGHLINE_STORE_TABLE");
    let output =
        tokio::time::timeout(PATIENCE, run.output()).await.unwrap_or_else(|_| panic!("{command} hangs"));
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command}: {}\n{said}\n{told}", output.status);
    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{command}: {error} in {told}"))
}

/// All texts in an answer, but the commands that it proposes.
fn texts(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => _ = into.insert(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
        Value::Object(members) => {
            into.extend(members.keys().cloned());
            members.iter().filter(|(name, _)| *name != "next").for_each(|(_, value)| texts(value, into));
        }
        _ => {}
    }
}

async fn finds(named: Named) {
    let Named { drill, cause, entries, users } = named;
    throughline().await;
    let _lane = LANES.acquire().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let commands = typed(drill);
    let (first, questions) = commands.split_first().unwrap();
    assert_eq!(*first, format!("demo --drill {drill} --store drill.db"));
    let told = ask(folder.path(), first).await;
    let list = |name: &str| -> Vec<&str> {
        told[name].as_array().unwrap().iter().filter_map(Value::as_str).collect()
    };
    assert_eq!(
        (told["shown"].as_bool(), list("entries"), list("users")),
        (Some(true), entries.to_vec(), users.to_vec()),
        "{told}"
    );

    let mut said = BTreeSet::new();
    for question in questions {
        texts(&ask(folder.path(), question).await["found"], &mut said);
    }
    for name in cause.iter().chain(entries).chain(users) {
        assert!(said.iter().any(|text| text.contains(name)), "no answer of {drill} names {name}: {said:?}");
    }
    // Whom the failures hit, `impact` must tell exactly, where it is asked and knows anybody.
    for impact in questions.iter().filter(|question| question.starts_with("impact ")) {
        let answer = ask(folder.path(), impact).await;
        let top = answer["found"]["top_users"].as_array().unwrap();
        let hit: BTreeSet<&str> = top.iter().filter_map(|hit| hit["user"].as_str()).collect();
        assert!(hit.is_empty() || hit.iter().eq(users), "{drill}: {hit:?}");
    }
}

/// A test for each drill, with all that its page must find.
macro_rules! drills {
    ($($test:ident: $drill:literal, $cause:expr, $users:expr;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                finds(Named { drill: $drill, cause: &$cause, entries: ORDERS, users: &$users }).await;
            }
        )*

        #[test]
        fn each_page_has_its_test() {
            let tested = BTreeSet::from([$($drill.to_owned()),*]);
            let pages = std::fs::read_dir(workspace().join("docs/drills")).unwrap().flatten();
            let names = pages.filter_map(|page| page.file_name().to_str()?.strip_suffix(".md").map(str::to_owned));
            assert_eq!(names.filter(|name| name != "README").collect::<BTreeSet<_>>(), tested);
        }
    };
}

drills! {
    swallowed_error: "swallowed-error",
        ["payment-worker", "402 Payment Required", "checkout-api", "503", "fraud.localhost"],
        ["u-0007", "u-2210"];
    poison_message: "poison-message",
        ["payment-worker", "Runtime.ExitError"],
        ["u-0007", "u-0815", "u-1042", "u-2210"];
    slow_third_party: "slow-third-party",
        ["payment-worker", "http payments.localhost"],
        ["u-0815", "u-2210"];
    timeout: "timeout",
        ["payment-worker", "Sandbox.Timedout", "payments.localhost"],
        ["u-0007", "u-4711"];
    out_of_memory: "out-of-memory",
        ["fulfilment", "Runtime.OutOfMemory"],
        ["u-2210"];
    bad_deploy: "bad-deploy",
        ["payment-worker", "the number of user u-0815: invalid digit", "9f3c2e1", "4d01b77"],
        ["u-0815"];
    retry_storm: "retry-storm",
        ["payment-worker", "503 Service Unavailable", "http payments.localhost"],
        ["u-0007", "u-1042"];
    r#loop: "loop",
        ["email-sender", "Throughline.LoopRefused", "sqs email"],
        ["u-4711"];
    lost_hop: "lost-hop",
        ["audit-trail", "expected value", "fulfilment", "kinesis:audit/"],
        ["u-0007", "u-1042", "u-2210"];
    vip_only: "vip-only",
        ["payment-worker", "no credit limit is set for plan enterprise", "enterprise"],
        ["u-2210"];
    cold_start_spike: "cold-start-spike",
        ["checkout-api", "9f3c2e1", "init"],
        ["u-0007", "u-0815", "u-1042", "u-2210", "u-4711"];
    backlog: "backlog",
        ["email-sender", "sqs email", "http mail.localhost"],
        ["u-0007", "u-0815", "u-1042", "u-2210", "u-4711"];
}
