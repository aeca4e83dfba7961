//! The Throughline Lambda extension: parse, build, run, exit.

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use throughline_extension::check::{How, check};
use throughline_extension::cli::{self, Command};
use throughline_extension::{config, log, neighbours, startup};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let env: HashMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    match cli::parse(&args, &env) {
        Command::Run { api, name } => run(&api, &name, &env),
        Command::Check(how) => checked(&env, how),
        Command::Print(text) => {
            log::write(&text);
            ExitCode::SUCCESS
        }
        Command::Misused(line) => {
            eprintln!("{line}");
            ExitCode::from(2)
        }
    }
}

fn run(api: &str, name: &str, env: &HashMap<String, String>) -> ExitCode {
    let (config, notices) = config::parse(env, is_beside_collector());
    notices.iter().for_each(startup::notice);
    // Other threads only look up names; a name server that hangs must not pile them up.
    let built = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => return failed("cannot start", &error),
    };
    let ended = runtime.block_on(async {
        let extension = startup::start(api, name, Path::new("/tmp"), config).await?;
        extension.run().await
    });
    // Not to wait for a name lookup that hangs.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed("Lambda's API failed", &error),
    }
}

fn checked(env: &HashMap<String, String>, how: How) -> ExitCode {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => return failed("cannot start", &error),
    };
    let report = runtime.block_on(check(env, is_beside_collector(), how));
    log::write(&if how.json { report.json().to_string() } else { report.text() });
    // Not to wait for a name lookup that hangs.
    runtime.shutdown_background();
    ExitCode::from(report.grade() as u8)
}

fn is_beside_collector() -> bool {
    std::env::current_exe().is_ok_and(|executable| neighbours::has_collector(&executable))
}

fn failed(message: &str, error: &dyn std::error::Error) -> ExitCode {
    log::line(log::Level::Error, message, serde_json::json!({ "reason": error.to_string() }));
    ExitCode::FAILURE
}
