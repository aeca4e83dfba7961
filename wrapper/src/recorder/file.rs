//! One file of the recorder: an invocation under way writes to it, the next one of the process uses it again.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use opentelemetry::trace::SpanId;

use super::frame::{self, HEAD, JOURNAL_END, Kind, LINE, LINES, MAGIC, NONCE, SIZE, SPANS};
use super::map::Map;
use super::pages::Pages;

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
    /// Where what the invocation itself is ends.
    end: usize,
    pages: Pages,
    /// The number of the next log line.
    line: u64,
    buffer: Vec<u8>,
}

impl Slot {
    /// Makes a file in `folder`, which is ours.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let path = folder.join(format!("{PREFIX}{:016x}", random()?));
        let mut options = OpenOptions::new();
        // Nobody else may open it to write, our own user included, or even truncate it: see `Map`.
        let options =
            options.read(true).write(true).create_new(true).mode(0o400).custom_flags(libc::O_NOFOLLOW);
        Self::of(options.open(&path)?).inspect_err(|_| {
            // What is left of the room is the program's.
            let _ = fs::remove_file(&path);
        })
    }

    pub(super) fn of(file: File) -> Result<Self> {
        let map = Map::of(file, SIZE)?;
        Ok(Self { map, nonce: 0, end: 0, pages: Pages::default(), line: 0, buffer: Vec::with_capacity(ROOM) })
    }

    /// Whether the file is as it was.
    pub(super) fn is_there(&self) -> bool {
        self.map.is_whole()
    }

    /// Begins the journal of an invocation with frames that say what it is.
    pub(super) fn begin(&mut self, invocation: SpanId, frames: &[(Kind, &[u8])]) -> Result<()> {
        self.nonce = random()?;
        self.pages.begin(self.nonce, invocation);
        self.line = 0;
        self.buffer.clear();
        self.buffer.extend_from_slice(&MAGIC);
        self.buffer.extend_from_slice(&self.nonce.to_le_bytes());
        for (kind, payload) in frames {
            frame::put(*kind, self.nonce, &mut self.buffer, |out| out.extend_from_slice(payload));
        }
        if self.buffer.len() > SPANS {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.end = self.buffer.len();
        self.map.write(0, &self.buffer);
        Ok(())
    }

    /// Writes the beginning of the event down, if the invocation's own part has room.
    pub(super) fn event(&mut self, event: &str) {
        self.buffer.clear();
        frame::put(Kind::Event, self.nonce, &mut self.buffer, |out| out.extend_from_slice(event.as_bytes()));
        let end = self.end + self.buffer.len();
        if end <= SPANS {
            self.map.write(self.end, &self.buffer);
            self.end = end;
        }
    }

    /// Writes a span down as it stands.
    pub(super) fn span(&mut self, id: SpanId, is_open: bool, write: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.clear();
        self.pages.span(&mut self.map, &mut self.buffer, id, is_open, write);
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

    /// What was written down of the spans that have not ended, but for the invocation's own.
    pub(super) fn open_spans(&self) -> Vec<Vec<u8>> {
        self.pages.open_spans(&self.map)
    }

    /// Says that nothing is under way.
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(ROOM);
        self.map.write(NONCE, &[0; size_of::<u64>()]);
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
