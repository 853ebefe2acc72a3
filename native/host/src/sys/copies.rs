//! What a copy takes over from a file, besides its content.

use super::value::Fd;
use crate::calls;
use rustix::{
    fs::{self, AtFlags},
    io::Errno as Io,
};
use std::ffi::CString;

/// Neither a value nor a list of names can be larger: xattr(7).
const LARGEST_XATTR: usize = 65536;

calls! {
    /// Gives a file the times of another one of the same name: `utimensat(2)`. An empty path is for the descriptors themselves.
    fn copyTimes(from: Fd, to: Fd, path: CString) -> () {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let stat = fs::statat(from.get(), &path, flags)?;
        let times = fs::Timestamps {
            last_access: fs::Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec.cast_signed() },
            last_modification: fs::Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() },
        };
        let flags = if path.is_empty() { flags } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(fs::utimensat(to.get(), path, &times, flags)?)
    }

    /// Gives a file the extended attributes of another one, as far as its file system and privileges allow, but for those that
    /// mean something to overlayfs: xattr(7).
    fn copyXattrs(from: Fd, to: Fd) -> () {
        let (mut names, mut value) = (vec![0; LARGEST_XATTR], vec![0; LARGEST_XATTR]);
        let length = match fs::flistxattr(from.get(), &mut names) {
            Err(Io::OPNOTSUPP) => 0,
            length => length?,
        };
        for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
            if name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.") {
                continue;
            }
            let length = fs::fgetxattr(from.get(), name, &mut value)?;
            match fs::fsetxattr(to.get(), name, &value[..length], fs::XattrFlags::empty()) {
                Err(Io::OPNOTSUPP | Io::PERM) => {}
                set => set?,
            }
        }
        Ok(())
    }
}
