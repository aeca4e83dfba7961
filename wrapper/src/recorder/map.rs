//! A recorder's file as memory.
//!
//! What is copied there is the kernel's at once and stays when the process is killed. A system call would do the same, but
//! the first one after a pause takes 5 µs and more before the handler is called.
//!
//! A page that the file has no room for would be a bus error in the user's process. So the room is taken before the file
//! is mapped; where there is none, there is no map. A file that is removed keeps its pages. Nobody truncates a file whose mode
//! is 0400, its owner neither, who would have to change the mode first; root can, but functions don't run as root.

use std::fs::File;
use std::io::{ErrorKind, Result, Write as _};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;

use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// A file, and its content in memory.
#[derive(Debug)]
pub(super) struct Map {
    file: File,
    memory: MmapMut,
}

impl Map {
    /// Takes `size` bytes of room for an empty file that was made for us alone.
    pub(super) fn of(mut file: File, size: usize) -> Result<Self> {
        // To reach it is a signal that ends the process.
        if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < size as u64) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        match fallocate(&file, FallocateFlags::empty(), 0, size as u64) {
            Ok(()) => {}
            Err(Errno::NOSPC | Errno::DQUOT) => return Err(ErrorKind::StorageFull.into()),
            // A file system that can't.
            Err(_) => file.write_all(&vec![0; size])?,
        }
        // SAFETY: the memory is written and read through this value alone, as bytes. The file is longer than what is
        // mapped: nobody may truncate it, see above.
        #[allow(unsafe_code)]
        let memory = unsafe { memmap2::MmapOptions::new().len(size).map_mut(&file)? };
        Ok(Self { file, memory })
    }

    /// Writes `bytes` at `at`, if there is room.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        if let Some(room) = self.memory.get_mut(at..at.saturating_add(bytes.len())) {
            room.copy_from_slice(bytes);
        }
    }

    /// What is written from here to there.
    pub(super) fn read(&self, place: Range<usize>) -> &[u8] {
        self.memory.get(place).unwrap_or_default()
    }

    /// Whether the file was neither removed, so that nobody would find it again, nor truncated.
    pub(super) fn is_whole(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.nlink() > 0 && meta.len() >= self.memory.len() as u64)
    }
}
