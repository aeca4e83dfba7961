//! The extension dies, and what it had accepted is sent by the next.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use support::{Backend, Extension, Lambda, invocation_span, span};

/// Kills it with nothing but SIGKILL, and starts the next one in the same sandbox.
async fn killed_and_started(mut extension: Extension, variables: &[(&str, &str)]) -> Extension {
    extension.child.kill().await.expect("killed");
    let lambda = extension.lambda.clone();
    lambda.state().nexts = 0;
    Extension::start_at(lambda, variables).await
}

fn spool_files(lambda: &Lambda) -> usize {
    let folder = lambda.port_file().parent().expect("a folder").to_owned();
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    files
        .filter(|file| {
            file.as_ref().is_ok_and(|file| file.file_name().to_string_lossy().starts_with("spool-"))
        })
        .count()
}

/// The states of the first request in the first file, for two destinations.
fn spooled(lambda: &Lambda) -> Vec<u8> {
    let folder = lambda.port_file().parent().expect("a folder").to_owned();
    let states = |file: Vec<u8>| file.get(12..14).map(<[u8]>::to_vec);
    fs::read(folder.join("spool-0000000000000000")).ok().and_then(states).unwrap_or_default()
}

#[tokio::test]
async fn what_was_accepted_survives_the_extension_and_is_sent_once() {
    let backend = Backend::start(&[]).await;
    let url = backend.url();
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", url.as_str())];
    let extension = Extension::start(&variables).await;
    extension.invocation("r0", "s0").await;
    assert_eq!(backend.state().spans, ["s0"]);
    extension.lambda.invoke("r1", Duration::from_secs(60));
    for name in ["s1", "s2"] {
        assert_eq!(extension.hand_over(&[span(name)]).await, 200);
    }

    let mut extension = killed_and_started(extension, &variables).await;
    extension.invocation("r2", "s3").await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, ["s0", "s1", "s2", "s3"]);
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["kept"]), (&3.into(), &0.into()));
    let lines = extension.lines();
    let told = lines.iter().find(|line| line["requests"] == 2).expect("a line");
    assert_eq!(told["maybe_sent"], 0);
    assert_eq!(spool_files(&extension.lambda), 0);
}

#[tokio::test]
async fn what_was_on_its_way_is_sent_again_and_said() {
    let backend = Backend::start(&[0]).await;
    let url = backend.url();
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", url.as_str())];
    let extension = Extension::start(&variables).await;
    extension.lambda.invoke("r0", Duration::from_secs(60));
    assert_eq!(extension.hand_over(&[invocation_span("r0", "s0")]).await, 200);
    support::eventually("the request", || (!backend.state().requests.is_empty()).then_some(())).await;

    let mut extension = killed_and_started(extension, &variables).await;
    let summary = extension.shut_down().await;
    assert_eq!(backend.state().spans, ["s0"]);
    let lines = extension.lines();
    let told = lines.iter().find(|line| line["requests"] == 1).expect("a line");
    assert_eq!(told["maybe_sent"], 1);
    assert_eq!((&summary["spans"]["exported"], &summary["spans"]["unanswered"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn a_destination_that_has_it_does_not_get_it_again() {
    let (quick, slow) = (Backend::start(&[]).await, Backend::start(&[0]).await);
    let urls = format!("{},{}", quick.url(), slow.url());
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", urls.as_str())];
    let extension = Extension::start(&variables).await;
    extension.lambda.invoke("r0", Duration::from_secs(60));
    assert_eq!(extension.hand_over(&[invocation_span("r0", "s0")]).await, 200);
    quick.has(1).await;
    support::eventually("the request", || (!slow.state().requests.is_empty()).then_some(())).await;
    // What the first has said reaches the spool a moment later.
    support::eventually("its mark", || spooled(&extension.lambda).contains(&b'D').then_some(())).await;

    let mut extension = killed_and_started(extension, &variables).await;
    let summary = extension.shut_down().await;
    assert_eq!(
        (quick.state().spans.clone(), slow.state().spans.clone()),
        (vec!["s0".into()], vec!["s0".into()])
    );
    let [quick, slow] = [0, 1].map(|to| summary["destinations"][to]["spans"]["received"].clone());
    assert_eq!((quick, slow), (0.into(), 1.into()));
}

#[tokio::test]
async fn torn_and_foreign_files_do_no_harm_and_go() {
    let backend = Backend::start(&[]).await;
    let url = backend.url();
    let variables = [("THROUGHLINE_EXPORT_ENDPOINT", url.as_str())];
    let mut extension = Extension::start(&variables).await;
    extension.lambda.invoke("r0", Duration::from_secs(60));
    for name in ["s0", "s1"] {
        assert_eq!(extension.hand_over(&[span(name)]).await, 200);
    }
    let folder = extension.lambda.port_file().parent().expect("a folder").to_owned();
    let lambda = extension.lambda.clone();
    extension.child.kill().await.expect("killed");
    let spool = folder.join("spool-0000000000000000");
    let whole = fs::read(&spool).expect("there");
    // The disk was full in the middle of the second.
    fs::write(&spool, &whole[..whole.len() - 1]).expect("written");
    fs::write(folder.join("spool-0000000000000001"), b"no spool at all").expect("written");
    fs::create_dir(folder.join("spool-0000000000000002")).expect("made");
    lambda.state().nexts = 0;
    let mut extension = Extension::start_at(lambda, &variables).await;
    extension.invocation("r1", "s2").await;
    extension.shut_down().await;
    assert_eq!(backend.state().spans, ["s0", "s2"]);
    assert_eq!(spool_files(&extension.lambda), 1, "what is no file of ours stays");
    let lines = extension.lines();
    let torn = lines.iter().filter(|line| line["message"].to_string().contains("is not whole"));
    let torn: Vec<_> = torn.map(|line| (line["file"].as_str(), line["whole_bytes"].as_u64())).collect();
    assert_eq!(torn.len(), 2, "{lines:?}");
    assert!(torn[0].1 > Some(12) && torn[1] == (Some("spool-0000000000000001"), Some(0)), "{torn:?}");
    fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn two_at_once_take_nothing_from_each_other() {
    let (one, two) = (Backend::start(&[]).await, Backend::start(&[]).await);
    let urls = [one.url(), two.url()];
    let first = Extension::start(&[("THROUGHLINE_EXPORT_ENDPOINT", urls[0].as_str())]).await;
    first.hand_over(&[span("s0")]).await;
    let lambda = first.lambda.clone();
    lambda.state().nexts = 0;
    let mut second = Extension::start_at(lambda, &[("THROUGHLINE_EXPORT_ENDPOINT", urls[1].as_str())]).await;
    second.hand_over(&[span("s1")]).await;
    first.hand_over(&[span("s2")]).await;
    let mut first = first;
    first.signal(rustix::process::Signal::TERM);
    first.exited().await;
    second.signal(rustix::process::Signal::TERM);
    second.exited().await;
    assert_eq!(
        (one.state().spans.clone(), two.state().spans.clone()),
        (vec!["s0".into(), "s2".into()], vec!["s1".into()])
    );
}

#[tokio::test]
async fn where_nothing_more_can_be_written_it_goes_on_and_says_so_once() {
    let lambda = Lambda::start(&[]).await;
    let script = lambda.port_file().with_extension("limited");
    fs::create_dir_all(script.parent().expect("a folder")).expect("made");
    // A limit stands for a full disk: there is room for the port file and no more.
    let binary = env!("CARGO_BIN_EXE_throughline-extension");
    fs::write(&script, format!("#!/bin/sh\nulimit -f 1\nexec {binary}\n")).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("set");
    let mut extension = Extension::start_as(&script, lambda, &[]).await;
    let long = "x".repeat(2000);
    for n in 0..3 {
        extension.invocation(&format!("r{n}"), &long).await;
    }
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), [long.as_str(); 3]);
    let told = extension.lines().into_iter().filter(|line| {
        line["message"].as_str().is_some_and(|message| message.starts_with("the spool cannot be written"))
    });
    assert_eq!(told.count(), 1);
    fs::remove_file(script).expect("removed");
}

#[tokio::test]
async fn without_a_folder_it_goes_on_and_says_so_once() {
    let mut extension = Extension::start(&[]).await;
    let folder = extension.lambda.port_file().parent().expect("a folder").to_owned();
    let ours = folder.parent().expect("ours").to_owned();
    extension.hand_over(&[span("s0")]).await;
    // A program that empties /tmp takes nothing from what is in memory.
    fs::remove_dir_all(&folder).expect("removed");
    assert!(ours.exists());
    extension.invocation("r0", "s1").await;
    extension.shut_down().await;
    assert_eq!(extension.spans_on_stdout(), ["s0", "s1"]);
}
