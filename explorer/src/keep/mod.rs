//! What is done with the store itself: it is made, told of, counted anew, filled from files and copied out of.

mod export;
mod import;
mod rebuild;
mod store;

pub use export::{Options as ExportOptions, run as export};
pub use import::{Options as ImportOptions, run as import};
pub use store::{Action as StoreAction, run as store};
