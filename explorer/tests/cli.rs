//! The command line itself: what it refuses, and how.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use throughline_recorder::testing::{File, invocation, span};

fn throughline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_throughline")).args(arguments).output().unwrap()
}

#[test]
fn a_wrong_command_line_exits_2_and_says_why() {
    for (arguments, word) in [
        (&["demo", "--fail", "nobody"][..], "checkout-api, payment-worker"),
        (&["demo", "--orders", "0"], "--orders"),
        (&["demo", "--orders", "many"], "--orders"),
        (&["demo", "--timeout", "0"], "--timeout"),
        (&["nothing"], "nothing"),
        (&["replay"], "<FILE>"),
    ] {
        let output = throughline(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(word), "{arguments:?}");
    }
}

#[test]
fn where_a_demo_cannot_keep_its_store_is_told_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "no store").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, why) in [
        (&["demo", "--drill", "timeout", "--store", file][..], "is there already"),
        (&["demo", "--store", file], "is no store"),
        (&["demo", "--store", "/nowhere/at/all.db"], "/nowhere/at/all.db"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        // There is no cargo that could build.
        let output = command.args(arguments).env("PATH", "").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        assert!(said.contains(why) && !said.contains("building"), "{arguments:?} {said}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "no store");
}

#[test]
fn help_says_what_the_exit_status_means() {
    let output = throughline(&["demo", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for word in ["--orders", "--fail", "--json", "Exit status", "130"] {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
    let help = String::from_utf8(throughline(&["replay", "--help"]).stdout).unwrap();
    for word in ["<FILE>...", "--endpoint", "--dry-run", "Exit status", "filter-log-events"] {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
    let help = String::from_utf8(throughline(&["recorder", "--help"]).stdout).unwrap();
    for word in ["[FILE]...", "--json", "Exit status", "/tmp/.throughline-UID/"] {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
}

#[test]
fn replay_tells_what_it_finds_and_where_something_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}]}]}"#;
    fs::write(&path, format!("START\n{line}\n")).unwrap();
    let path = path.to_str().unwrap();
    let output = throughline(&["replay", "--dry-run", path]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("2 lines: 1 with OTLP") && told.contains("1 spans: not sent"), "{told}");

    fs::write(path, format!("START\n{line}\n{}\n", &line[..40])).unwrap();
    let output = throughline(&["replay", "--dry-run", "--json", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["spans"]["found"], &told["torn"], &told["lines"]), (&1.into(), &1.into(), &3.into()));
    assert!(String::from_utf8(output.stderr).unwrap().contains("app.log:3: is torn"));

    // Nobody listens on the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = throughline(&["replay", "--retry-for", "0", "--endpoint", &format!("http://{gone}"), path]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("0 sent") && told.contains("1 not sent") && told.contains("refused"), "{told}");
    assert_eq!(throughline(&["replay", "--endpoint", "ftp://x", path]).status.code(), Some(1));
    assert_eq!(throughline(&["replay", "/no/such/file"]).status.code(), Some(1));
}

#[test]
fn recorders_are_told_by_file_and_by_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("00112233445566aa");
    fs::create_dir(&inner).unwrap();
    let mut left = File::new(7, "r-1");
    left.span(&invocation("r-1", "GET /orders"));
    left.span(&span(2, "DynamoDB/PutItem"));
    let path = inner.join("recorder-00c0ffee00c0ffee");
    fs::write(&path, left.into_bytes()).unwrap();
    let cleared = inner.join("recorder-0000000000000000");
    fs::write(&cleared, File::new(0, "r-0").into_bytes()).unwrap();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for argument in [text(&path), text(&inner), text(folder.path())] {
        let output = throughline(&["recorder", &argument]);
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains("request r-1") && told.contains("DynamoDB/PutItem"), "{told}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
    let output = throughline(&["recorder", "--json", &text(&path), &text(&path)]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 2);
    let request: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let spans = &request["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!((&spans[0]["name"], spans.as_array().unwrap().len()), (&"GET /orders".into(), 2));

    let [foreign, link, none] = ["foreign", "link", "none"].map(|name| folder.path().join(name));
    fs::write(&foreign, "hello").unwrap();
    symlink(&path, &link).unwrap();
    let empty = tempfile::tempdir().unwrap();
    for (path, word) in [
        (text(&foreign), "not a flight recorder"),
        (text(&link), "not a regular file"),
        (text(&none), "No such file"),
        (text(&cleared), "nothing was under way"),
        (text(empty.path()), "no invocation"),
    ] {
        let output = throughline(&["recorder", &path]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{path}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("throughline: /") && said.contains(word), "{said}");
    }
}

#[test]
fn a_database_of_something_else_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.db");
    let theirs = [b"SQLite format 3\0".as_slice(), &[7; 8192]].concat();
    fs::write(&path, &theirs).unwrap();
    let path = path.to_str().unwrap();
    for arguments in [&["traces"][..], &["store", "create"], &["import", "Cargo.toml"]] {
        let output = throughline(&[arguments, &["--store", path]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.contains("is no store")), (Some(2), true), "{said}");
        assert_eq!(fs::read(path).unwrap(), theirs);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_answer_that_a_full_disk_does_not_take_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("shop.db");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
    let output = command.args(["store", "create", "--store"]).arg(store).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.contains("can't be written")), (Some(2), true), "{said}");
}
