//! The bytes of a blob that have arrived, in a file named after its digest: whoever is killed goes on from there the next
//! time, and whoever has the file locked is the only one that fetches the blob.

use crate::error::{Context, Result};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fstat, ftruncate, open, statat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// A locked file of arrived bytes.
pub struct Spool {
    file: File,
    path: String,
    length: u64,
}

impl Spool {
    /// Opens and locks the file, and makes it where there is none; nothing while somebody else has it.
    pub fn lock(path: &str) -> Result<Option<Self>> {
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
                let length = u64::try_from(is.st_size).unwrap_or(0);
                return Ok(Some(Self { file: File::from(opened), path: path.to_owned(), length }));
            }
        }
    }

    /// A file without a name in this directory.
    pub fn unnamed(directory: &str) -> Result<Self> {
        let file = File::from(unnamed(directory)?);
        Ok(Self { file, path: format!("a file in {directory}"), length: 0 })
    }

    /// How many bytes have arrived.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Some of them, from `at` on.
    pub fn read(&self, room: &mut [u8], at: u64) -> Result<usize> {
        let most = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX).min(room.len());
        self.file.read_at(room.get_mut(..most).unwrap_or_default(), at).doing(|| format!("Cannot read {}", self.path))
    }

    /// Takes in what follows.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, self.length).doing(|| format!("Cannot write {}", self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Forgets all bytes; the lock stays.
    pub fn empty(&mut self) -> Result<()> {
        self.length = 0;
        ftruncate(&self.file, 0).doing(|| format!("Cannot empty {}", self.path))
    }

    /// Removes the file, and with it the lock.
    pub fn remove(self) {
        // What cannot be removed is swept.
        let _ = unlinkat(CWD, &self.path, AtFlags::empty());
    }
}

/// A file that nobody else sees, and that goes with whoever has it open.
pub fn unnamed(directory: &str) -> Result<OwnedFd> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    open(directory, flags, Mode::RUSR | Mode::WUSR).doing(|| format!("Cannot create a file in {directory}"))
}
