//! The fault matrix, by cells that stand for all of it: whatever two values meet in the matrix meet in one of these.
//!
//! `cargo test -p throughline-tests --test faults -- --nocapture` prints the table; `cargo run -p throughline-tests
//! --bin faults` runs and prints all cells.

use std::time::Duration;

use throughline_tests::faults::{Programs, pairwise, run_all, table};

/// Most of a cell is waiting.
const AT_ONCE: usize = 8;
/// In the full matrix it is twenty seconds.
const AWAY: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_comes_twice() {
    let programs = Programs::of(env!("CARGO_BIN_EXE_function")).await.unwrap();
    let ran = run_all(&pairwise(), &programs, AT_ONCE, AWAY, |_| {}).await;
    let table = table(&ran);
    println!("{table}");
    assert!(ran.iter().all(|ran| ran.faults.is_empty()), "{table}");
}
