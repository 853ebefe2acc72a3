//! From what scenarios touched to an order of blocks.

use super::pages::Block;
use crate::sys::{
    arena::{HEADER, STORED},
    layout::{Layout, Lot},
};
use std::{cmp::Reverse, error::Error};

/// A large block is touched here and there: between the others it would lie in the way.
const LARGE: usize = 4096;

/// Which blocks come first: what the commands write to; large ones; what they read; what nobody touches.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Written,
    Large,
    Read,
    Cold,
}

/// A lot for each block, in the order of their making.
pub fn layout(blocks: &[Block]) -> Result<Layout, Box<dyn Error>> {
    let mut living: Vec<usize> = (0..blocks.len()).filter(|index| blocks[*index].lives()).collect();
    living.sort_by_key(|index| key(&blocks[*index]));
    let mut layout = Layout { written: 0, warm: 0, lots: Vec::new() };
    let mut offsets = vec![Lot::NOWHERE; blocks.len()];
    let mut end = 0;
    for index in living {
        offsets[index] = end;
        end += u32::try_from(blocks[index].bytes)?;
        match key(&blocks[index]).0 {
            Group::Written => layout.written = end,
            Group::Large | Group::Read => layout.warm = end,
            Group::Cold => (),
        }
    }
    if end as usize + HEADER > STORED {
        return Err(format!("the heap has {end} bytes, the binary has room for {STORED}: see build.rs").into());
    }
    for (offset, block) in offsets.into_iter().zip(blocks) {
        layout.lots.push(Lot { offset, bytes: u32::try_from(block.bytes)? });
    }
    Ok(layout)
}

/// Blocks with a lower key come first: in each group what the first scenario writes to, what the next one writes to besides, and
/// so on; then in the same way what they read.
fn key(block: &Block) -> (Group, Reverse<(u32, u32)>) {
    let group = match block {
        Block { written: 0, read: 0, .. } => Group::Cold,
        Block { bytes: LARGE.., .. } => Group::Large,
        Block { written: 0, .. } => Group::Read,
        _ => Group::Written,
    };
    (group, Reverse((block.written.reverse_bits(), block.read.reverse_bits())))
}
