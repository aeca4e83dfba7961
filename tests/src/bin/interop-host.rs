//! The local host for programs in other languages: what to run comes as a line of JSON on stdin, then events, one a line;
//! each is answered with a line on stdout once the sandbox has settled. The end of stdin is the end of the sandbox.

use std::io::{self, BufRead as _, Lines, StdinLock, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use throughline_host::{Outcome, Sandbox, SandboxConfig, ShutdownReason, Source};

/// The first line.
#[derive(Deserialize)]
struct Setup {
    function: PathBuf,
    extension: PathBuf,
    env: Vec<(String, String)>,
    timeout_ms: u64,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let setup: Setup = serde_json::from_value(next(&mut lines)?.ok_or(io::ErrorKind::UnexpectedEof)?)?;
    let config = SandboxConfig::new("theirs", setup.function)
        .extension(setup.extension)
        .timeout(Duration::from_millis(setup.timeout_ms));
    let config = setup.env.into_iter().fold(config, |config, (name, value)| config.env(name, value));
    let sandbox = Sandbox::start(config).await.map_err(io::Error::other)?;
    while let Some(event) = next(&mut lines)? {
        let reply = sandbox.invoke(event).await;
        sandbox.settled().await;
        let answer = match &reply.outcome {
            Outcome::Response(_) => json!({ "response": reply.outcome.json() }),
            Outcome::Failed(error) => json!({ "error": error.kind }),
        };
        say(&answer)?;
    }
    sandbox.shutdown(ShutdownReason::Spindown).await;
    let said = |of: Source| -> Vec<String> {
        let lines = sandbox.output().lines().into_iter();
        lines.filter(|(from, _)| *from == of).map(|(_, line)| line).collect()
    };
    say(&json!({ "function": said(Source::Function), "extension": said(Source::Extension) }))
}

fn next(lines: &mut Lines<StdinLock<'_>>) -> io::Result<Option<Value>> {
    lines.next().transpose()?.map(|line| serde_json::from_str(&line)).transpose().map_err(Into::into)
}

fn say(answer: &Value) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}")?;
    stdout.flush()
}
