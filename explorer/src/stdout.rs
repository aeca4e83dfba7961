//! Answers go to stdout as a whole: where a disk is full, half an answer must not pass for one.

use std::io::{ErrorKind, Write};

use anyhow::Context;

/// Writes an answer. A reader that has left, as `head` does, has read enough.
///
/// # Errors
///
/// When it can't be written for another reason.
pub(crate) fn tell(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("the answer can't be written")
        }
        _ => Ok(()),
    }
}
