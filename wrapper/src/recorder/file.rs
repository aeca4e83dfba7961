//! One file of the recorder: an invocation under way writes to it, the next one of the process uses it again.
//!
//! It is written with `pwrite`: a memory map would make a bus error in the user's process of a `/tmp` that is full or was
//! truncated.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::SystemTime;

use super::frame::{self, HEAD, JOURNAL_END, Kind, LINE, LINES, MAGIC, NONCE, SPANS_END};

/// What the names of the files begin with; 16 random hex digits follow.
const PREFIX: &str = "recorder-";
/// How many files of earlier processes are left for whoever wants to read them.
const MAX_FILES: usize = 16;
/// The most files that are looked at.
const MAX_LISTED: usize = 4096;
/// The longest log line that has room in its place, with its number.
const MAX_LINE: usize = LINE - HEAD - size_of::<u64>();
/// What is kept of the room for frames between two invocations.
const ROOM: usize = 8 * 1024;

/// A file, and where in it the invocation under way stands.
#[derive(Debug)]
pub(super) struct Slot {
    file: File,
    nonce: u64,
    /// Where the next frame goes.
    end: usize,
    is_full: bool,
    /// The number of the next log line.
    line: u64,
    buffer: Vec<u8>,
}

impl Slot {
    /// Makes a file in `folder`, which is ours.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{PREFIX}{:016x}", random()?));
        let mut options = OpenOptions::new();
        let options =
            options.read(true).write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        Ok(Self::of(options.open(path)?))
    }

    pub(super) fn of(file: File) -> Self {
        Self { file, nonce: 0, end: 0, is_full: false, line: 0, buffer: Vec::with_capacity(ROOM) }
    }

    /// Whether the handler has emptied `/tmp`: nobody will find the file again.
    pub(super) fn is_gone(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() == 0)
    }

    /// Begins the journal of an invocation with frames that say what it is.
    pub(super) fn begin(&mut self, frames: &[(Kind, &[u8])]) -> Result<()> {
        self.nonce = random()?;
        self.is_full = false;
        self.line = 0;
        self.buffer.clear();
        self.buffer.extend_from_slice(&MAGIC);
        self.buffer.extend_from_slice(&self.nonce.to_le_bytes());
        for (kind, payload) in frames {
            frame::put(*kind, self.nonce, &mut self.buffer, |out| out.extend_from_slice(payload));
        }
        if self.buffer.len() > JOURNAL_END {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.end = self.buffer.len();
        self.file.write_all_at(&self.buffer, 0)
    }

    /// Writes the beginning of the event down.
    pub(super) fn event(&mut self, event: &str) -> Result<()> {
        self.append(Kind::Event, JOURNAL_END, |out| out.extend_from_slice(event.as_bytes())).map(drop)
    }

    /// Writes a span down; once one had no room no later one has.
    pub(super) fn span(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        if self.is_full || self.append(Kind::Span, SPANS_END, write)? {
            return Ok(());
        }
        self.is_full = true;
        self.append(Kind::Full, JOURNAL_END, |_| {}).map(drop)
    }

    /// Writes the invocation span down, for which room was kept.
    pub(super) fn invocation(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.append(Kind::Span, JOURNAL_END, write).map(drop)
    }

    /// Writes a log line down in the place of the oldest, as much of it as has room.
    pub(super) fn line(&mut self, line: &str) -> Result<()> {
        let number = self.line;
        let line = line.get(..line.floor_char_boundary(MAX_LINE)).unwrap_or_default();
        self.buffer.clear();
        frame::put(Kind::Line, self.nonce, &mut self.buffer, |out| {
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(line.as_bytes());
        });
        self.line += 1;
        self.file.write_all_at(&self.buffer, JOURNAL_END as u64 + number % LINES * LINE as u64)
    }

    /// What was written down of the invocation under way.
    pub(super) fn journal(&self) -> Result<Vec<u8>> {
        let mut journal = vec![0; self.end];
        self.file.read_exact_at(&mut journal, 0)?;
        Ok(journal)
    }

    /// Says that nothing is under way.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.buffer.shrink_to(ROOM);
        self.file.write_all_at(&[0; size_of::<u64>()], NONCE)
    }

    /// Whether there was room up to `limit`.
    fn append(&mut self, kind: Kind, limit: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<bool> {
        self.buffer.clear();
        frame::put(kind, self.nonce, &mut self.buffer, write);
        let end = self.end + self.buffer.len();
        if end > limit {
            return Ok(false);
        }
        self.file.write_all_at(&self.buffer, self.end as u64)?;
        self.end = end;
        Ok(true)
    }
}

/// A number that is not zero and that nobody can foresee: what stands in a payload can't pose as a frame.
fn random() -> Result<u64> {
    let mut bytes = [0; size_of::<u64>()];
    getrandom::fill(&mut bytes).map_err(|error| Error::other(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

/// Removes the oldest files of earlier processes: without an extension nobody else does.
pub(super) fn remove_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<_> = entries
        .flatten()
        .take(MAX_LISTED)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)))
        .map(|entry| {
            let modified = entry.metadata().and_then(|meta| meta.modified());
            (modified.unwrap_or(SystemTime::UNIX_EPOCH), entry.path())
        })
        .collect();
    let old = files.len().saturating_sub(MAX_FILES);
    files.sort_unstable();
    for (_, path) in files.into_iter().take(old) {
        // One that another process has removed is as good.
        let _ = fs::remove_file(path);
    }
}
