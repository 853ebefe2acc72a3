//! `erofs_inode_extended`, and what it says of a file's data.

use super::layout::{DIRENT, Layout, Placed, Tail, in_blocks, names_of, tail_length};
use super::sparse::{Chunk, Chunks};
use super::superblock::Places;
use super::tree::{Id, Index, Node, What};
use super::{BLOCK, BLOCK_BITS, INODE_SIZE, tar, xattr};
use crate::error::{Error, Result};

/// Data in one piece.
const PLAIN: u16 = 0;
/// Data behind the inode.
const INLINE: u16 = 2;
/// Data in chunks.
const CHUNKS: u16 = 4;
/// A chunk has eight bytes, which name its device too.
const WITH_DEVICES: u32 = 0x20;
/// The archive among the devices; the index is 0.
const ARCHIVE: u16 = 1;
const NO_BLOCK: u32 = u32::MAX;

/// The inode, its attributes, and its tail where that is behind it.
pub fn encode(index: &Index, layout: &Layout, placed: &Placed, parts: &Places) -> Result<Vec<u8>> {
    let node = index.node(placed.id)?;
    let attributes = &node.attributes;
    let xattrs = xattr::encode(&attributes.xattrs)?;
    let (kind, size, data) = described(index, placed, node, parts)?;
    let form = match placed.tail {
        Tail::Inline => INLINE,
        Tail::Chunks => CHUNKS,
        Tail::None | Tail::Blocks(_) => PLAIN,
    };
    let mut bytes = Vec::with_capacity(tar::BLOCK);
    bytes.extend((form << 1 | 1).to_le_bytes());
    bytes.extend(xattr::count(xattrs.len()).to_le_bytes());
    bytes.extend(u16::try_from(kind | attributes.mode & 0o7777).unwrap_or(0).to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(size.to_le_bytes());
    bytes.extend(data.to_le_bytes());
    // What 32-bit programs are told, which have no room for the number.
    bytes.extend(u32::try_from(layout.number(placed.id)).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(attributes.uid.to_le_bytes());
    bytes.extend(attributes.gid.to_le_bytes());
    bytes.extend(attributes.mtime.seconds.to_le_bytes());
    bytes.extend(attributes.mtime.nanoseconds.to_le_bytes());
    bytes.extend(links(index, placed.id, node).to_le_bytes());
    bytes.resize(INODE_SIZE, 0);
    bytes.extend(xattrs);
    match (&placed.tail, &node.what) {
        (Tail::Inline, _) => bytes.extend(tail(index, layout, placed.id, node)),
        (Tail::Chunks, What::Sparse(chunks)) => {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend(table(chunks)?);
        }
        _ => {}
    }
    Ok(bytes)
}

/// Kind, size, and where the data are or what device it is.
fn described(index: &Index, placed: &Placed, node: &Node, parts: &Places) -> Result<(u32, u64, u32)> {
    Ok(match &node.what {
        What::Directory | What::Link(_) => {
            let kind = if matches!(node.what, What::Directory) { 0o040_000 } else { 0o120_000 };
            let data = if let Tail::Blocks(at) = placed.tail { block(parts.metadata + at)? } else { 0 };
            (kind, tail_length(index, placed.id, node), data)
        }
        What::File { size: 0, .. } => (0o100_000, 0, 0),
        What::File { offset, size } => (0o100_000, *size, block(parts.archive + offset)?),
        What::Sparse(chunks) => {
            (0o100_000, chunks.size, u32::from(chunks.bits.saturating_sub(BLOCK_BITS)) | WITH_DEVICES)
        }
        What::Char(major, minor) => (0o020_000, 0, device(*major, *minor)),
        What::Block(major, minor) => (0o060_000, 0, device(*major, *minor)),
        What::Fifo => (0o010_000, 0, 0),
    })
}

/// The kernel's `new_encode_dev`.
fn device(major: u32, minor: u32) -> u32 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

/// A directory has a name in the one above, one in itself and one in each below.
fn links(index: &Index, id: Id, node: &Node) -> u32 {
    if !matches!(node.what, What::Directory) {
        return node.links;
    }
    let below = index.children(id).filter(|(_, id)| matches!(index.node(*id), Ok(Node { what: What::Directory, .. })));
    u32::try_from(below.count()).unwrap_or(u32::MAX).saturating_add(2)
}

/// `erofs_inode_chunk_index` for each chunk.
fn table(chunks: &Chunks) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(8 * chunks.table.len());
    for chunk in &chunks.table {
        let (device, at) = match chunk {
            Chunk::Hole => (0, NO_BLOCK),
            Chunk::Archive(at) => (ARCHIVE, block(*at)?),
            Chunk::Index(at) => (0, block(*at)?),
        };
        bytes.extend([0; 2]);
        bytes.extend(device.to_le_bytes());
        bytes.extend(at.to_le_bytes());
    }
    Ok(bytes)
}

fn block(at: u64) -> Result<u32> {
    let number = u32::try_from(at / BLOCK).ok().filter(|&number| number != NO_BLOCK);
    number.ok_or_else(|| Error::limit("it is larger than an EROFS file system of such blocks can be"))
}

/// The names of a directory in blocks, or where a link leads to.
pub fn tail(index: &Index, layout: &Layout, id: Id, node: &Node) -> Vec<u8> {
    if let What::Link(target) = &node.what {
        return target.clone();
    }
    let mut bytes = Vec::new();
    for names in in_blocks(&names_of(index, id, node.parent)) {
        bytes.resize(bytes.len().next_multiple_of(tar::BLOCK), 0);
        let mut offset = DIRENT * names.len();
        for (name, id) in names {
            bytes.extend(layout.number(*id).to_le_bytes());
            bytes.extend(u16::try_from(offset).unwrap_or(0).to_le_bytes());
            bytes.extend([index.node(*id).map_or(0, |node| file_type(&node.what)), 0]);
            offset += name.len();
        }
        for (name, _) in names {
            bytes.extend_from_slice(name);
        }
    }
    bytes
}

/// The numbers of include/linux/fs_types.h.
fn file_type(what: &What) -> u8 {
    match what {
        What::File { .. } | What::Sparse(_) => 1,
        What::Directory => 2,
        What::Char(..) => 3,
        What::Block(..) => 4,
        What::Fifo => 5,
        What::Link(_) => 7,
    }
}
