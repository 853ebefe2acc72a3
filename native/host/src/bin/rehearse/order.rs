//! From what scenarios touched to an order of blocks.

use super::pages::Block;
use std::{cmp::Reverse, error::Error};
use tsrun_host::sys::{
    arena::{HEADER, STORED},
    layout::Lot,
};

const LARGE: usize = 4096;

/// A lot for each block, in the order of their making.
pub fn lots(blocks: &[Block]) -> Result<Vec<Lot>, Box<dyn Error>> {
    let mut living: Vec<usize> = (0..blocks.len()).filter(|index| blocks[*index].lives()).collect();
    living.sort_by_key(|index| key(&blocks[*index]));
    let mut offsets = vec![Lot::NOWHERE; blocks.len()];
    let mut end = 0;
    for index in living {
        offsets[index] = u32::try_from(end)?;
        end += blocks[index].bytes;
    }
    if end + HEADER > STORED {
        return Err(format!("the heap has {end} bytes, the binary has room for {STORED}: see arena.rs").into());
    }
    let lot = |(offset, block): (u32, &Block)| Ok(Lot { offset, bytes: u32::try_from(block.bytes)? });
    offsets.into_iter().zip(blocks).map(lot).collect()
}

/// Blocks with a lower key come first: what the first scenario writes to, what the next one writes to besides, and so on, then
/// in the same way what they read. A large block is touched here and there, and would lie between others that are.
fn key(block: &Block) -> (bool, Reverse<(u32, u32)>) {
    (block.bytes >= LARGE, Reverse((block.written.reverse_bits(), block.read.reverse_bits())))
}
