//! How far it is: a bar on a terminal, a line for each thing elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// Shown on stderr; the figures go to stdout.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    on_terminal: bool,
}

impl Progress {
    /// Shows nothing yet.
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:<48} {wide_bar} {pos}/{len} {eta:>4}");
        let bar = ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, on_terminal: std::io::stderr().is_terminal() }
    }

    /// Something of so many steps begins.
    pub(crate) fn begin(&self, what: &str, steps: u32) {
        self.bar.reset();
        self.bar.set_length(steps.into());
        self.bar.set_message(what.to_owned());
        if !self.on_terminal {
            eprintln!("{what}");
        }
    }

    /// Some of them are done.
    pub(crate) fn inc(&self, steps: u64) {
        self.bar.inc(steps);
    }

    /// All is done.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
