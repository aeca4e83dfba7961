//! Where the store of `throughline dev` is that nobody has named a file for: in the user's own folder for what runs now,
//! where the other commands look if they are told of no store. It is gone with the command.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Who alone may have it.
const OURS: u32 = 0o700;

/// A store that is removed in the end, and belongs to one process.
#[derive(Debug)]
pub(super) struct Passing {
    path: PathBuf,
    _lock: File,
}

impl Passing {
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::within(&folder(|name| std::env::var(name).ok()))
    }

    fn within(folder: &Path) -> anyhow::Result<Self> {
        match DirBuilder::new().mode(OURS).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| folder.display().to_string());
            }
            _ if is_own(folder) => {}
            _ => bail!("{}: is no folder of yours alone: give --store FILE", folder.display()),
        }
        let lock = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&lock)
            .with_context(|| lock.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("throughline dev runs already; give this one a store of its own: --store FILE")
            }
            Err(TryLockError::Error(error)) => return Err(error).context("the lock of throughline dev"),
        }
        let path = store_in(folder);
        // What one left that was killed.
        remove(&path);
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The store of the `throughline dev` that runs, if one does.
#[must_use]
pub fn running() -> Option<PathBuf> {
    running_in(&folder(|name| std::env::var(name).ok()))
}

fn running_in(folder: &Path) -> Option<PathBuf> {
    let path = store_in(folder);
    let is_held = || {
        File::open(folder.join("lock"))
            .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    };
    (is_own(folder) && path.is_file() && is_held()).then_some(path)
}

/// The user's folder for what runs now
/// (<https://specifications.freedesktop.org/basedir-spec/latest/#variables>), else one of theirs for temporary files.
fn folder(variable: impl Fn(&str) -> Option<String>) -> PathBuf {
    let ours = |name: &str| variable(name).filter(|folder| folder.starts_with('/'));
    match ours("XDG_RUNTIME_DIR") {
        Some(folder) => Path::new(&folder).join("throughline"),
        None => {
            let temporary = ours("TMPDIR").unwrap_or_else(|| "/tmp".to_owned());
            Path::new(&temporary).join(format!("throughline-dev-{}", rustix::process::getuid().as_raw()))
        }
    }
}

/// Whether it is a folder of our own, and nobody else may look into it.
fn is_own(folder: &Path) -> bool {
    let of_ours = |meta: std::fs::Metadata| {
        meta.is_dir() && meta.uid() == rustix::process::getuid().as_raw() && meta.mode() & 0o077 == 0
    };
    folder.symlink_metadata().is_ok_and(of_ours)
}

fn store_in(folder: &Path) -> PathBuf {
    folder.join("dev.db")
}

/// The file, and those that SQLite keeps beside it (<https://www.sqlite.org/wal.html>).
fn remove(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn there_is_one_at_a_time_and_nothing_is_left() {
        let within = tempfile::tempdir().unwrap();
        let folder = within.path().join("throughline");
        assert_eq!(running_in(&folder), None);
        let first = Passing::within(&folder).unwrap();
        assert_eq!(running_in(&folder), None, "no store yet");
        std::fs::write(first.path(), "a store").unwrap();
        assert_eq!(running_in(&folder).as_deref(), Some(first.path()));
        assert!(Passing::within(&folder).unwrap_err().to_string().contains("runs already"));
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && running_in(&folder).is_none());
        std::fs::write(&path, "left by one that was killed").unwrap();
        assert_eq!(running_in(&folder), None);
        assert!(!Passing::within(&folder).unwrap().path().exists());
    }

    #[test]
    fn a_folder_that_others_may_look_into_is_not_used() {
        let within = tempfile::tempdir().unwrap();
        let folder = within.path().join("throughline");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Passing::within(&folder).is_err());
    }

    #[test]
    fn the_folder_is_the_users_own() {
        let set = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/7".to_owned());
        assert_eq!(folder(set), Path::new("/run/user/7/throughline"));
        let relative = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| "run".to_owned());
        assert!(folder(relative).starts_with("/tmp"));
        assert!(folder(|_| None).to_string_lossy().contains("throughline-dev-"));
    }
}
