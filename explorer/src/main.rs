//! Throughline's command line.

use std::process::ExitCode;

use clap::Parser;
use throughline_explorer::cli::{Cli, Command};
use throughline_explorer::{demo, recorder};
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
