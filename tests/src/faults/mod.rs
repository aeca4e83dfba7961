//! The fault matrix: what a backend does to the extension, times when the extension sends, times whether the sandbox
//! freezes, times how invocations end. Each cell runs real processes and is held against two books: what the backend
//! knows, and what the extension says of itself.

mod backend;
mod books;
mod cells;
mod pairwise;
mod run;
mod table;
mod wire;

pub use backend::{FaultyBackend, Known};
pub use books::Tally;
pub use cells::{Cell, Ending, Fate, Fault, Policy};
pub use pairwise::pairwise;
pub use run::{Programs, Ran, run, run_all};
pub use table::table;
