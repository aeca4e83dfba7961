//! The host with real processes: the stand-in runtime and extension.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use throughline_host::{
    Invocation, Outcome, Output, Sandbox, SandboxConfig, ShutdownReason, Source, sandbox_folder,
};

const RUNTIME: &str = env!("CARGO_BIN_EXE_host-test-runtime");
const EXTENSION: &str = env!("CARGO_BIN_EXE_host-test-extension");

fn config() -> SandboxConfig {
    SandboxConfig::new("stand-in", RUNTIME).extension(EXTENSION)
}

/// The state letter of a process, `None` if there is none.
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

fn assert_gone(pid: u32) {
    assert_becomes(pid, &[None, Some('Z')]);
}

/// A signal takes its moment to arrive.
fn assert_becomes(pid: u32, states: &[Option<char>]) {
    let begun = std::time::Instant::now();
    while !states.contains(&state_of(pid)) {
        assert!(begun.elapsed() < Duration::from_secs(5), "process {pid} is {:?}", state_of(pid));
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn gives_the_function_its_event_and_returns_its_response() {
    let sandbox = Sandbox::start(config()).await.unwrap();
    let reply = sandbox.invoke(json!({ "hello": "world" })).await;
    assert_eq!(reply.outcome.json(), Some(json!({ "hello": "world" })));
    assert_eq!(reply.request_id.len(), 36);
    // An event that is not JSON arrives as it is.
    let reply = sandbox.invoke(Bytes::from_static(b"\xff not json")).await;
    assert_eq!(reply.outcome, Outcome::Response(Bytes::from_static(b"\xff not json")));
    let failed = sandbox.invoke(json!("fail")).await;
    assert_eq!(failed.outcome.error().unwrap().to_string(), "Boom: as asked");
    let traced = Invocation::from(json!("trace")).trace_header("Root=1-2-3;Parent=4;Sampled=1");
    let reply = sandbox.invoke(traced).await;
    assert_eq!(reply.outcome, Outcome::Response("Root=1-2-3;Parent=4;Sampled=1".into()));
    sandbox.shutdown(ShutdownReason::Spindown).await;
}

#[tokio::test]
async fn freezes_only_when_the_runtime_has_asked_for_its_next_event() {
    let sandbox = Sandbox::start(config()).await.unwrap();
    let pids = sandbox.pids();
    let (function, extension) = (pids.function.unwrap(), pids.extension.unwrap());
    assert!(sandbox.is_frozen());
    assert_becomes(function, &[Some('T')]);
    assert_becomes(extension, &[Some('T')]);
    let reply = sandbox.invoke(json!("work-after")).await;
    assert_eq!(reply.outcome.json(), Some(json!("done")));
    assert!(!sandbox.is_frozen(), "the client has its response while the function is still at work");
    sandbox.settled().await;
    assert!(sandbox.is_frozen());
    // The line was written before the freeze; its way through the pipe may take a moment more.
    let said = || sandbox_lines(&sandbox).iter().any(|line| line == "worked after the response");
    while !said() {
        tokio::task::yield_now().await;
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    assert_gone(function);
    assert_gone(extension);
}

fn sandbox_lines(sandbox: &Sandbox) -> Vec<String> {
    sandbox.output().lines().into_iter().map(|(_, line)| line).collect()
}

#[tokio::test]
async fn tells_the_extension_everything_in_order() {
    let output = Output::default();
    let sandbox = Sandbox::start(config().output(output.clone())).await.unwrap();
    let reply = sandbox.invoke(json!(1)).await;
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let told: Vec<String> = output
        .lines()
        .into_iter()
        .filter(|(source, _)| *source == Source::Extension)
        .map(|(_, line)| line)
        .collect();
    let all = told.join("\n");
    let position = |what: &str| all.find(what).unwrap_or_else(|| panic!("no {what} in\n{all}"));
    let id = &reply.request_id;
    assert!(position(&format!(r#""requestId":"{id}""#)) < position("SHUTDOWN"));
    assert!(position("platform.initStart") < position("platform.initRuntimeDone"));
    assert!(position("platform.start") < position("platform.runtimeDone"));
    assert!(position("platform.runtimeDone") < position("platform.report"));
    assert!(position("platform.report") < position(r#""shutdownReason":"spindown""#));
    assert!(all.contains("runtime ready"), "function logs are told too");
}

#[tokio::test]
async fn a_timeout_takes_the_sandbox_down_and_the_next_invocation_starts_it_again() {
    let output = Output::default();
    let sandbox =
        Sandbox::start(config().timeout(Duration::from_millis(700)).output(output.clone())).await.unwrap();
    let before = sandbox.pids();
    let reply = sandbox.invoke(json!("hang")).await;
    assert_eq!(reply.outcome.error().unwrap().kind, "Sandbox.Timedout");
    let reply = sandbox.invoke(json!("back")).await;
    assert_eq!(reply.outcome.json(), Some(json!("back")));
    assert_ne!(sandbox.pids(), before);
    assert_gone(before.function.unwrap());
    assert!(output.lines().iter().any(|(_, line)| line.contains(r#""shutdownReason":"timeout""#)));
    sandbox.shutdown(ShutdownReason::Spindown).await;
}

#[tokio::test]
async fn a_crash_is_a_function_error() {
    let sandbox = Sandbox::start(config()).await.unwrap();
    let reply = sandbox.invoke(json!("exit")).await;
    assert_eq!(reply.outcome.error().unwrap().kind, "Runtime.ExitError");
    assert_eq!(sandbox.invoke(json!(2)).await.outcome.json(), Some(json!(2)));
}

#[tokio::test]
async fn invocations_take_turns() {
    let sandbox = std::sync::Arc::new(Sandbox::start(config()).await.unwrap());
    let calls = (0..8).map(|n| {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { (n, sandbox.invoke(json!(n)).await.outcome.json()) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (n, response) = call.await.unwrap();
        assert_eq!(response, Some(json!(n)));
    }
}

#[tokio::test]
async fn a_managed_instance_runs_several_at_once() {
    let sandbox = Sandbox::start(SandboxConfig::new("managed", RUNTIME).managed_instance(4)).await.unwrap();
    let meet = || sandbox.invoke(json!("meet"));
    // Each waits for another: one at a time they would never end.
    let (a, b, c, d) = tokio::join!(meet(), meet(), meet(), meet());
    for reply in [a, b, c, d] {
        assert_eq!(reply.outcome.json(), Some(json!("met")));
    }
    assert!(!sandbox.is_frozen());
    assert_eq!(sandbox.invoke(json!("exit")).await.outcome.error().unwrap().kind, "Runtime.ExitError");
    assert!(sandbox.invoke(json!(1)).await.outcome.error().is_some(), "the instance has ended");
}

#[tokio::test]
async fn nothing_outlives_a_dropped_sandbox() {
    let sandbox = Sandbox::start(config()).await.unwrap();
    let pids = sandbox.pids();
    let folder = sandbox_folder(sandbox.runtime_api());
    std::fs::create_dir_all(&folder).unwrap();
    drop(sandbox);
    assert_gone(pids.function.unwrap());
    assert_gone(pids.extension.unwrap());
    assert!(!Path::new(&folder).exists());
}

#[tokio::test]
async fn a_failed_init_is_told_with_its_reason() {
    let error = Sandbox::start(config().env("TEST_INIT", "fails")).await.unwrap_err().to_string();
    assert!(error.contains("stand-in did not start: BadInit: no configuration"), "{error}");
    let error = Sandbox::start(SandboxConfig::new("f", "/no/such/binary")).await.unwrap_err().to_string();
    assert!(error.contains("/no/such/binary"), "{error}");
}
