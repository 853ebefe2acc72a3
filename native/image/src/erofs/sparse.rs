//! Sparse files: in chunks, each of which is a hole, lies in the archive as it is, or was put together in the index.
//!
//! Chunks of one size are numbered through the file, so a huge file has large ones: the table is bounded, whatever an archive
//! claims. Data go where they belong only if a whole chunk of them lies in the archive; the others are copied into the index, in
//! which holes are holes of the host's file system.

use super::{BLOCK, HEAD, up};
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::stream::Input;
use crate::tar::{Reader, Sparse};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Chunks of the smallest size are a page: 4 KiB.
const SMALLEST_BITS: u8 = 12;
/// A file has at most so many: half a mebibyte of the index.
const MOST_CHUNKS: u64 = 1 << 16;

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Nowhere: it is all zeros.
    Hole,
    /// In the archive, from this byte on.
    Archive(u64),
    /// In the index, from this byte on.
    Index(u64),
}

/// A file in chunks.
#[derive(Debug)]
pub struct Chunks {
    /// Bytes of the file.
    pub size: u64,
    /// The size of a chunk, as a shift.
    pub bits: u8,
    /// All of them.
    pub table: Vec<Chunk>,
}

impl Chunks {
    /// All holes.
    fn new(size: u64) -> Self {
        let mut bits = SMALLEST_BITS;
        while size.div_ceil(1 << bits) > MOST_CHUNKS {
            bits += 1;
        }
        let count = usize::try_from(size.div_ceil(1 << bits)).unwrap_or(0);
        Self { size, bits, table: vec![Chunk::Hole; count] }
    }

    /// Bytes that it takes here.
    pub fn memory(&self) -> usize {
        self.table.len() * size_of::<Chunk>()
    }

    fn number(&self, at: u64) -> usize {
        usize::try_from(at >> self.bits).unwrap_or(usize::MAX)
    }

    /// The end of the chunk that begins at `start`.
    fn end(&self, start: u64) -> u64 {
        (start + (1 << self.bits)).min(self.size)
    }
}

/// The part of the index that has the data of files.
pub struct Area {
    /// The index in the making.
    pub file: File,
    /// Where it ends so far.
    pub end: u64,
}

impl Area {
    /// An empty one in an empty file.
    pub fn new(file: File) -> Self {
        Self { file, end: HEAD }
    }

    /// Takes in a file whose data come next in the archive.
    pub fn take<I: Input>(&mut self, sparse: &Sparse, data: &mut Reader<I>, limits: &Limits) -> Result<Chunks> {
        if sparse.size > limits.bytes {
            return Err(Error::limit(format!("the file has a size of {} bytes", sparse.size)));
        }
        let mut chunks = Chunks::new(sparse.size);
        for &(offset, length) in &sparse.map {
            // No reader needs to pass over more than this piece to know where a byte of it is.
            let place = data.position();
            let mut at = offset;
            while at < offset + length {
                let bytes = data.body()?;
                let start = at >> chunks.bits << chunks.bits;
                let end = chunks.end(start);
                let stop = end.min(offset + length);
                let most = usize::try_from(stop - at).unwrap_or(usize::MAX);
                let count = bytes.len().min(most);
                let lies = start.checked_sub(offset).map(|before| place + before);
                let whole = lies.filter(|lies| end <= offset + length && lies.is_multiple_of(BLOCK));
                let slot = chunks.number(at);
                if let Some(lies) = whole {
                    put(&mut chunks.table, slot, Chunk::Archive(lies))?;
                } else {
                    let home = self.home(&mut chunks, slot, end - start)?;
                    let part = bytes.get(..count).unwrap_or_default();
                    self.file.write_all_at(part, home + (at - start)).doing(|| "Cannot write a sparse file")?;
                }
                data.consume(count);
                at += count as u64;
            }
        }
        Ok(chunks)
    }

    /// Where in the index a chunk of `length` bytes is put together.
    fn home(&mut self, chunks: &mut Chunks, slot: usize, length: u64) -> Result<u64> {
        if let Some(Chunk::Index(home)) = chunks.table.get(slot) {
            return Ok(*home);
        }
        let home = self.end;
        self.end += up(length, BLOCK);
        put(&mut chunks.table, slot, Chunk::Index(home))?;
        Ok(home)
    }
}

fn put(table: &mut [Chunk], slot: usize, chunk: Chunk) -> Result<()> {
    let place = table.get_mut(slot).ok_or_else(|| Error::format("a sparse file has data behind its end"))?;
    *place = chunk;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_file_has_large_chunks() {
        for (size, bits, count) in [(0, 12, 0), (1, 12, 1), (1 << 28, 12, 1 << 16), (1 << 40, 24, 1 << 16)] {
            let chunks = Chunks::new(size);
            assert_eq!((chunks.bits, chunks.table.len()), (bits, count), "{size}");
        }
    }
}
