//! A file whose lock says who is at something. It goes with the lock, so whoever gets one asks whether it still has its name.

use crate::error::{Context, Result};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fstat, open, statat, unlinkat};
use rustix::io::Errno;
use std::fs::File;

/// A locked file.
pub struct Lock {
    /// For what it may hold.
    pub file: File,
    /// Its name.
    pub path: String,
}

impl Lock {
    /// Opens and locks the file, and makes it where there is none; nothing while somebody else has it.
    pub fn take(path: &str) -> Result<Option<Self>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let opened = open(path, flags, Mode::RUSR | Mode::WUSR).doing(|| format!("Cannot open {path}"))?;
            match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Ok(None),
                locked => locked.doing(|| format!("Cannot lock {path}"))?,
            }
            // Who had it before may have removed it, and another one may have made a new one.
            let is = fstat(&opened).doing(|| format!("Cannot look at {path}"))?;
            let named = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
            if named.is_ok_and(|named| named.st_ino == is.st_ino && named.st_dev == is.st_dev) {
                return Ok(Some(Self { file: File::from(opened), path: path.to_owned() }));
            }
        }
    }

    /// Removes the file, and with it the lock.
    pub fn remove(self) {
        // What cannot be removed is swept.
        let _ = unlinkat(CWD, &self.path, AtFlags::empty());
    }
}
