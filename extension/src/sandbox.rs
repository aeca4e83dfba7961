//! The sandbox's folder under `/tmp` and the port file in it.
//!
//! Function and extension share no configuration, only the environment that Lambda gives both and
//! `/tmp`. The folder is named after the Runtime API's address, so several sandboxes on one machine do
//! not meet. Every step is relative to a directory that is already open and follows no symbolic link:
//! `/tmp` of a development machine is open to others.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fstat, mkdirat, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::io::{Error, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const PORT: &str = "port";

/// The sandbox's folder, open.
#[derive(Debug)]
pub struct Sandbox {
    parent: OwnedFd,
    name: String,
    folder: OwnedFd,
}

// === impl Sandbox ===

impl Sandbox {
    /// Opens `<tmp>/.throughline-<uid>/<hash of runtime_api>/` and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// If one of the two directories is not a directory or belongs to someone else, or on any error of
    /// the file system.
    pub fn open(tmp: &Path, runtime_api: &str) -> std::io::Result<Self> {
        Self::at(tmp, runtime_api, made)
    }

    /// The same of a folder that is there.
    ///
    /// # Errors
    ///
    /// As those of [`open`](Self::open), or if it is missing.
    pub fn find(tmp: &Path, runtime_api: &str) -> std::io::Result<Self> {
        Self::at(tmp, runtime_api, directory)
    }

    fn at(
        tmp: &Path,
        runtime_api: &str,
        directory: fn(BorrowedFd<'_>, &str) -> std::io::Result<OwnedFd>,
    ) -> std::io::Result<Self> {
        let tmp = open(tmp, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let uid = rustix::process::getuid();
        let parent = directory(tmp.as_fd(), &format!(".throughline-{}", uid.as_raw()))?;
        let name = format!("{:016x}", fnv1a(runtime_api.as_bytes()));
        let folder = directory(parent.as_fd(), &name)?;
        Ok(Self { parent, name, folder })
    }

    /// The folder, open.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Removes a file of the folder; a link, not what it points to.
    pub fn remove(&self, name: &str) {
        let _ = unlinkat(&self.folder, name, AtFlags::empty());
    }

    /// Writes the port file, whole or not at all.
    ///
    /// # Errors
    ///
    /// On any error of the file system.
    pub fn write_port(&self, port: u16) -> std::io::Result<()> {
        let temporary = format!(".port-{}", std::process::id());
        // Process ids come again in a sandbox that was reset.
        let _ = unlinkat(&self.folder, &temporary, AtFlags::empty());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&self.folder, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        std::fs::File::from(file).write_all(format!("{port}\n").as_bytes())?;
        Ok(renameat(&self.folder, &temporary, &self.folder, PORT)?)
    }

    /// Removes the port file if it names this port, for nobody listens there any more, and the folder if
    /// nothing else is in it.
    pub fn remove_port(&self, port: u16) {
        let flags = OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let mut text = String::new();
        if let Ok(file) = openat(&self.folder, PORT, flags, Mode::empty())
            && std::fs::File::from(file).take(16).read_to_string(&mut text).is_ok()
            && text.trim() == port.to_string()
        {
            let _ = unlinkat(&self.folder, PORT, AtFlags::empty());
            self.remove_if_empty();
        }
    }

    /// Removes the folder if nothing is in it.
    pub fn remove_if_empty(&self) {
        let _ = unlinkat(&self.parent, self.name.as_str(), AtFlags::REMOVEDIR);
    }
}

/// Opens the directory `name`, made with mode 0700 if it is missing.
fn made(parent: BorrowedFd<'_>, name: &str) -> std::io::Result<OwnedFd> {
    match mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => directory(parent, name),
        Err(error) => Err(error.into()),
    }
}

/// Opens the directory `name` and checks that it is ours.
fn directory(parent: BorrowedFd<'_>, name: &str) -> std::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = openat(parent, name, flags, Mode::empty())?;
    let found = fstat(&opened)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory
        || found.st_uid != rustix::process::getuid().as_raw()
    {
        return Err(Error::new(ErrorKind::PermissionDenied, "the directory belongs to someone else"));
    }
    if Mode::from_raw_mode(found.st_mode) != Mode::RWXU {
        fchmod(&opened, Mode::RWXU)?;
    }
    Ok(opened)
}

/// FNV-1a, 64 bits: small, and the same in every language.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{Sandbox, fnv1a};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::PathBuf;

    const API: &str = "127.0.0.1:9001";

    fn ours(tmp: &tempfile::TempDir) -> PathBuf {
        let uid = fs::metadata(tmp.path()).expect("made").uid();
        tmp.path().join(format!(".throughline-{uid}"))
    }

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // The published test vectors.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_port_file_is_written_replaced_and_removed() {
        let tmp = tempfile::tempdir().expect("tmp");
        let sandbox = Sandbox::open(tmp.path(), API).expect("made");
        let folder = ours(&tmp).join(format!("{:016x}", fnv1a(API.as_bytes())));
        let port = folder.join("port");
        sandbox.write_port(4318).expect("written");
        Sandbox::open(tmp.path(), API).expect("there").write_port(4319).expect("replaced");
        assert_eq!(fs::read_to_string(&port).expect("readable"), "4319\n");
        assert_eq!((mode(&ours(&tmp)), mode(&folder), mode(&port)), (0o700, 0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).expect("readable").count(), 1, "no temporary file is left");
        sandbox.remove_port(4318);
        assert!(port.exists(), "another's port stays");
        sandbox.remove_port(4319);
        assert!(!port.exists() && !folder.exists());
    }

    #[test]
    fn a_planted_link_or_file_is_refused() {
        let tmp = tempfile::tempdir().expect("tmp");
        let elsewhere = tempfile::tempdir().expect("tmp");
        symlink(elsewhere.path(), ours(&tmp)).expect("planted");
        assert!(Sandbox::open(tmp.path(), API).is_err(), "a link");
        fs::remove_file(ours(&tmp)).expect("removed");
        fs::write(ours(&tmp), "").expect("planted");
        assert!(Sandbox::open(tmp.path(), API).is_err(), "a file");
        assert_eq!(fs::read_dir(elsewhere.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_folder_that_is_only_looked_for_is_not_made() {
        let tmp = tempfile::tempdir().expect("tmp");
        assert!(Sandbox::find(tmp.path(), API).is_err());
        assert!(!ours(&tmp).exists());
        Sandbox::open(tmp.path(), API).expect("made");
        assert!(Sandbox::find(tmp.path(), API).is_ok());
    }

    #[test]
    fn a_directory_that_is_too_open_is_closed() {
        let tmp = tempfile::tempdir().expect("tmp");
        fs::create_dir(ours(&tmp)).expect("made");
        fs::set_permissions(ours(&tmp), fs::Permissions::from_mode(0o777)).expect("opened");
        Sandbox::open(tmp.path(), API).expect("ours");
        assert_eq!(mode(&ours(&tmp)), 0o700);
    }

    #[test]
    fn a_port_file_that_is_a_link_is_replaced_not_followed() {
        let tmp = tempfile::tempdir().expect("tmp");
        let victim = tmp.path().join("victim");
        fs::write(&victim, "precious").expect("written");
        let sandbox = Sandbox::open(tmp.path(), API).expect("made");
        let folder = ours(&tmp).join(format!("{:016x}", fnv1a(API.as_bytes())));
        symlink(&victim, folder.join("port")).expect("planted");
        sandbox.write_port(4318).expect("written");
        assert_eq!(fs::read_to_string(&victim).expect("readable"), "precious");
        assert_eq!(fs::read_to_string(folder.join("port")).expect("readable"), "4318\n");
    }
}
