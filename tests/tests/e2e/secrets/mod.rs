//! Secrets go in wherever a program has them, in any spelling, and come out nowhere: not in a span that arrives, not in a
//! line of either process, not in a file of the flight recorder, however the invocation ends.
//!
//! But for one place, which is the program's own: the hook of the standard library prints the message of a panic on stderr
//! as it is.

mod echo;
mod planted;

use prost::Message as _;
use throughline_host::{Source, sandbox_folder};
use throughline_tests::backend::Backend;

use crate::support::{Function, Printed, Setup};
use planted::{Planted, SPELLINGS, Spelling, contains};

/// How the function ends; by SIGKILL at last.
const ENDS: [&str; 4] = ["ok", "error", "panic", "killed"];

/// All that was told, by whom.
type Told = Vec<(&'static str, Vec<u8>)>;

async fn setup() -> Setup {
    Setup::of(env!("CARGO_BIN_EXE_telling"))
        .env("AWS_ENDPOINT_URL", echo::start().await)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("THROUGHLINE_CAPTURE", "always")
        .env("THROUGHLINE_CAPTURE_CALLS", "always")
        .env("THROUGHLINE_DEBUG", "true")
        .env("THROUGHLINE_LOG_BAGGAGE", "note,inner")
        .env("THROUGHLINE_TRUST_INBOUND", "baggage")
}

/// Ends in every way with every spelling; what was planted, and what the recorder's files had in them after each.
async fn run(function: &Function) -> (Vec<(Planted, &'static str)>, Told) {
    let (mut planted, mut told) = (Vec::new(), Told::new());
    for spelling in SPELLINGS {
        for ends in ENDS {
            let texts = Planted { spelling, number: planted.len() };
            let reply = function.sandbox.invoke(texts.event(ends)).await;
            assert_eq!(reply.outcome.error().is_none(), ends == "ok", "{ends}: {:?}", reply.outcome);
            function.sandbox.settled().await;
            for file in files(function) {
                if !told.iter().any(|(_, known)| *known == file) {
                    told.push(("recorder", file));
                }
            }
            planted.push((texts, ends));
        }
    }
    (planted, told)
}

/// Without their holes, which are most of them.
fn files(function: &Function) -> Vec<Vec<u8>> {
    // Where nothing is left there is no folder either.
    let folder = std::fs::read_dir(sandbox_folder(function.sandbox.runtime_api()));
    let entries = folder.into_iter().flatten();
    let mut files: Vec<_> = entries.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok()).collect();
    files.iter_mut().for_each(|file| file.retain(|byte| *byte != 0));
    files
}

/// What both processes printed, but for what the hook of the standard library says of a panic: in the line after its place.
fn printed(printed: &Printed) -> (Told, Vec<String>) {
    let (mut told, mut hooks) = (Told::new(), Vec::new());
    for (source, name) in [(Source::Function, "line"), (Source::Extension, "extension's line")] {
        let mut is_message = false;
        for line in printed.lines(source) {
            let is_place = line.starts_with("thread '") && line.contains(" panicked at ");
            if std::mem::replace(&mut is_message, is_place) {
                hooks.push(line);
            } else {
                told.push((name, line.into_bytes()));
            }
        }
    }
    (told, hooks)
}

/// Whether nothing was given away.
#[track_caller]
fn assert_hidden(planted: &[(Planted, &str)], told: &Told) {
    let mut faults = Vec::new();
    for (texts, ends) in planted {
        for (what, told) in told {
            for place in texts.given_away(told) {
                let told = String::from_utf8_lossy(told);
                let at = told.find(&texts.secret(place)).unwrap_or_default();
                let round: String = told[at..].chars().take(80).collect();
                faults.push(format!("{:?}, {ends}: the {what} has that of {place}: {round}", texts.spelling));
            }
        }
    }
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n"));
}

/// Whether what may be seen is: else it would be no wonder that nothing was given away.
#[track_caller]
fn assert_shown(planted: &[(Planted, &str)], told: &Told, due: &[(&str, &str, &str)]) {
    for (texts, ends) in planted.iter().filter(|(texts, _)| texts.spelling == Spelling::Plain) {
        for (what, _, place) in due.iter().filter(|(_, end, _)| end == ends) {
            let marker = texts.marker(place);
            let is_shown = told.iter().any(|(by, told)| by == what && contains(told, &marker));
            assert!(is_shown, "{ends}: no {what} has what stands beside the secret of {place}");
        }
    }
}

/// What is on spans, and the lines, of an invocation that ends well.
const SHOWN: [(&str, &str, &str); 24] = [
    ("span", "ok", "header"),
    ("span", "ok", "body"),
    ("span", "ok", "agent"),
    ("span", "ok", "user"),
    ("span", "ok", "account"),
    ("span", "ok", "message"),
    ("span", "ok", "refused_message"),
    ("span", "ok", "request"),
    ("span", "ok", "refused_request"),
    ("span", "ok", "span_field"),
    ("span", "ok", "observed"),
    ("span", "ok", "error_line"),
    ("span", "ok", "answer"),
    ("line", "ok", "baggage"),
    ("line", "ok", "set_baggage"),
    ("line", "ok", "user"),
    ("line", "ok", "line"),
    ("line", "ok", "line_field"),
    ("line", "ok", "debug_line"),
    ("line", "ok", "debug_field"),
    ("span", "error", "error"),
    ("span", "error", "cause"),
    ("span", "panic", "panic"),
    ("span", "killed", "span_field"),
];

#[tokio::test]
async fn no_secret_is_told_by_function_and_extension() {
    let backend = Backend::start([]).unwrap();
    let function = setup().await.exporting_to(&backend).await.start().await;
    let (planted, mut told) = run(&function).await;
    let ended = function.shutdown().await;
    let (lines, hooks) = printed(&ended.printed);
    told.extend(lines);
    for arrived in backend.arrived() {
        told.push(("span", arrived.span.encode_to_vec()));
        told.extend(arrived.resource.iter().map(|attribute| ("resource", attribute.encode_to_vec())));
    }
    assert_eq!(hooks.len(), SPELLINGS.len(), "{hooks:?}");
    assert_hidden(&planted, &told);
    assert_shown(&planted, &told, &SHOWN);
}

/// Nobody reads the recorder here, and spans are lines.
#[tokio::test]
async fn no_secret_is_told_without_the_extension_and_none_is_left_behind() {
    let function = setup().await.start().await;
    let (planted, mut told) = run(&function).await;
    let ended = function.shutdown().await;
    told.extend(printed(&ended.printed).0);
    assert_hidden(&planted, &told);
    let due = [
        "header",
        "body",
        "user",
        "span_field",
        "debug_line",
        "refused_message",
        "refused_request",
        "error_line",
    ];
    assert_shown(&planted, &told, &due.map(|place| ("recorder", "killed", place)));
}
