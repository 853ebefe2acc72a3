//! The bytes of a blob that have arrived, in a file named after its digest: whoever is killed goes on from there the next
//! time, and whoever has the file locked is the only one that fetches the blob.

use super::lock::Lock;
use crate::error::{Context, Result};
use crate::source::archive;
use rustix::fs::{fstat, ftruncate};
use std::os::unix::fs::FileExt;

/// A locked file of arrived bytes.
pub struct Spool {
    lock: Lock,
    length: u64,
}

impl Spool {
    /// Opens and locks the file, and makes it where there is none; nothing while somebody else has it.
    pub fn lock(path: &str) -> Result<Option<Self>> {
        let Some(lock) = Lock::take(path)? else { return Ok(None) };
        let stat = fstat(&lock.file).doing(|| format!("Cannot look at {path}"))?;
        Ok(Some(Self { lock, length: u64::try_from(stat.st_size).unwrap_or(0) }))
    }

    /// A file without a name in this directory.
    pub fn unnamed(directory: &str) -> Result<Self> {
        let lock = Lock { file: archive::unnamed(directory)?, path: format!("a file in {directory}") };
        Ok(Self { lock, length: 0 })
    }

    /// How many bytes have arrived.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Some of them, from `at` on.
    pub fn read(&self, room: &mut [u8], at: u64) -> Result<usize> {
        let most = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX).min(room.len());
        let Lock { file, path } = &self.lock;
        file.read_at(room.get_mut(..most).unwrap_or_default(), at).doing(|| format!("Cannot read {path}"))
    }

    /// Takes in what follows.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let Lock { file, path } = &self.lock;
        file.write_all_at(bytes, self.length).doing(|| format!("Cannot write {path}"))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Forgets all bytes; the lock stays.
    pub fn empty(&mut self) -> Result<()> {
        self.length = 0;
        ftruncate(&self.lock.file, 0).doing(|| format!("Cannot empty {}", self.lock.path))
    }

    /// Removes the file, and with it the lock.
    pub fn remove(self) {
        self.lock.remove();
    }
}
