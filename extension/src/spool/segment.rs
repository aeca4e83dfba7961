//! One file of the spool: made so that nobody else can be fooled with it, believed only if it is ours, removed when
//! nobody needs it.

use super::frame::{FILE_HEAD, State};
use crate::intake::MAX_INFLATED;
use crate::sandbox::Sandbox;
use rustix::fs::{Dir, FlockOperation, Mode, OFlags, flock, openat};
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io::{Error, ErrorKind, IoSlice, Read, Result};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Files read at a start; there are never more than nine.
const MAX_FILES: usize = 64;

/// A file of frames. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Segment {
    sandbox: Arc<Sandbox>,
    number: u64,
    file: File,
    length: AtomicUsize,
    /// Bytes in all segments.
    size: Arc<AtomicUsize>,
}

/// How a file is called: `spool-` and 16 hexadecimal digits.
pub(super) fn name(number: u64) -> String {
    format!("spool-{number:016x}")
}

/// The numbers of the files that are there, in their order.
pub(super) fn numbers(sandbox: &Sandbox) -> Vec<u64> {
    let entries = Dir::read_from(sandbox.folder()).into_iter().flatten().flatten();
    let number = |file: &str| {
        let number = u64::from_str_radix(file.strip_prefix("spool-")?, 16).ok()?;
        (name(number) == file).then_some(number)
    };
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| number(entry.file_name().to_str().ok()?)).take(MAX_FILES).collect();
    numbers.sort_unstable();
    numbers
}

// === impl Segment ===

impl Segment {
    /// Makes a new file with this head.
    pub(super) fn create(
        sandbox: &Arc<Sandbox>,
        number: u64,
        head: &[u8; FILE_HEAD],
        size: &Arc<AtomicUsize>,
    ) -> Result<Self> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(openat(sandbox.folder(), name(number), flags, Mode::RUSR | Mode::WUSR)?);
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let segment = Self::of(sandbox, number, file, 0, size);
        segment.append(head, &[])?;
        Ok(segment)
    }

    /// Opens a file that another process has left, and reads what is in it.
    pub(super) fn open(
        sandbox: &Arc<Sandbox>,
        number: u64,
        limit: usize,
        size: &Arc<AtomicUsize>,
    ) -> Result<(Self, Vec<u8>)> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(openat(sandbox.folder(), name(number), flags, Mode::empty())?);
        let found = file.metadata()?;
        if !found.is_file() || found.uid() != rustix::process::getuid().as_raw() || found.nlink() != 1 {
            return Err(Error::new(ErrorKind::PermissionDenied, "it is not a file of ours alone"));
        }
        // Whoever writes it holds the lock as long as it lives.
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Error::new(ErrorKind::WouldBlock, "another process writes it"))?;
        let mut content = Vec::new();
        // A quarter of the buffer, and the request that made it full.
        (&file).take((limit / 4 + MAX_INFLATED + 1024) as u64).read_to_end(&mut content)?;
        let length = content.len();
        size.fetch_add(length, Relaxed);
        Ok((Self::of(sandbox, number, file, length, size), content))
    }

    fn of(sandbox: &Arc<Sandbox>, number: u64, file: File, length: usize, size: &Arc<AtomicUsize>) -> Self {
        let (sandbox, size) = (Arc::clone(sandbox), Arc::clone(size));
        Self { sandbox, number, file, length: AtomicUsize::new(length), size }
    }

    /// How its file is called.
    pub(super) fn name(&self) -> String {
        name(self.number)
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> usize {
        self.length.load(Relaxed)
    }

    /// Adds a frame, and says where it begins.
    pub(super) fn append(&self, head: &[u8], body: &[u8]) -> Result<usize> {
        let (at, more) = (self.len(), head.len() + body.len());
        // Beyond its limit a write ends the process.
        if getrlimit(Resource::Fsize).current.is_some_and(|most| (at + more) as u64 > most) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let parts = [IoSlice::new(head), IoSlice::new(body)];
        let written = rustix::io::pwritev(&self.file, &parts, at as u64)?;
        if written < more {
            // The disk is full. What there is of the frame ends the file for every reader.
            return Err(ErrorKind::StorageFull.into());
        }
        self.length.store(at + more, Relaxed);
        self.size.fetch_add(more, Relaxed);
        Ok(at)
    }

    /// Whether somebody has removed it, as programs do that empty `/tmp`.
    pub(super) fn is_gone(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() == 0)
    }

    /// Notes a state. If that fails the request is sent once more after a death, which is no worse than a death on the way.
    pub(super) fn mark(&self, at: usize, state: State) {
        let _ = self.file.write_all_at(&[state as u8], at as u64);
    }

    /// Says whose it is; as little depends on that.
    pub(super) fn write_head(&self, head: &[u8; FILE_HEAD]) {
        let _ = self.file.write_all_at(head, 0);
    }

    /// Empties it but for its head.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.file.set_len(FILE_HEAD as u64)?;
        let length = std::mem::replace(self.length.get_mut(), FILE_HEAD);
        self.size.fetch_sub(length - FILE_HEAD, Relaxed);
        Ok(())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.size.fetch_sub(self.len(), Relaxed);
        self.sandbox.remove(&name(self.number));
    }
}
