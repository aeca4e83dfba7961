//! Memory is bounded, with the real process: by the buffer, whatever is pushed at a dead backend; and by nothing that grows
//! with the number of invocations.
//!
//! `THROUGHLINE_TEST_LONG=1 cargo test --release -p throughline-extension --test memory -- --nocapture` is the long run:
//! a million spans, and 100,000 invocations.

mod support;

use http::Method;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message as _;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use support::{Backend, Extension, invocation_span, request, send, span};
use throughline_recorder::testing;
use tokio::net::TcpListener;

const MINUTE: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;
const BUFFER: usize = 4 * MIB;
/// What the process may take beside its buffer. Code that is not optimized is longer.
const BESIDE: usize = if cfg!(debug_assertions) { 16 * MIB } else { 10_000_000 };
/// What it may take more after many invocations than after a tenth of them: the allocator's own wavering.
const GROWTH: usize = MIB;

/// Spans in a request, and the share of all spans that comes in such. Small requests are what an SDK without a batch
/// processor sends, one for each span.
const HABITS: [(usize, usize); 3] = [(1000, 86), (10, 10), (1, 4)];
const SHARES: usize = 100;

/// The size of a run: usual, or long.
fn size(usual: usize, long: usize) -> usize {
    if std::env::var_os("THROUGHLINE_TEST_LONG").is_some() { long } else { usual }
}

/// Resident memory now (`VmRSS:`), or the most that there ever was (`VmHWM:`), in bytes.
fn resident(extension: &Extension, which: &str) -> usize {
    let pid = extension.child.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("resident memory");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

fn open_files(extension: &Extension) -> usize {
    let pid = extension.child.id().expect("it runs");
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
}

/// Pushes spans in invocations, and returns the most memory that was resident meanwhile.
async fn pushed_at(endpoint: &str, budget: &str) -> usize {
    let spans = size(200_000, 1_000_000);
    let mut extension = Extension::start(&[
        ("THROUGHLINE_EXPORT_ENDPOINT", endpoint),
        ("THROUGHLINE_BUFFER_BYTES", &BUFFER.to_string()),
        ("THROUGHLINE_BUDGET_MS", budget),
    ])
    .await;
    let idle = resident(&extension, "VmRSS:");
    let mut pushed = 0;
    for (in_a_request, share) in HABITS {
        let body = request(&vec![span(&"x".repeat(250)); in_a_request]).encode_to_vec();
        let requests = spans * share / SHARES / in_a_request;
        for number in 0..requests {
            if number.is_multiple_of(requests / 10) {
                extension.invocation(&format!("r{pushed}"), "invocation").await;
                pushed += 1;
            }
            let headers = [("content-type", "application/x-protobuf")];
            let reply = send(extension.port, Method::POST, "/v1/traces", &headers, body.clone()).await;
            assert_eq!(reply.status, 200);
            pushed += in_a_request;
        }
    }
    let (left, most) = (resident(&extension, "VmRSS:"), resident(&extension, "VmHWM:"));
    let summary = extension.shut_down().await;
    assert_eq!(summary["spans"]["received"], pushed);
    assert_eq!((&summary["spans"]["kept"], &summary["spans"]["exported"]), (&0.into(), &0.into()));
    let [idle, left, most_kib] = [idle, left, most].map(|bytes| bytes / 1024);
    println!("{pushed} spans: {idle} KiB resident before, {left} KiB after, {most_kib} KiB at most");
    most
}

#[tokio::test]
async fn spans_for_a_backend_that_refuses_take_no_more_than_the_buffer() {
    // Nobody listens there any more.
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    assert!(pushed_at(&format!("http://{nobody}"), "250").await < BUFFER + BESIDE);
}

#[tokio::test]
async fn spans_for_a_backend_that_hangs_take_no_more_than_the_buffer() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = silent.local_addr().expect("bound");
    assert!(pushed_at(&format!("http://{address}"), "50").await < BUFFER + BESIDE);
}

#[tokio::test]
async fn invocations_leave_nothing_behind() {
    let invocations = size(5_000, 100_000);
    let backend = Backend::start(&[]).await;
    let mut extension = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", &backend.url())]).await;
    let (mut early, mut files) = (0, 0);
    for number in 0..invocations {
        if number == invocations / 10 {
            (early, files) = (resident(&extension, "VmRSS:"), open_files(&extension));
        }
        one_invocation(&extension, number).await;
        *backend.state() = Default::default();
    }
    let (late, files_late) = (resident(&extension, "VmRSS:"), open_files(&extension));
    println!(
        "{} KiB resident after {} invocations, {} KiB after {invocations}",
        early / 1024,
        invocations / 10,
        late / 1024
    );
    assert!(late < early + GROWTH, "{} KiB, then {} KiB", early / 1024, late / 1024);
    assert!(files_late <= files + 2, "{files} open files, then {files_late}");
    let folder = extension.lambda.port_file();
    assert!(names_in(folder.parent().expect("a folder")) < 10);
    let summary = extension.shut_down().await;
    let received = summary["spans"]["received"].as_u64().expect("a count");
    assert!(received >= (2 * invocations - invocations / 10) as u64, "all were told: {received}");
}

fn names_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// One of the many ways in which an invocation goes.
async fn one_invocation(extension: &Extension, number: usize) {
    let request_id = format!("{number:08}-0000-4000-8000-000000000000");
    let nexts = extension.lambda.state().nexts;
    extension.lambda.invoke(&request_id, MINUTE);
    match number % 10 {
        // It dies, and its recorder tells it.
        0 => {
            let mut file = testing::File::new(number as u64 + 1, &request_id);
            file.span(&testing::invocation(&request_id, "f"));
            let folder = extension.lambda.port_file();
            let name = format!("recorder-{number:016x}");
            std::fs::write(folder.with_file_name(name), file.into_bytes()).expect("a folder");
        }
        // It fails.
        1 => {
            let failed = Status { code: 2, ..Status::default() };
            let ended = Span { status: Some(failed), ..invocation_span(&request_id, "f") };
            assert_eq!(extension.hand_over(&[span("inner"), ended]).await, 200);
        }
        _ => {
            let spans = [span("inner"), invocation_span(&request_id, "f")];
            assert_eq!(extension.hand_over(&spans).await, 200);
        }
    }
    let status = if number.is_multiple_of(10) { "timeout" } else { "success" };
    let metrics =
        json!({ "durationMs": 12.3, "billedDurationMs": 13, "memorySizeMB": 128, "maxMemoryUsedMB": 60 });
    let events = json!([
        event("platform.start", json!({ "requestId": request_id, "version": "$LATEST" })),
        event(
            "platform.runtimeDone",
            json!({ "requestId": request_id, "status": status, "metrics": metrics })
        ),
        event("platform.report", json!({ "requestId": request_id, "status": status, "metrics": metrics })),
    ]);
    assert_eq!(extension.lambda.tell(events).await, 200);
    while extension.lambda.state().nexts == nexts {
        tokio::task::yield_now().await;
    }
}

fn event(kind: &str, record: serde_json::Value) -> serde_json::Value {
    json!({ "time": "2026-01-01T00:00:00.000Z", "type": kind, "record": record })
}
