//! The folder in which function and extension of one sandbox meet: `/tmp/.throughline-<uid>/<hash>/`.
//!
//! `<hash>` is FNV-1a (64 bit, lower-case hex) of the value of `AWS_LAMBDA_RUNTIME_API`, so that sandboxes that
//! share a `/tmp` in a local run don't meet. Nothing but directories of our own user is believed.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::fnv::fnv1a;

/// What both levels may be used for, and by whom: by us.
const OURS: u32 = 0o700;

/// The folder of the sandbox of `runtime_api`.
pub(crate) fn folder(runtime_api: &str) -> PathBuf {
    let hash = fnv1a(runtime_api.bytes());
    PathBuf::from(format!("/tmp/.throughline-{}/{hash:016x}", uid()))
}

/// Whether the folder and the one that it is in are our own.
pub(crate) fn is_own(folder: &Path) -> bool {
    let is_own =
        |level: &Path| level.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == uid());
    folder.parent().is_some_and(is_own) && is_own(folder)
}

/// Makes the folder, and the one that it is in, where they are missing.
///
/// # Errors
///
/// If one of them is no directory or somebody else's, and those of the file system.
pub(crate) fn make(folder: &Path) -> std::io::Result<()> {
    let parent = folder.parent().ok_or(ErrorKind::InvalidInput)?;
    [parent, folder].into_iter().try_for_each(make_level)
}

fn make_level(level: &Path) -> std::io::Result<()> {
    match DirBuilder::new().mode(OURS).create(level) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // By its handle: what is checked is what is changed.
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(level)?;
    let meta = opened.metadata()?;
    if meta.uid() != uid() {
        return Err(Error::new(ErrorKind::PermissionDenied, "it belongs to somebody else"));
    }
    if meta.mode() & 0o7777 != OURS {
        opened.set_permissions(Permissions::from_mode(OURS))?;
    }
    Ok(())
}

pub(crate) fn uid() -> u32 {
    // SAFETY: `getuid` takes nothing, touches no memory and cannot fail.
    #[allow(unsafe_code)]
    unsafe {
        libc::getuid()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_made_for_us_alone_and_one_that_is_too_open_is_closed() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("ours/hash");
        make(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        make(&folder).unwrap();
        assert!(mode(&folder) == 0o700 && is_own(&folder));
    }

    #[test]
    fn a_planted_link_or_file_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let (elsewhere, ours) = (tmp.path().join("elsewhere"), tmp.path().join("ours"));
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &ours).unwrap();
        assert!(make(&ours.join("hash")).is_err() && !is_own(&ours.join("hash")), "a link");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        fs::remove_file(&ours).unwrap();
        fs::write(&ours, "").unwrap();
        assert!(make(&ours.join("hash")).is_err(), "a file");
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        // `/proc/1` is a directory of the first process, which is root's.
        let root = Path::new("/proc");
        if uid() != 0 {
            assert!(make(root).is_err() && !is_own(root));
            return;
        }
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("ours/hash");
        make(&folder).unwrap();
        std::os::unix::fs::chown(folder.parent().unwrap(), Some(12_345), None).unwrap();
        assert!(make(&folder).is_err() && !is_own(&folder));
    }
}
