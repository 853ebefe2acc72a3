//! The archive of a layer again, byte by byte: so that an image can leave the store, and has the same id elsewhere.
//!
//! A layer is kept unpacked. All of its archive that is not the content of a file in `fs` (headers, padding, what follows the
//! end) is in `recipe`, compressed by zstd: records of three little-endian numbers, how many bytes there are as they are (u32),
//! how long the path of a file is (u16) and how many bytes that has (u64), and then the path and the bytes. The archive goes on
//! with the bytes, and then with the file. A record of zeros is the last one. The content of a file that the layer itself replaces or removes later is in `kept`, under the number
//! that the file has among those of the recipe: number and size (u64 each), and the content.
//!
//! Nothing about the archive is understood here but where the content of files is, so any archive that was unpacked comes back.

pub mod archive;
pub mod compress;
pub mod kept;
pub mod recorder;
pub mod request;

use crate::error::{Context, Result};
use crate::fingerprint::sum::Summing;
use rustix::fs::{Mode, OFlags, openat};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

/// The name of the recipe, beside `fs`.
pub const RECIPE: &str = "recipe";
/// The name of what is kept besides.
pub const KEPT: &str = "kept";

/// The numbers of a record.
const NUMBERS: usize = 14;

/// The three numbers before each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// Bytes that are in the recipe.
    literal: u32,
    /// Bytes of the path.
    path: u16,
    /// Bytes of the file; 0 where there is none.
    data: u64,
}

impl Record {
    fn bytes(self) -> [u8; NUMBERS] {
        let mut bytes = [0; NUMBERS];
        let (literal, rest) = bytes.split_at_mut(4);
        let (path, data) = rest.split_at_mut(2);
        literal.copy_from_slice(&self.literal.to_le_bytes());
        path.copy_from_slice(&self.path.to_le_bytes());
        data.copy_from_slice(&self.data.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (literal, rest) = bytes.split_first_chunk()?;
        let (path, rest) = rest.split_first_chunk()?;
        let data = rest.first_chunk()?;
        Some(Self {
            literal: u32::from_le_bytes(*literal),
            path: u16::from_le_bytes(*path),
            data: u64::from_le_bytes(*data),
        })
    }
}

/// A file beside `fs`, summed while it is written, as the files of the layer.
struct Hashed {
    file: File,
    summing: Summing,
}

impl Hashed {
    /// Makes the file `name` in the directory of a layer.
    fn create(layer: &OwnedFd, name: &str) -> Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(layer, name, flags, Mode::from_raw_mode(0o644)).doing(|| format!("Cannot create {name}"))?;
        Ok(Self { file: File::from(file), summing: Summing::default() })
    }

    fn sum(&self) -> String {
        self.summing.sum().hex()
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.summing.add(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record { literal: 1536, path: 4095, data: 1 << 40 };
        assert_eq!(Record::parse(&record.bytes()), Some(record));
    }
}
