//! Writes the recipe while a layer is unpacked.

use super::{Hashed, RECIPE, Record};
use crate::error::{Context, Error, Result};
use crate::stream::Input;
use std::io::{BufWriter, Write};
use std::os::fd::OwnedFd;
use zstd::stream::write::Encoder;

/// Headers are alike: the fastest level makes a tenth of them, and the next ones hardly less.
const LEVEL: i32 = 1;
/// As much as is gathered for one record.
const LONGEST: usize = 64 * 1024;

/// An input that keeps all that passes but the content of files.
pub struct Recorder<I> {
    input: I,
    out: Encoder<'static, BufWriter<Hashed>>,
    literal: Vec<u8>,
    /// Bytes of content that are still to pass.
    content: u64,
    files: u64,
    length: u64,
    failure: Option<Error>,
}

/// What was recorded.
pub struct Recorded {
    /// Of the file, see `fingerprint::sum`.
    pub sum: String,
    /// Bytes of the archive.
    pub length: u64,
}

impl<I: Input> Recorder<I> {
    /// Of `input`, into the directory of a layer.
    pub fn new(input: I, layer: &OwnedFd) -> Result<Self> {
        let out = BufWriter::with_capacity(64 * 1024, Hashed::create(layer, RECIPE)?);
        let out = Encoder::new(out, LEVEL).doing(writing)?;
        let literal = Vec::with_capacity(2 * LONGEST);
        Ok(Self { input, out, literal, content: 0, files: 0, length: 0, failure: None })
    }

    /// Takes in all that is left of the input, and ends the recipe.
    pub fn finish(mut self) -> Result<Recorded> {
        loop {
            let count = self.fill()?.len();
            if count == 0 {
                break;
            }
            self.consume(count);
        }
        if self.content > 0 {
            return Err(crate::stream::truncated());
        }
        if !self.literal.is_empty() {
            self.write(b"", 0);
        }
        self.write(b"", 0);
        if let Some(error) = self.failure {
            return Err(error);
        }
        let mut out = self.out.finish().doing(writing)?;
        out.flush().doing(writing)?;
        Ok(Recorded { sum: out.get_ref().sum(), length: self.length })
    }

    /// A record of what was gathered and of so much of a file.
    fn write(&mut self, path: &[u8], data: u64) {
        let numbers = (u32::try_from(self.literal.len()), u16::try_from(path.len()));
        let (Ok(literal), Ok(length)) = numbers else {
            self.failure.get_or_insert_with(|| Error::limit("a path is too long for the recipe"));
            return;
        };
        let parts = [&Record { literal, path: length, data }.bytes()[..], path, &self.literal];
        match parts.iter().try_for_each(|part| self.out.write_all(part)) {
            Ok(()) => {}
            Err(error) => {
                self.failure.get_or_insert(Error::system(&error, writing()));
            }
        }
        self.literal.clear();
    }
}

fn writing() -> &'static str {
    "Cannot write the recipe"
}

impl<I: Input> Input for Recorder<I> {
    fn fill(&mut self) -> Result<&[u8]> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.input.fill(),
        }
    }

    fn consume(&mut self, count: usize) {
        let content = usize::try_from(self.content).unwrap_or(usize::MAX).min(count);
        self.content -= content as u64;
        self.length += count as u64;
        if content < count {
            match self.input.fill().map(|bytes| bytes.get(content..count)) {
                Ok(Some(bytes)) => self.literal.extend_from_slice(bytes),
                _ => self.failure = Some(crate::stream::truncated()),
            }
            if self.literal.len() >= LONGEST {
                self.write(b"", 0);
            }
        }
        self.input.consume(count);
    }

    fn refer(&mut self, path: &[u8], size: u64) -> Option<u64> {
        if size == 0 {
            return None;
        }
        self.write(path, size);
        self.content = size;
        self.files += 1;
        Some(self.files - 1)
    }
}
