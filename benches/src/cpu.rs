//! Processor time of a process, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// What all threads of `pid` have run for: the first number of each thread's `schedstat`, in nanoseconds
/// (<https://docs.kernel.org/scheduler/sched-stats.html>).
pub(crate) fn time(pid: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
        let run = statistics.split(' ').next().context("schedstat is empty")?;
        nanos += run.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}
