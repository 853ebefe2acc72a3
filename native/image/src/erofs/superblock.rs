//! `erofs_super_block`, and behind it an `erofs_deviceslot` for the archive.

use super::layout::Layout;
use super::tree::ROOT;
use super::{BLOCK, BLOCK_BITS, HEAD_SIZE};
use crate::error::{Error, Result};

const MAGIC: u32 = 0xe0f5_e1e2;
/// Where the kernel looks for it; before it is room for a boot loader.
const AT: usize = 1024;
/// The table of devices is right behind it.
const SLOT: usize = 128;
/// Features that a kernel must know: files in chunks, and a table of devices.
const FEATURES: u32 = 0x4 | 0x8;
/// Hexadecimal digits of a slot's tag, which is for the hash of what the device holds.
const TAG: usize = 64;

/// Where things are, in bytes, and how long the archive is.
pub struct Places {
    /// Inodes begin here.
    pub metadata: u64,
    /// The index ends here, and the archive begins.
    pub archive: u64,
    /// Bytes of the archive.
    pub length: u64,
}

/// The index up to the data of sparse files. `hash` is that of the archive, in hexadecimal digits.
pub fn encode(layout: &Layout, places: &Places, hash: &str) -> Result<Vec<u8>> {
    let blocks = |bytes: u64| {
        let count = u32::try_from(bytes.div_ceil(BLOCK));
        count.map_err(|_| Error::limit("it is larger than an EROFS file system of such blocks can be"))
    };
    blocks(places.archive + places.length)?;
    let mut bytes = vec![0; HEAD_SIZE];
    let mut put = |at: usize, value: &[u8]| {
        if let Some(room) = bytes.get_mut(at..at + value.len()) {
            room.copy_from_slice(value);
        }
    };
    let root = u16::try_from(layout.number(ROOT)).map_err(|_| Error::format("the root has no place"))?;
    put(AT, &MAGIC.to_le_bytes());
    put(AT + 12, &[BLOCK_BITS]);
    put(AT + 14, &root.to_le_bytes());
    put(AT + 16, &(layout.placed.len() as u64).to_le_bytes());
    put(AT + 36, &blocks(places.archive)?.to_le_bytes());
    put(AT + 40, &blocks(places.metadata)?.to_le_bytes());
    put(AT + 80, &FEATURES.to_le_bytes());
    put(AT + 86, &1_u16.to_le_bytes());
    put(AT + 88, &u16::try_from((AT + SLOT) / SLOT).unwrap_or(0).to_le_bytes());
    let tag = hash.as_bytes();
    put(AT + SLOT, tag.get(..TAG).unwrap_or(tag));
    put(AT + SLOT + TAG, &blocks(places.length)?.to_le_bytes());
    put(AT + SLOT + TAG + 4, &blocks(places.archive)?.to_le_bytes());
    Ok(bytes)
}
