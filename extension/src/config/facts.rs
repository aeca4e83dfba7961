//! What is told of the platform's facts: `THROUGHLINE_PHASES`, `THROUGHLINE_METRICS`.

use super::Reader;
use crate::facts::{FunctionInfo, Phases, Settings, Temporality};

const PHASES: &str = "THROUGHLINE_PHASES";
const METRICS: &str = "THROUGHLINE_METRICS";

// === impl Reader ===

impl Reader<'_> {
    /// What is told, and of which function.
    pub(super) fn facts(&mut self) -> Settings {
        let function = FunctionInfo::of(self.env);
        // Which destinations take metrics is known once they stand.
        Settings { function, phases: self.phases(), metrics: self.metrics(), metrics_to: Vec::new() }
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
