//! Finds OTLP requests in a stream of log text, whatever they are wrapped in.
//!
//! A request is what stands under `resourceSpans`, `resourceMetrics` or `resourceLogs`: in a line of its own or behind
//! a timestamp, as an object of a larger one, or as text in a string of JSON (or of CSV) that begins with it, in
//! another string perhaps. So no form of export has to be known, and no document is held as a whole: an answer of
//! the AWS CLI may have gigabytes.

use std::io::{self, Read};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::found::{Found, NAMES};
use super::look::{Look, look};

/// The longest request, with what wraps it.
const LONGEST: usize = 16 * 1024 * 1024;
/// What is read at once, at least.
const CHUNK: usize = 256 * 1024;
/// What is kept of text that was passed over: how a name is wrapped stands before it.
const KEPT: usize = 256;

static MARKS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::new(NAMES.map(|name| format!("\"{name}"))).ok());

/// What there is at a place in the stream.
#[derive(Debug)]
pub(super) struct Piece {
    /// The line, from 1.
    pub(super) line: u64,
    /// A request, or what is wrong with what began as one.
    pub(super) found: Result<Found, String>,
}

/// Reads pieces from a stream, within a bound of memory.
#[derive(Debug)]
pub(super) struct Scanner<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where to look on.
    at: usize,
    /// Up to where lines are counted, and how many ended before.
    counted: usize,
    ended_lines: u64,
    /// Lines that hold a request.
    found_lines: u64,
    last_found: u64,
    /// The stream's end is in the buffer.
    complete: bool,
    in_line: bool,
}

// === impl Scanner ===

impl<R: Read> Scanner<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            at: 0,
            counted: 0,
            ended_lines: 0,
            found_lines: 0,
            last_found: 0,
            complete: false,
            in_line: false,
        }
    }

    /// Lines so far, and those of them that hold a request.
    pub(super) fn lines(&self) -> (u64, u64) {
        (self.ended_lines + u64::from(self.in_line), self.found_lines)
    }

    /// The next request, or what is left of one.
    ///
    /// # Errors
    ///
    /// When the stream cannot be read on.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let Some(mark) = self.mark() else {
                if self.complete {
                    self.count_to(self.buffer.len());
                    return Ok(None);
                }
                self.pass_over(self.buffer.len().saturating_sub(KEPT));
                self.read(CHUNK)?;
                continue;
            };
            let whole = self.complete || self.buffer.len() - mark > LONGEST;
            let found = match look(&self.buffer, mark, whole) {
                Look::Nothing => {
                    self.at = mark + 1;
                    continue;
                }
                Look::More => {
                    // What is looked at again has doubled: no byte is looked at often.
                    self.pass_over(mark.saturating_sub(KEPT));
                    self.read(self.buffer.len().max(CHUNK))?;
                    continue;
                }
                Look::Request(found, end) => {
                    self.at = end;
                    Ok(found)
                }
                Look::Wrong(why) => {
                    self.at = mark + 1;
                    Err(why)
                }
            };
            self.count_to(mark);
            let line = self.ended_lines + 1;
            self.count_to(self.at);
            if found.is_ok() {
                let last = self.ended_lines + 1;
                self.found_lines += last - line + u64::from(line != self.last_found);
                self.last_found = last;
            }
            return Ok(Some(Piece { line, found }));
        }
    }

    fn mark(&self) -> Option<usize> {
        let found = MARKS.as_ref()?.find(self.buffer.get(self.at..)?)?;
        Some(self.at + found.start())
    }

    fn count_to(&mut self, end: usize) {
        let Some(passed) = self.buffer.get(self.counted..end).filter(|passed| !passed.is_empty()) else {
            return;
        };
        self.ended_lines += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.in_line = !passed.ends_with(b"\n");
        self.counted = end;
    }

    /// Forgets what is before `to`.
    fn pass_over(&mut self, to: usize) {
        self.count_to(to);
        self.buffer.drain(..to);
        self.at = self.at.saturating_sub(to);
        self.counted = self.counted.saturating_sub(to);
    }

    fn read(&mut self, bytes: usize) -> io::Result<()> {
        let read = self.input.by_ref().take(bytes as u64).read_to_end(&mut self.buffer)?;
        self.complete = read < bytes;
        Ok(())
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
