//! The file in which the extension names its port: `port` in the folder of the sandbox.
//!
//! Nothing but a regular file of our own user in directories of our own user is believed.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::sandbox::{folder, is_own, uid};

/// Where the port of the extension beside `runtime_api` stands.
pub(crate) fn path(runtime_api: &str) -> PathBuf {
    folder(runtime_api).join("port")
}

/// The port in `path`; `None` if there is no file that can be believed.
pub(super) fn read(path: &Path) -> Option<u16> {
    if !is_own(path.parent()?) {
        return None;
    }
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).ok()?;
    port_in(file)
}

fn port_in(file: File) -> Option<u16> {
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.uid() != uid() {
        return None;
    }
    let mut text = String::new();
    file.take(8).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_port_is_read_from_an_own_file_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("port");
        for (content, port) in
            [("4318\n", Some(4318)), ("0\n", None), ("99999\n", None), ("no", None), ("", None)]
        {
            fs::write(&file, content).unwrap();
            assert_eq!(port_in(File::open(&file).unwrap()), port, "{content:?}");
        }
    }

    #[test]
    fn a_symlink_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("real"), "4318\n").unwrap();
        symlink(inner.join("real"), inner.join("port")).unwrap();
        assert_eq!(read(&inner.join("port")), None);
        assert_eq!(read(&inner.join("real")), Some(4318));
        symlink(&inner, folder.path().join("link")).unwrap();
        assert_eq!(read(&folder.path().join("link/real")), None);
    }
}
