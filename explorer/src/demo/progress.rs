//! What is being done, on stderr: a spinner on a terminal, else a line for each step.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress of a run.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// The last line written where there is no terminal.
    last: Mutex<String>,
}

impl Progress {
    /// With `lines`, other lines go to stderr too: a spinner would be in their way.
    pub(super) fn new(lines: bool) -> Self {
        let bar = (std::io::stderr().is_terminal() && !lines).then(|| {
            let bar = ProgressBar::new_spinner().with_style(
                ProgressStyle::with_template("{spinner} {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, last: Mutex::default() }
    }

    /// A new phase: always worth a line.
    pub(super) fn phase(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => {
                let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if *last != message {
                    eprintln!("{message}");
                    message.clone_into(&mut last);
                }
            }
        }
    }

    /// A step within a phase: only shown where it can be taken back.
    pub(super) fn step(&self, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(message());
        }
    }

    /// How much has been delivered.
    pub(super) fn delivered(&self, deliveries: usize) {
        self.step(|| format!("following orders: {deliveries} deliveries"));
    }

    /// Leaves no trace on the terminal.
    pub(super) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}
