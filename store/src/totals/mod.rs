//! What the runs of a function came to in an hour: rates, flows and edges.
//!
//! Each sandbox counts what it did itself and puts its own running totals, so a repeated write changes nothing. An answer
//! adds up those of all sandboxes.

mod begun;
mod called;
mod errors;
mod flow;
mod histogram;
mod report;
mod running;
mod sketch;
mod wire;

pub(crate) use called::Called;
pub use errors::{Errors, ErrorsByKind, Example};
pub use flow::{Edge, Flow, Totals};
pub(crate) use flow::{OTHER, cut, flow_of};
pub use histogram::Histogram;
pub use report::Report;
pub(crate) use running::{Mark, Running};
pub use sketch::Sketch;
pub(crate) use wire::{read, read_failures, write};
