//! What the extension wrote down because nobody took it, sent later by `throughline replay`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use serde_json::{Value, json};
use throughline_host::{Build, Source, build};
use throughline_tests::backend::{Answer, Backend};
use throughline_tests::handlers::Kind;
use tokio::process::Command;

use crate::support::{Setup, eventually};

async fn replay(arguments: &[&str]) -> (Option<i32>, Value) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let program = build(Build { workspace, packages: &["throughline-explorer"] }, |_| {}).await.unwrap();
    let mut command = Command::new(&program["throughline"]);
    let output = command.arg("replay").arg("--json").args(arguments).output().await.unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn a_spill_in_any_form_reaches_a_backend_once() {
    let dead = Backend::refusing().unwrap();
    let mut function = Setup::wrapped(Kind::Command).exporting_to(&dead).await.start().await;
    for _ in 0..5 {
        function.command("ok", 3).await;
    }
    let ended = function.shutdown().await;
    eventually(|| ended.ledger.faults(&ended.printed.spans(Source::Extension))).await;

    // All that it printed, in three of the forms in which people get it, one of them in a folder in the folder.
    let folder = tempfile::tempdir().unwrap();
    let lines = ended.printed.lines(Source::Extension);
    fs::write(folder.path().join("stdout"), lines.join("\n")).unwrap();
    let events: Vec<_> = lines.iter().map(|line| json!({ "timestamp": 1, "message": line })).collect();
    let events = serde_json::to_string_pretty(&json!({ "events": events })).unwrap();
    fs::write(folder.path().join("events.json"), events).unwrap();
    fs::create_dir(folder.path().join("stream")).unwrap();
    let exported = File::create(folder.path().join("stream/000000.gz")).unwrap();
    let mut exported = GzEncoder::new(exported, Compression::fast());
    for line in &lines {
        writeln!(exported, "2024-01-01T00:00:00.000Z {line}").unwrap();
    }
    exported.finish().unwrap();

    let busy = [Answer::Refuse(StatusCode::SERVICE_UNAVAILABLE), Answer::RetryAfter(0)];
    let backend = Backend::start(busy).unwrap();
    let (status, told) = replay(&["--endpoint", &backend.endpoint(), folder.path().to_str().unwrap()]).await;
    assert_eq!(status, Some(0), "{told}");
    ended.ledger.assert(&backend.arrived());
    assert_eq!(backend.exchanges().len(), 3);
    let counts = |name: &str| told["spans"][name].as_u64().unwrap();
    assert_eq!((counts("found"), counts("repeated"), counts("sent")), (60, 40, 20), "{told}");
}
