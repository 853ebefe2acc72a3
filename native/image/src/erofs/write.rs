//! The index, from its tree to its file.

use super::layout::{Layout, Tail};
use super::superblock::{self, Places};
use super::tree::Index;
use super::{HEAD, inode, up};
use crate::error::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

/// Writes what is missing in the index: all but the data of sparse files. The archive has `length` bytes and this hash.
pub fn write(index: &Index, length: u64, hash: &str) -> Result<()> {
    let layout = Layout::of(index)?;
    let metadata = up(index.area.end, HEAD);
    let places = Places { metadata, archive: metadata + layout.length, length };
    let head = superblock::encode(&layout, &places, hash)?;
    let file = &index.area.file;
    file.write_all_at(&head, 0).doing(|| "Cannot write the index")?;
    let mut sink = Sink::new(file, metadata)?;
    for placed in &layout.placed {
        sink.write(metadata + placed.at, &inode::encode(index, &layout, placed, &places)?)?;
    }
    for placed in &layout.placed {
        if let Tail::Blocks(at) = placed.tail {
            sink.write(metadata + at, &inode::tail(index, &layout, placed.id, index.node(placed.id)?))?;
        }
    }
    sink.write(places.archive, &[])?;
    sink.file.flush().doing(|| "Cannot write the index")
}

/// Writes one thing behind the other, with zeros between them.
struct Sink<'a> {
    file: BufWriter<&'a File>,
    at: u64,
}

impl<'a> Sink<'a> {
    fn new(mut file: &'a File, at: u64) -> Result<Self> {
        file.seek(SeekFrom::Start(at)).doing(|| "Cannot write the index")?;
        Ok(Self { file: BufWriter::with_capacity(256 * 1024, file), at })
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let gap = usize::try_from(at.saturating_sub(self.at)).unwrap_or(0);
        let written = self.file.write_all(&vec![0; gap]).and_then(|()| self.file.write_all(bytes));
        self.at = at + bytes.len() as u64;
        written.doing(|| "Cannot write the index")
    }
}
