//! A blob on its way from a file or a registry, hashed as it passes.

use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const BUFFER: usize = 256 * 1024;

/// A piece of a file.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The file; read by position only, so threads may share it.
    pub file: Arc<File>,
    /// Where the piece starts.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

/// Where the bytes of a blob come from.
pub trait Supply: Send {
    /// How many there are.
    fn size(&self) -> u64;

    /// Some of the bytes from `at` on, at least one; called with what follows on the last call.
    fn read(&mut self, room: &mut [u8], at: u64) -> Result<usize>;
}

impl Supply for Extent {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, room: &mut [u8], at: u64) -> Result<usize> {
        loop {
            match self.file.read_at(room, self.offset + at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(format!("Cannot read: {error}"))),
                Ok(0) => return Err(Error::format("the file became shorter while it was read")),
                Ok(count) => return Ok(count),
            }
        }
    }
}

/// Reads a supply once, from its start to its end.
pub struct Blob {
    supply: Box<dyn Supply>,
    position: u64,
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
    hasher: Option<Hasher>,
    failure: Option<Error>,
    /// Nothing is read after a failure: a supply may have lost the bytes that it was about to give.
    failed: bool,
}

impl Blob {
    /// A reader of `supply`, with a hash over all that is read where one is wanted.
    pub fn new(supply: Box<dyn Supply>, algorithm: Option<Algorithm>) -> Self {
        let hasher = algorithm.map(Hasher::new);
        Self { supply, position: 0, buffer: vec![0; BUFFER], taken: 0, filled: 0, hasher, failure: None, failed: false }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Why reading failed; a decompressor in between would make something else of it.
    pub fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Reads what is left and returns the digest of everything.
    pub fn finish(&mut self) -> Result<Option<Digest>> {
        loop {
            self.taken = self.filled;
            match self.fill_buf() {
                Ok([]) => return Ok(self.hasher.take().map(Hasher::finish)),
                Ok(_) => {}
                Err(error) => return Err(self.take_failure().unwrap_or_else(|| Error::io(error.to_string()))),
            }
        }
    }

    fn refill(&mut self) -> Result<usize> {
        if self.failed {
            return Err(Error::io("reading has failed before"));
        }
        let left = usize::try_from(self.supply.size() - self.position).unwrap_or(usize::MAX);
        let most = left.min(self.buffer.len());
        let room = self.buffer.get_mut(..most).unwrap_or_default();
        if room.is_empty() {
            return Ok(0);
        }
        let count = self.supply.read(room, self.position)?;
        if let (Some(hasher), Some(bytes)) = (&mut self.hasher, room.get(..count)) {
            hasher.update(bytes);
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl BufRead for Blob {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.filled {
            self.filled = self.refill().map_err(|error| {
                let told = io::Error::other(error.message.clone());
                self.failed = true;
                self.failure = Some(error);
                told
            })?;
            self.taken = 0;
        }
        Ok(self.buffer.get(self.taken..self.filled).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.filled);
    }
}

impl Read for Blob {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at the second call, and then goes on behind what it has lost.
    struct Losing(u32);

    impl Supply for Losing {
        fn size(&self) -> u64 {
            4
        }

        fn read(&mut self, room: &mut [u8], _: u64) -> Result<usize> {
            self.0 += 1;
            if self.0 == 2 {
                return Err(Error::io("the disk is full"));
            }
            if let Some(byte) = room.first_mut() {
                *byte = b'x';
            }
            Ok(1)
        }
    }

    #[test]
    fn what_has_failed_is_not_read_further() {
        let mut blob = Blob::new(Box::new(Losing(0)), Some(Algorithm::Sha256));
        blob.read_exact(&mut [0; 1]).unwrap();
        assert!(blob.read_exact(&mut [0; 1]).is_err());
        assert_eq!(blob.take_failure().unwrap().message, "the disk is full");
        assert!(blob.finish().is_err());
        assert_eq!(blob.position(), 1);
    }
}
