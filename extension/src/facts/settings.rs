//! What is told of the platform's facts, and to whom.

use super::{FunctionInfo, Temporality};
use crate::otlp::Signal;

/// Of which invocations the phases are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phases {
    /// Of none.
    Off,
    /// Of those that began with an init, where they explain what the invocation's own span can't show.
    #[default]
    ColdStarts,
    /// Of each.
    All,
}

/// What is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The function.
    pub function: FunctionInfo,
    /// Of which invocations the phases are told.
    pub phases: Phases,
    /// Whether metrics are told, and how they count.
    pub metrics: Option<Temporality>,
    /// Whether the function's lines are told.
    pub logs: bool,
    /// Whether the platform's reports are kept: a trace store counts them.
    pub reports: bool,
    /// Several invocations run at once: a line that names none can be any one's.
    pub concurrent: bool,
    /// Which destinations take metrics and log records that nobody has sent, by [`Signal::index`].
    pub takers: Vec<[bool; 3]>,
}

// === impl Settings ===

impl Settings {
    /// Whether the destination in this position takes what the extension itself tells of this signal.
    pub fn takes(&self, to: usize, signal: Signal) -> bool {
        self.takers.get(to).is_some_and(|takes| takes[signal.index()])
    }
}
