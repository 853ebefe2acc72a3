//! From what scenarios touched to an order of blocks.

use super::pages::Block;
use crate::sys::{
    arena::{HEADER, STORED},
    layout::{Layout, Lot, Reach},
};
use std::{cmp::Reverse, error::Error};

/// A large block is touched here and there: between the others it would lie in the way.
const LARGE: usize = 4096;

/// Which blocks come first: what the commands write to; large ones; what they read; what only those with an image write to, and
/// read; what nobody touches.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Written,
    Large,
    Read,
    ImageWritten,
    ImageRead,
    Cold,
}

/// A lot for each block, in the order of their making. `of_images` has a bit for each scenario with an image.
pub fn layout(blocks: &[Block], of_images: u32) -> Result<Layout, Box<dyn Error>> {
    let mut living: Vec<usize> = (0..blocks.len()).filter(|index| blocks[*index].lives()).collect();
    living.sort_by_key(|index| key(&blocks[*index], of_images));
    let mut layout = Layout { reach: Reach::default(), lots: Vec::new() };
    let mut offsets = vec![Lot::NOWHERE; blocks.len()];
    let mut end = 0;
    for index in living {
        offsets[index] = end;
        end += u32::try_from(blocks[index].bytes)?;
        match key(&blocks[index], of_images).0 {
            Group::Written => layout.reach.written = end,
            Group::Large | Group::Read => layout.reach.warm = end,
            Group::ImageWritten => layout.reach.image_written = end,
            Group::ImageRead => layout.reach.image = end,
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
fn key(block: &Block, of_images: u32) -> (Group, Reverse<(u32, u32)>) {
    let usual = Block { written: block.written & !of_images, read: block.read & !of_images, ..*block };
    let group = match (block, usual) {
        (Block { written: 0, read: 0, .. }, _) => Group::Cold,
        (Block { written: 0, .. } | Block { bytes: LARGE.., .. }, Block { written: 0, read: 0, .. }) => {
            Group::ImageRead
        }
        (_, Block { written: 0, read: 0, .. }) => Group::ImageWritten,
        (_, Block { bytes: LARGE.., .. }) => Group::Large,
        (_, Block { written: 0, .. }) => Group::Read,
        _ => Group::Written,
    };
    (group, Reverse((block.written.reverse_bits(), block.read.reverse_bits())))
}
