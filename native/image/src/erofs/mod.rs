//! A layer as its archive and an EROFS file system of its names only, whose files lie in the archive: `tar` and `erofs`.
//!
//! Blocks are of 512 bytes, as in tar, so that the data of every file begin with a block. The archive is the second device of the
//! file system; its blocks are numbered after those of the first one, the index. The same archive gives the same index.
//! Reference: kernel, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h, which is the on-disk format.

mod acl;
pub mod check;
mod inode;
mod layout;
pub mod mount;
mod sparse;
mod superblock;
mod tree;
mod write;
mod xattr;

use crate::tar;
pub use tree::Index;
pub use write::write;

/// The index's name in the directory of a layer.
pub const INDEX: &str = "erofs";
/// The archive's name.
pub const ARCHIVE: &str = "tar";

/// Bytes of a block.
const BLOCK: u64 = tar::BLOCK as u64;
/// The same as a shift.
const BLOCK_BITS: u8 = 9;
/// What comes first in the index, before the data of sparse files.
const HEAD: u64 = HEAD_SIZE as u64;
const HEAD_SIZE: usize = 4096;
/// Inodes are numbered by their places, in units of this.
const SLOT: u64 = 32;
/// An extended inode: with 64 bits for sizes and times, and 32 for owners.
const INODE: u64 = INODE_SIZE as u64;
const INODE_SIZE: usize = 64;

/// Rounds up to a multiple of `unit`, a power of two.
const fn up(value: u64, unit: u64) -> u64 {
    value.next_multiple_of(unit)
}
