//! What is told of the platform's facts: `THROUGHLINE_PHASES`, `THROUGHLINE_METRICS`, `THROUGHLINE_LOGS`.

use super::{Export, Reader};
use crate::facts::{FunctionInfo, Phases, Settings, Temporality};
use crate::otlp::Signal;

const PHASES: &str = "THROUGHLINE_PHASES";
const METRICS: &str = "THROUGHLINE_METRICS";
const LOGS: &str = "THROUGHLINE_LOGS";

// === impl Reader ===

impl Reader<'_> {
    /// What is told, and of which function.
    pub(super) fn facts(&mut self, exports: &[Export], concurrent: bool) -> Settings {
        let takers: Vec<_> = exports.iter().map(Export::takers).collect();
        let takes = |signal: Signal| takers.iter().any(|takes| takes[signal.index()]);
        let (mut metrics, mut logs) = (self.metrics(), self.logs());
        if metrics.is_some() && !takes(Signal::Metrics) {
            self.warn(METRICS, "", "is set, but no destination takes metrics; off is used");
            metrics = None;
        }
        if logs && !takes(Signal::Logs) {
            self.warn(LOGS, "", "is set, but no destination takes log records; off is used");
            logs = false;
        }
        Settings {
            function: FunctionInfo::of(self.env),
            phases: self.phases(),
            metrics,
            logs,
            reports: exports.iter().any(|export| matches!(export, Export::Store(_))),
            concurrent,
            takers,
        }
    }

    fn logs(&mut self) -> bool {
        match self.value(LOGS).map(str::to_ascii_lowercase).as_deref() {
            None | Some("off") => false,
            Some("on") => true,
            Some(other) => {
                self.warn(LOGS, other, "is neither on nor off; off is used");
                false
            }
        }
    }

    fn phases(&mut self) -> Phases {
        match self.value(PHASES).map(str::to_ascii_lowercase).as_deref() {
            None | Some("cold-starts") => Phases::ColdStarts,
            Some("off") => Phases::Off,
            Some("all") => Phases::All,
            Some(other) => {
                self.warn(PHASES, other, "is none of off, cold-starts and all; cold-starts is used");
                Phases::ColdStarts
            }
        }
    }

    fn metrics(&mut self) -> Option<Temporality> {
        match self.value(METRICS).map(str::to_ascii_lowercase).as_deref() {
            None | Some("off") => None,
            Some("delta") => Some(Temporality::Delta),
            Some("cumulative") => Some(Temporality::Cumulative),
            Some(other) => {
                self.warn(METRICS, other, "is none of off, delta and cumulative; off is used");
                None
            }
        }
    }
}
