//! Which files are believed: regular, our own user's, of one name. `/tmp` of a development machine is open to others, and
//! a link or a pipe in it must neither be followed nor waited for.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::frames::END;
use crate::{Recording, Unreadable, read};

/// Files read of one folder; more are no invocations at once.
const MAX_FILES: usize = 1024;

/// What a file says, and when it was last written to.
#[derive(Debug)]
pub struct Opened {
    /// What it says.
    pub recording: Recording,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: u64,
}

/// Reads one file.
///
/// # Errors
///
/// If it cannot be read, is not to be believed, or says nothing.
pub fn open(path: &Path) -> Result<Opened, Unreadable> {
    open_at(CWD, path)
}

/// Reads one file of a folder that is open.
///
/// # Errors
///
/// If it cannot be read, is not to be believed, or says nothing.
pub fn open_at(folder: impl AsFd, name: impl AsRef<Path>) -> Result<Opened, Unreadable> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file: OwnedFd = openat(folder, name.as_ref(), flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => Unreadable::NotAFile,
        error => Unreadable::Io(error.into()),
    })?;
    let file = File::from(file);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(Unreadable::NotAFile);
    }
    if found.uid() != rustix::process::getuid().as_raw() {
        return Err(Unreadable::NotOurs(found.uid()));
    }
    // None is a file that was removed just now: its last reader told its story.
    if found.nlink() > 1 {
        return Err(Unreadable::Linked);
    }
    let recording = read(&content(&file)?)?;
    let seconds = u64::try_from(found.mtime()).unwrap_or_default();
    let nanos = u64::try_from(found.mtime_nsec()).unwrap_or_default();
    Ok(Opened { recording, modified: seconds.saturating_mul(1_000_000_000).saturating_add(nanos) })
}

/// The names of the recorders in a folder, in their order.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn names(folder: impl AsFd) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_str().map(str::to_owned).unwrap_or_default();
        if is_name(OsStr::new(&name)) && names.len() < MAX_FILES {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether this is how the wrapper names a recorder: `recorder-` and 16 lower-case hexadecimal digits.
pub fn is_name(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix("recorder-"));
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The file's bytes as far as they mean anything.
fn content(file: &File) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(END as u64) as usize;
    let (mut bytes, mut at) = (vec![0; length], 0);
    while at < length {
        match file.read_at(&mut bytes[at..], at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(at);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::{self, invocation};

    const NAME: &str = "recorder-0123456789abcdef";

    fn written() -> Vec<u8> {
        let mut file = testing::File::new(7, "r-1");
        file.span(&invocation("r-1", "f"));
        file.into_bytes()
    }

    #[test]
    fn an_own_file_is_read_by_path_and_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in [NAME, "recorder-00000000000000ff", "recorder-0123456789ABCDEF", "recorder-1", "port"] {
            fs::write(folder.path().join(name), written()).unwrap();
        }
        let opened = open(&folder.path().join(NAME)).unwrap();
        assert_eq!(opened.recording.request_id(), "r-1");
        assert!(opened.modified > 1_700_000_000_000_000_000);
        let handle = File::open(folder.path()).unwrap();
        assert_eq!(names(&handle).unwrap(), ["recorder-00000000000000ff", NAME]);
        assert_eq!(names(&handle).unwrap().len(), 2, "and again");
        assert_eq!(open_at(&handle, NAME).unwrap().recording.request_id(), "r-1");
    }

    #[test]
    fn links_pipes_and_folders_are_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let [real, link, hard, inner, pipe] =
            ["real", "link", "hard", "inner", "pipe"].map(|name| folder.path().join(name));
        fs::write(&real, written()).unwrap();
        symlink(&real, &link).unwrap();
        fs::create_dir(&inner).unwrap();
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        for (path, what) in [(&link, "a link"), (&inner, "a folder"), (&pipe, "a pipe that nobody writes to")]
        {
            assert!(matches!(open(path), Err(Unreadable::NotAFile)), "{what}");
        }
        assert!(matches!(open(&folder.path().join("none")), Err(Unreadable::Io(_))));
        fs::hard_link(&real, &hard).unwrap();
        assert!(matches!(open(&hard), Err(Unreadable::Linked)));
        fs::remove_file(&hard).unwrap();
        assert!(open(&real).is_ok(), "the test can fail");
    }

    #[test]
    fn another_user_s_file_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, written()).unwrap();
        // Only root can give a file away; of others the test is that their own is read.
        let other = rustix::fs::Uid::from_raw(12_345);
        match rustix::fs::chownat(CWD, &path, Some(other), None, rustix::fs::AtFlags::empty()) {
            Ok(()) => assert!(matches!(open(&path), Err(Unreadable::NotOurs(12_345)))),
            Err(_) => assert!(open(&path).is_ok()),
        }
    }

    #[test]
    fn of_a_large_file_no_more_is_read_than_means_anything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, written()).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(content(&File::open(&path).unwrap()).unwrap().len(), END);
        assert_eq!(open(&path).unwrap().recording.request_id(), "r-1");
    }
}
