//! The files to read: those named, those in folders, standard input; compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::unzip::{Most, Unzip};

/// The first bytes of what gzip wrote (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What is gzipped may become so large: logs become twenty times as large, and what was made to fill a memory a thousand
/// times.
const MOST: Most = Most { bytes: 32 * 1024 * 1024, each: 200 };

/// The files of an argument, those of a folder and of the folders in it in their order.
///
/// # Errors
///
/// When a folder cannot be listed.
pub(super) fn named(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<io::Result<_>>()?;
    entries.sort_unstable_by_key(std::fs::DirEntry::path);
    let mut files = Vec::new();
    for entry in entries {
        let kind = entry.file_type()?;
        // A link is not followed: it may lead round in a circle.
        if kind.is_dir() {
            files.extend(named(&entry.path())?);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// The text of a file, or of standard input if it is `-`. `read` is told of the bytes that are read of it.
///
/// # Errors
///
/// When it cannot be opened or read.
pub(super) fn open(path: &Path, read: impl Fn(u64) + 'static) -> io::Result<Box<dyn Read>> {
    let input: Box<dyn Read> =
        if path == Path::new("-") { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
    let mut input = BufReader::with_capacity(64 * 1024, Told { input, read });
    Ok(if input.fill_buf()?.starts_with(&GZIP) { Box::new(Unzip::new(input, MOST)) } else { Box::new(input) })
}

struct Told<R, F> {
    input: R,
    read: F,
}

impl<R: Read, F: Fn(u64)> Read for Told<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        (self.read)(bytes as u64);
        Ok(bytes)
    }
}
