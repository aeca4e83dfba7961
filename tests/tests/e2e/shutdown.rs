//! SHUTDOWN, orderly or not, while spans are still buffered.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use throughline_host::Source;
use throughline_tests::backend::{Answer, Backend};
use throughline_tests::handlers::Kind;
use throughline_tests::spans::Arrived;

use crate::support::{Setup, command, eventually};

#[tokio::test]
async fn what_is_buffered_leaves_at_shutdown() {
    let backend = Backend::refusing().unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&backend).await.start().await;
    for _ in 0..5 {
        function.command("ok", 3).await;
    }
    function.sandbox.settled().await;
    backend.open().unwrap();
    let ended = function.shutdown().await;
    ended.ledger.assert(&backend.arrived());
    assert_eq!(ended.printed.spans(Source::Extension).len(), 0);
}

#[tokio::test]
async fn what_cannot_leave_is_written_down() {
    let backend = Backend::refusing().unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&backend).await.start().await;
    for _ in 0..5 {
        function.command("ok", 3).await;
    }
    let ended = function.shutdown().await;
    eventually(|| ended.ledger.faults(&ended.printed.spans(Source::Extension))).await;
    // In words that `throughline replay` and people find the function by.
    let line = &ended.printed.spans(Source::Extension)[0];
    assert_eq!(line.of_resource("service.name").as_deref(), Some("test-function"));
}

#[tokio::test]
async fn what_arrived_is_not_written_down_again() {
    let backend = Backend::start([]).unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&backend).await.start().await;
    for _ in 0..3 {
        function.command("ok", 1).await;
    }
    function.sandbox.settled().await;
    function.ledger.assert(&backend.arrived());
    backend.close();
    for _ in 0..3 {
        function.command("ok", 1).await;
    }
    let ended = function.shutdown().await;
    let everywhere = || [backend.arrived(), ended.printed.spans(Source::Extension)].concat();
    eventually(|| ended.ledger.faults(&everywhere())).await;
}

/// The spans of the invocation that ends so are told from its flight recorder; those before it are none the worse.
async fn a_bad_end_takes_no_span_along(ending: &str, kind: &str) {
    let backend = Backend::refusing().unwrap();
    let setup =
        Setup::wrapped(Kind::Command).exporting_to(&backend).await.env("THROUGHLINE_BUDGET_MS", "300");
    let mut function = setup.with(|config| config.timeout(Duration::from_secs(3))).start().await;
    for _ in 0..3 {
        function.command("ok", 2).await;
    }
    assert_eq!(function.command(ending, 1).await.error().unwrap().kind, kind);
    backend.open().unwrap();
    // A new sandbox at the same place: a new function, a new extension, the same folder.
    for _ in 0..2 {
        assert!(function.command("ok", 2).await.error().is_none());
    }
    let ended = function.shutdown().await;
    let everywhere = || [backend.arrived(), ended.printed.spans(Source::Extension)].concat();
    eventually(|| ended.ledger.faults(&everywhere())).await;
    let partial: Vec<_> = everywhere()
        .into_iter()
        .filter(|span| span.is_invocation() && span.attribute("throughline.partial").is_some())
        .map(|span| span.attribute("error.type"))
        .collect();
    assert_eq!(partial, [Some(kind.to_owned())]);
}

#[tokio::test]
async fn a_crash_takes_no_span_along() {
    a_bad_end_takes_no_span_along("exit", "Runtime.ExitError").await;
}

#[tokio::test]
async fn a_timeout_takes_no_span_along() {
    a_bad_end_takes_no_span_along("hang", "Sandbox.Timedout").await;
}

/// Whatever it had accepted and not delivered is in its spool.
async fn killed_while_it_keeps(backend: Backend, open: impl FnOnce(&Backend)) {
    let setup = Setup::wrapped(Kind::Command).exporting_to(&backend).await;
    let mut function = setup.env("THROUGHLINE_BUDGET_MS", "300").start().await;
    for _ in 0..3 {
        function.command("ok", 2).await;
    }
    function.sandbox.settled().await;
    assert_eq!(backend.arrived().len(), 0);
    let extension = function.sandbox.pids().extension.and_then(|pid| Pid::from_raw(pid as i32));
    kill_process(extension.unwrap(), Signal::KILL).unwrap();
    let process = format!("/proc/{}", extension.unwrap().as_raw_nonzero());
    eventually(|| Path::new(&process).exists().then(|| format!("{process} is there"))).await;
    // The sandbox finds out with the next event, and is reset; the function may have begun with it.
    let crashed = function.sandbox.invoke(command("ok", 2)).await;
    assert_eq!(crashed.outcome.error().unwrap().kind, "Extension.Crash");
    open(&backend);
    for _ in 0..2 {
        assert!(function.command("ok", 2).await.error().is_none());
    }
    let ended = function.shutdown().await;
    let is_other = |span: &Arrived| {
        ["faas.invocation_id", "request_id"]
            .iter()
            .all(|key| span.attribute(key).as_deref() != Some(&crashed.request_id))
    };
    let everywhere = || [backend.arrived(), ended.printed.spans(Source::Extension)].concat();
    eventually(|| {
        let told: Vec<Arrived> = everywhere().into_iter().filter(is_other).collect();
        ended.ledger.faults(&told)
    })
    .await;
    assert_eq!(ended.printed.spans(Source::Extension).len(), 0, "the backend was back in time");
}

#[tokio::test]
async fn a_killed_extension_takes_no_span_along_that_a_refusing_backend_missed() {
    killed_while_it_keeps(Backend::refusing().unwrap(), |backend| backend.open().unwrap()).await;
}

#[tokio::test]
async fn a_killed_extension_takes_no_span_along_that_a_hanging_backend_missed() {
    let backend = Backend::start([Answer::Hang; 2]).unwrap();
    killed_while_it_keeps(backend, |_| {}).await;
}
