//! Throughline's command line.

use std::process::ExitCode;

use clap::Parser;
use throughline_explorer::cli::{Cli, Command};
use throughline_explorer::{demo, recorder, replay};
use tokio::signal::unix::{SignalKind, signal};

/// As shells report a program that a signal ended.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;
const HUNG_UP: u8 = 129;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(options) => run_demo(&options),
        Command::Recorder(options) if recorder::run(&options) => ExitCode::SUCCESS,
        Command::Recorder(_) => ExitCode::FAILURE,
        Command::Replay(options) => run_replay(&options),
    }
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
