//! An archive that comes from elsewhere, of a size that is not known, perhaps compressed.

use super::Input;
use super::blob::{Blob, Supply};
use super::decode::Decoder;
use crate::error::{Context, Result};
use crate::limits::Limits;
use std::fs::File;
use std::io::{ErrorKind, Read};

const BUFFER: usize = 256 * 1024;

/// What comes on an open file, decompressed.
pub struct Incoming<'a> {
    decoder: Decoder,
    buffer: Vec<u8>,
    taken: usize,
    filled: usize,
    total: u64,
    limits: &'a Limits,
}

impl<'a> Incoming<'a> {
    /// Reads `file` from where it is.
    pub fn new(file: File, limits: &'a Limits) -> Result<Self> {
        let decoder = Decoder::new(Blob::new(Box::new(Stream(file)), None))?;
        Ok(Self { decoder, buffer: vec![0; BUFFER], taken: 0, filled: 0, total: 0, limits })
    }

    /// Takes in all that is left.
    pub fn drain(&mut self) -> Result<()> {
        loop {
            let count = self.fill()?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume(count);
        }
    }
}

impl Input for Incoming<'_> {
    fn fill(&mut self) -> Result<&[u8]> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, self.decoder.read_full(&mut self.buffer)?);
            self.total += self.filled as u64;
            self.limits.check_growth(self.decoder.blob().position(), self.total)?;
        }
        Ok(self.buffer.get(self.taken..self.filled).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.filled);
    }
}

struct Stream(File);

impl Supply for Stream {
    fn size(&self) -> u64 {
        u64::MAX
    }

    fn read(&mut self, room: &mut [u8], _at: u64) -> Result<usize> {
        loop {
            match self.0.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.doing(|| "Cannot read the archive"),
            }
        }
    }
}
