//! What a process that was killed leaves behind: read from the flight recorder by whoever comes, and told once.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use throughline_host::{Reply, sandbox_folder};
use throughline_recorder::{Ending, Failure, names, open};
use throughline_tests::backend::Backend;
use throughline_tests::endings::{ENDING, MAKES};
use throughline_tests::handlers::Kind;
use throughline_tests::spans::Arrived;

use crate::support::{Function, Setup, eventually};

/// The spans that had ended before the one in which the process was killed.
const ENDED: usize = 9;

fn killed(setup: Setup, ending: &str) -> Setup {
    setup.env(ENDING, ending).env(MAKES, ENDED.to_string())
}

/// What the recorders of a sandbox say, as the extension or `throughline recorder` would complete it.
fn recorded(folder: &Path) -> Vec<Arrived> {
    // Where there is no folder nothing was recorded.
    let names = std::fs::File::open(folder).and_then(names).unwrap_or_default();
    let opened = names.iter().filter_map(|name| open(&folder.join(name)).ok());
    opened
        .flat_map(|opened| {
            let failure = Failure { error_type: "Test".to_owned(), message: "as a test has it".to_owned() };
            let time_unix_nano = opened.recording.last_moment(opened.modified);
            let ending = Ending { time_unix_nano, failure: Some(failure) };
            Arrived::all_of(opened.recording.into_request(&ending))
        })
        .collect()
}

/// What is wrong with the spans of one request: its invocation span, nine steps that ended, and one that did not.
fn faults(arrived: &[Arrived], request_id: &str) -> Option<String> {
    let of = |key: &'static str| {
        arrived.iter().filter(move |span| span.attribute(key).as_deref() == Some(request_id))
    };
    let invocations: Vec<_> = of("faas.invocation_id").collect();
    let [invocation] = invocations[..] else {
        return Some(format!("{} invocation spans", invocations.len()));
    };
    let is_partial = |span: &Arrived| span.attribute("throughline.partial").is_some();
    let mut steps: Vec<_> = of("request_id")
        .filter(|step| {
            step.span.parent_span_id == invocation.span.span_id && step.span.end_time_unix_nano > 0
        })
        .map(|step| (step.attribute("n").unwrap_or_default(), is_partial(step)))
        .collect();
    steps.sort();
    let due: Vec<_> = (0..=ENDED).map(|n| (n.to_string(), n == ENDED)).collect();
    let right = steps == due && is_partial(invocation);
    (!right)
        .then(|| format!("the steps are {steps:?}, the invocation is partial: {}", is_partial(invocation)))
}

fn assert_nothing_twice(arrived: &[Arrived]) {
    let mut seen = HashSet::new();
    for span in arrived {
        assert!(seen.insert(&span.span.span_id), "{:?} came twice", span.span);
    }
}

/// The number of a step, and whether it was open.
fn steps(arrived: &[Arrived]) -> Vec<(usize, bool)> {
    let steps = arrived.iter().filter_map(|span| {
        let n = span.attribute("n")?.parse().ok()?;
        Some((n, span.attribute("throughline.partial").is_some()))
    });
    let mut steps: Vec<_> = steps.collect();
    steps.sort_unstable();
    steps
}

async fn invoke(function: &Function) -> Reply {
    function.sandbox.invoke(json!({ "sku": "soup" })).await
}

#[tokio::test]
async fn a_handler_that_is_killed_in_its_tenth_span_leaves_ten_spans_in_a_file() {
    let function = killed(Setup::wrapped(Kind::Ends), "SIGKILL").start().await;
    let reply = invoke(&function).await;
    assert_eq!(reply.outcome.error().unwrap().kind, "Runtime.ExitError");
    function.sandbox.settled().await;
    let recorded = recorded(&sandbox_folder(function.sandbox.runtime_api()));
    assert_eq!(faults(&recorded, &reply.request_id), None);
    assert_nothing_twice(&recorded);
    function.shutdown().await;
}

#[tokio::test]
async fn the_extension_tells_them_once_and_leaves_no_file() {
    let backend = Backend::start([]).unwrap();
    let function = killed(Setup::wrapped(Kind::Ends).exporting_to(&backend).await, "SIGKILL").start().await;
    let folder = sandbox_folder(function.sandbox.runtime_api());
    for _ in 0..3 {
        let reply = invoke(&function).await;
        function.sandbox.settled().await;
        assert_eq!(faults(&backend.arrived(), &reply.request_id), None);
        assert!(recorded(&folder).is_empty());
    }
    function.shutdown().await;
    assert_nothing_twice(&backend.arrived());
}

#[tokio::test]
async fn of_more_spans_than_the_recorder_has_room_for_the_open_one_and_the_newest_are_told() {
    const MANY: usize = 5000;
    let backend = Backend::start([]).unwrap();
    let setup = killed(Setup::wrapped(Kind::Ends).exporting_to(&backend).await, "SIGKILL");
    let function = setup.env(MAKES, MANY.to_string()).start().await;
    let reply = invoke(&function).await;
    assert_eq!(reply.outcome.error().unwrap().kind, "Runtime.ExitError");
    function.sandbox.settled().await;
    let arrived = backend.arrived();
    let steps = steps(&arrived);
    let newest: Vec<_> = (MANY + 1 - steps.len()..=MANY).map(|n| (n, n == MANY)).collect();
    assert_eq!(steps, newest);
    assert!((MANY / 10..MANY).contains(&steps.len()), "{} steps are told", steps.len());
    let of_request = |span: &&Arrived| span.attribute("faas.invocation_id") == Some(reply.request_id.clone());
    let invocations: Vec<_> = arrived.iter().filter(of_request).collect();
    let [invocation] = invocations[..] else { panic!("{} invocation spans", invocations.len()) };
    let missing = (MANY + 1 - steps.len()).to_string();
    let said = |key| invocation.attribute(key).unwrap_or_default();
    assert_eq!(said("throughline.dropped_spans"), missing);
    assert_eq!(said("throughline.recorder.full"), "true");
    assert!(!said("throughline.event").is_empty() && !said("throughline.partial").is_empty());
    assert_nothing_twice(&arrived);
    function.shutdown().await;
}

#[tokio::test]
async fn an_extension_that_died_too_finds_them_at_its_next_start() {
    let backend = Backend::start([]).unwrap();
    let setup = killed(Setup::wrapped(Kind::Ends).exporting_to(&backend).await, "time-out");
    let function = setup.with(|config| config.timeout(Duration::from_secs(4))).start().await;
    let folder = sandbox_folder(function.sandbox.runtime_api());
    let kill = async {
        eventually(|| {
            let spans = recorded(&folder);
            (spans.len() < ENDED + 2).then(|| format!("{} spans are written down", spans.len()))
        })
        .await;
        let extension = function.sandbox.pids().extension.and_then(|pid| Pid::from_raw(pid as i32)).unwrap();
        kill_process(extension, Signal::KILL).unwrap();
    };
    let (first, ()) = tokio::join!(invoke(&function), kill);
    assert_eq!(first.outcome.error().unwrap().kind, "Extension.Crash");
    assert!(backend.arrived().is_empty(), "nobody was there to tell");
    // The sandbox begins anew, with /tmp as it was.
    let second = invoke(&function).await;
    function.sandbox.settled().await;
    for reply in [&first, &second] {
        assert_eq!(faults(&backend.arrived(), &reply.request_id), None);
    }
    function.shutdown().await;
    assert_nothing_twice(&backend.arrived());
    assert!(recorded(&folder).is_empty());
}
