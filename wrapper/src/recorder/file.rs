//! One file of the recorder: an invocation under way writes to it, the next one of the process uses it again.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use super::frame::{self, HEAD, JOURNAL_END, Kind, LINE, LINES, MAGIC, NONCE, SIZE, SPANS_END};
use super::map::Map;

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
    map: Map,
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
        Self::of(options.open(&path)?).inspect_err(|_| {
            // What is left of the room is the program's.
            let _ = fs::remove_file(&path);
        })
    }

    pub(super) fn of(file: File) -> Result<Self> {
        let map = Map::of(file, SIZE)?;
        Ok(Self { map, nonce: 0, end: 0, is_full: false, line: 0, buffer: Vec::with_capacity(ROOM) })
    }

    /// Whether the handler has emptied `/tmp`.
    pub(super) fn is_gone(&self) -> bool {
        self.map.is_gone()
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
        self.map.write(0, &self.buffer);
        Ok(())
    }

    /// Writes the beginning of the event down.
    pub(super) fn event(&mut self, event: &str) {
        self.append(Kind::Event, JOURNAL_END, |out| out.extend_from_slice(event.as_bytes()));
    }

    /// Writes a span down; once one had no room no later one has.
    pub(super) fn span(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_full && !self.append(Kind::Span, SPANS_END, write) {
            self.is_full = true;
            self.append(Kind::Full, JOURNAL_END, |_| {});
        }
    }

    /// Writes the invocation span down, for which room was kept.
    pub(super) fn invocation(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.append(Kind::Span, JOURNAL_END, write);
    }

    /// Writes a log line down in the place of the oldest, as much of it as has room.
    pub(super) fn line(&mut self, line: &str) {
        let number = self.line;
        let line = line.get(..line.floor_char_boundary(MAX_LINE)).unwrap_or_default();
        self.buffer.clear();
        frame::put(Kind::Line, self.nonce, &mut self.buffer, |out| {
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(line.as_bytes());
        });
        self.line += 1;
        let place = (number % LINES) as usize;
        self.map.write(JOURNAL_END + place * LINE, &self.buffer);
    }

    /// What was written down of the invocation under way.
    pub(super) fn journal(&self) -> &[u8] {
        self.map.head(self.end)
    }

    /// Says that nothing is under way.
    pub(super) fn clear(&mut self) {
        self.buffer.shrink_to(ROOM);
        self.map.write(NONCE, &[0; size_of::<u64>()]);
    }

    /// Whether there was room up to `limit`.
    fn append(&mut self, kind: Kind, limit: usize, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.buffer.clear();
        frame::put(kind, self.nonce, &mut self.buffer, write);
        let end = self.end + self.buffer.len();
        if end > limit {
            return false;
        }
        self.map.write(self.end, &self.buffer);
        self.end = end;
        true
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
