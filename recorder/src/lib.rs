//! Reads the flight recorder: the file in which the wrapper journals an invocation under way, so that one whose process is
//! killed leaves its story. The extension completes what a bad end left behind, and `throughline recorder` shows it to
//! people. ARCHITECTURE.md describes the format.
//!
//! - `frames`: which bytes belong to the invocation under way.
//! - `recording`, `time`: what they say, and how it becomes spans that have ended.
//! - `files`: which files are believed at all.
//!
//! **Invariant:** nothing in a file is trusted. Any bytes are read without a panic, in time and memory that are bounded by
//! the file's bound, and what comes out is a request that any OTLP backend takes.
//!
//! ```
//! use throughline_recorder::{Ending, Failure, Unreadable, open};
//!
//! # fn main() -> Result<(), Unreadable> {
//! # let folder = std::env::temp_dir();
//! match open(&folder.join("recorder-0123456789abcdef")) {
//!     Ok(opened) => {
//!         let failure = Failure { error_type: "Runtime.ExitError".into(), message: "the process exited".into() };
//!         let at = opened.recording.last_moment(opened.modified);
//!         let request = opened.recording.into_request(&Ending { time_unix_nano: at, failure: Some(failure) });
//!         assert_eq!(request.resource_spans.len(), 1);
//!     }
//!     Err(Unreadable::Cleared) => println!("nothing was under way"),
//!     Err(why) => println!("{why}"),
//! }
//! # Ok(())
//! # }
//! ```

mod files;
mod frames;
mod recording;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;

pub use files::{Opened, is_name, names, open, open_at};
pub use recording::{Ending, Failure, Recording, read};
pub use time::rfc3339_nanos;

/// Why a file tells no story. The texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no flight recorder.
    #[error("it is not a flight recorder: it does not begin with THRLREC2")]
    Foreign,
    /// Nothing is under way.
    #[error("nothing was under way: what its last invocation made was handed over")]
    Cleared,
    /// It ends before it says which invocation it is about.
    #[error("it is torn before it says which invocation it is about")]
    Torn,
    /// A symbolic link, a directory, a pipe: the wrapper makes regular files.
    #[error("it is not a regular file; links are not followed")]
    NotAFile,
    /// Another user's.
    #[error("it belongs to user {0}, and only an own file is believed; copy it (cp) and read the copy")]
    NotOurs(u32),
    /// It has a second name, so that somebody else may write to it.
    #[error("it has a second name (a hard link); copy it (cp) and read the copy")]
    Linked,
    /// It cannot be opened or read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}
