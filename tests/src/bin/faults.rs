//! Runs the whole fault matrix and prints its table: `cargo run -p throughline-tests --bin faults`. Words after that
//! choose cells by what they are called: `-- refused deferred` runs those that have both.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use throughline_tests::faults::{Cell, Programs, run_all, table};

/// Most of a cell is waiting.
const AT_ONCE: usize = 12;
/// How long a backend is away.
const AWAY: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let cells: Vec<Cell> = Cell::all()
        .into_iter()
        .filter(|cell| words.iter().all(|word| cell.to_string().contains(word.as_str())))
        .collect();
    eprintln!("building the function and the extension");
    let programs = Programs::build().await?;
    let begun = Instant::now();
    let mut done = 0;
    let ran = run_all(&cells, &programs, AT_ONCE, AWAY, |ran| {
        done += 1;
        let wrong = if ran.faults.is_empty() { "" } else { ": wrong" };
        eprintln!("{:4}s {done:3}/{} {}{wrong}", begun.elapsed().as_secs(), cells.len(), ran.cell);
    })
    .await;
    println!("{}", table(&ran));
    Ok(if ran.iter().all(|ran| ran.faults.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
