//! What is kept of a run under its ids: enough to find it.

use serde::{Deserialize, Serialize};

use crate::run::Name;

/// Where a run is that was found by an id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The run's request id.
    pub request_id: String,
    /// The span that stands for the run.
    pub span_id: String,
    /// The trace of the span that has the id.
    pub trace_id: String,
    /// The run's function.
    pub function: String,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// Whether it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What the id is to the run; empty for members of the baggage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Name>,
}
