//! A child process that cannot outlive us: its own process group, killed on drop, killed by the
//! kernel if we die without a chance to.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

/// A running (or stopped, or dead) child. Dropping it kills its whole group.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts `binary` with exactly `env`, its output going line by line to `on_line`.
    pub(crate) fn spawn(
        binary: &Path,
        env: Vec<(String, String)>,
        on_line: impl Fn(&str) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal is for us; the children get an orderly shutdown from us.
            .process_group(0)
            .kill_on_drop(true);
        die_with_parent(&mut command);
        let mut child = command.spawn()?;
        let pid = child
            .id()
            .and_then(|pid| Pid::from_raw(pid as i32))
            .ok_or_else(|| io::Error::other("the process is gone already"))?;
        forward_lines(child.stdout.take(), on_line.clone());
        forward_lines(child.stderr.take(), on_line);
        let (exited, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(-1));
            exited.send_replace(Some(status));
        });
        Ok(Self { pid, exit })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get() as u32
    }

    /// Resolves when the process has ended.
    pub(crate) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The reaper is gone with the async runtime, and the child with it (`kill_on_drop`).
            Err(_) => ExitStatus::default(),
        }
    }

    /// The memory that it has right now, in bytes; `None` where that can't be known.
    pub(crate) fn resident(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most that it ever had.
    pub(crate) fn most_resident(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let told = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = told.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// Sends a signal to the process and its descendants, unless it has been reaped: its id may be
    /// another's by now.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.exit.borrow().is_none() {
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process too.
        self.signal(Signal::KILL);
    }
}

fn forward_lines(
    pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
    on_line: impl Fn(&str) + Send + 'static,
) {
    let Some(pipe) = pipe else { return };
    tokio::spawn(async move {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
            on_line(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    });
}

/// Asks the kernel to kill the child when the thread that started it ends: what saves us when we
/// are killed ourselves. (Threads of the async runtime live as long as we do.)
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    // SAFETY: the closure runs between fork and exec and makes two system calls, no allocation.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the line above.
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
