//! Where everything goes in the index: inodes one after another, each with its attributes, and with what else it has if that is
//! short; behind them whole blocks, of long directories and links.

use super::tree::{Id, Index, Node, ROOT, What};
use super::xattr;
use super::{BLOCK, INODE, SLOT, tar, up};
use crate::error::Result;

/// `erofs_dirent`, in front of the names of a block.
pub const DIRENT: usize = 12;

/// What an inode has besides its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing in the index.
    None,
    /// The names of a directory, or where a link leads to, right behind it.
    Inline,
    /// The same in blocks of its own, from this byte of the metadata on.
    Blocks(u64),
    /// The chunks of a sparse file behind it.
    Chunks,
}

/// An inode and its place.
pub struct Placed {
    /// Which.
    pub id: Id,
    /// Where it begins in the metadata.
    pub at: u64,
    /// See [`Tail`].
    pub tail: Tail,
}

/// The metadata of an index.
pub struct Layout {
    /// Inodes in their order, the root first.
    pub placed: Vec<Placed>,
    /// How long all is.
    pub length: u64,
    numbers: Vec<u64>,
}

impl Layout {
    /// Gives everything its place.
    pub fn of(index: &Index) -> Result<Self> {
        // Number 0 is nobody's: readdir(3) passes over it.
        let mut layout = Self { placed: Vec::new(), length: INODE, numbers: vec![0; index.nodes.len()] };
        let mut ahead = vec![ROOT];
        while let Some(id) = ahead.pop() {
            if layout.number(id) != 0 {
                continue;
            }
            layout.place(index, id)?;
            let children: Vec<Id> = index.children(id).map(|(_, child)| child).collect();
            ahead.extend(children.into_iter().rev());
        }
        layout.length = up(layout.length, BLOCK);
        for placed in &mut layout.placed {
            if let Tail::Blocks(at) = &mut placed.tail {
                let length = up(*at, BLOCK);
                *at = layout.length;
                layout.length += length;
            }
        }
        layout.length = up(layout.length, super::HEAD);
        Ok(layout)
    }

    /// The number of an inode: its place.
    pub fn number(&self, id: Id) -> u64 {
        self.numbers.get(id as usize).copied().unwrap_or(0)
    }

    fn place(&mut self, index: &Index, id: Id) -> Result<()> {
        let node = index.node(id)?;
        let described = INODE + xattr::encode(&node.attributes.xattrs)?.len() as u64;
        let (tail, length) = match &node.what {
            What::Sparse(chunks) => (Tail::Chunks, up(described, 8) + 8 * chunks.table.len() as u64),
            _ => match tail_length(index, id, node) {
                0 => (Tail::None, described),
                // The kernel takes what is inline out of one block.
                length if described + length <= BLOCK => (Tail::Inline, described + length),
                // Its length for now: where it goes is known when all inodes have their places.
                length => (Tail::Blocks(length), described),
            },
        };
        let together = if tail == Tail::Inline { length } else { INODE };
        let mut at = up(self.length, SLOT);
        if at % BLOCK + together > BLOCK {
            at = up(at, BLOCK);
        }
        self.length = at + length;
        self.placed.push(Placed { id, at, tail });
        if let Some(number) = self.numbers.get_mut(id as usize) {
            *number = at / SLOT;
        }
        Ok(())
    }
}

/// Bytes of a directory's names, or of where a link leads to; 0 for all else.
pub fn tail_length(index: &Index, id: Id, node: &Node) -> u64 {
    match &node.what {
        What::Directory => {
            let names = names_of(index, id, node.parent);
            let blocks = in_blocks(&names);
            let last = blocks.last().map_or(0, |block| block.iter().map(|(name, _)| DIRENT + name.len()).sum());
            (blocks.len() as u64).saturating_sub(1) * BLOCK + last as u64
        }
        What::Link(target) => target.len() as u64,
        _ => 0,
    }
}

/// All names of a directory in their order, with itself and the one that it is in.
pub fn names_of(index: &Index, id: Id, parent: Id) -> Vec<(&[u8], Id)> {
    let mut names: Vec<(&[u8], Id)> =
        [(&b"."[..], id), (b"..", parent)].into_iter().chain(index.children(id)).collect();
    names.sort_unstable_by_key(|(name, _)| *name);
    names
}

/// As many in each block as there is room for.
pub fn in_blocks<'a, 'b>(names: &'b [(&'a [u8], Id)]) -> Vec<&'b [(&'a [u8], Id)]> {
    let (mut blocks, mut start, mut filled) = (Vec::new(), 0, 0);
    for (at, (name, _)) in names.iter().enumerate() {
        let length = DIRENT + name.len();
        if filled + length > tar::BLOCK {
            blocks.extend(names.get(start..at));
            (start, filled) = (at, 0);
        }
        filled += length;
    }
    blocks.extend(names.get(start..).filter(|rest| !rest.is_empty()));
    blocks
}
