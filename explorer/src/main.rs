//! Throughline's command line.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use throughline_explorer::cli::{Cli, Command};
use throughline_explorer::{ask, demo, dev, keep, recorder, replay};
use tokio::signal::unix::{SignalKind, signal};

/// An answer is thousands of small items, which two threads read: nothing takes as long as to allocate them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As shells report a program that a signal ended.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;
const HUNG_UP: u8 = 129;
/// A question that makes no sense, or could not be asked; clap's too.
const UNANSWERED: u8 = 2;

fn main() -> ExitCode {
    let Some(command) = parsed().command else {
        // A closed stdout is nobody to tell.
        let _ = std::io::stdout()
            .write_all(Cli::overview(|name| std::env::var(name).ok(), dev::running()).as_bytes());
        return ExitCode::SUCCESS;
    };
    match command {
        Command::Demo(options) => run_demo(&options),
        Command::Dev(options) => run_dev(&options),
        Command::Recorder(options) if recorder::run(&options) => ExitCode::SUCCESS,
        Command::Recorder(_) => ExitCode::FAILURE,
        Command::Replay(options) => run_replay(&options),
        Command::Export(options) => answered(keep::export(&options)),
        Command::Import(options) => answered(keep::import(&options)),
        Command::Store(action) => answered(keep::store(&action)),
        // All others are questions.
        other => other.question().map_or(ExitCode::FAILURE, |question| answered(ask::run(question))),
    }
}

/// The command line; ends the program where it makes no sense.
fn parsed() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| {
        if error.exit_code() == i32::from(UNANSWERED) {
            let told = error.render().to_string();
            let told = told.strip_prefix("error: ").unwrap_or(&told);
            tell_programs(told.split("\n\n").next().unwrap_or(told).trim());
        }
        error.exit()
    })
}

fn run_demo(options: &demo::Options) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    runtime.block_on(async {
        tokio::select! {
            outcome = demo::run(options) => match outcome {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => failed(&error),
            },
            code = stopped() => ExitCode::from(code),
        }
    })
}

/// Ends when it is told to: so it is meant.
fn run_dev(options: &dev::Options) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    runtime.block_on(async {
        tokio::select! {
            outcome = dev::run(options) => outcome.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS),
            _ = stopped() => ExitCode::SUCCESS,
        }
    })
}

/// Reads input that may block for as long as it likes: signals end it by themselves.
fn run_replay(options: &replay::Options) -> ExitCode {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = built.map_err(Into::into).and_then(|runtime| runtime.block_on(replay::run(options)));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// Nothing found is 1, and no answer is 2, as of `grep`: a script can tell them apart.
fn answered(question: impl Future<Output = anyhow::Result<bool>>) -> ExitCode {
    let outcome = tokio::runtime::Runtime::new().map_err(Into::into);
    match outcome.and_then(|runtime| runtime.block_on(question)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell_programs(&format!("{error:#}"));
            failed(&error);
            ExitCode::from(UNANSWERED)
        }
    }
}

/// Tells on stdout why there is no answer, where one of JSON was asked for.
fn tell_programs(error: &str) {
    if std::env::args_os().any(|word| word == "--json") {
        // A closed stdout is nobody to tell.
        let _ = std::io::stdout().write_all(ask::refusal(error).as_bytes());
    }
}

/// Resolves when we are asked to stop; what runs ends with the future that started it.
async fn stopped() -> u8 {
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        // Without handlers the signals end the program by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => INTERRUPTED,
        _ = terminate.recv() => TERMINATED,
        _ = hang_up.recv() => HUNG_UP,
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("throughline: {error:#}");
    ExitCode::FAILURE
}
