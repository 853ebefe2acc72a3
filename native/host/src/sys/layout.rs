//! Where the blocks of the stored heap lie: made by a rehearsal (bin/rehearse), used when the heap is stored. The engine
//! allocates in the same order each time that it runs the program's top level, so that a block is known by its number.

/// The place of one block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// In the arena's room.
    pub offset: u32,
    /// Header included.
    pub bytes: u32,
}

impl Lot {
    /// The offset of a block that does not outlive the top level, and so is not stored.
    pub const NOWHERE: u32 = u32::MAX;
}

/// The bytes of a file of lots.
#[must_use]
pub fn write(lots: &[Lot]) -> Vec<u8> {
    lots.iter().flat_map(|lot| [lot.offset.to_le_bytes(), lot.bytes.to_le_bytes()].concat()).collect()
}

#[must_use]
pub fn read(file: &[u8]) -> Vec<Lot> {
    let (numbers, _) = file.as_chunks::<4>();
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs
        .iter()
        .map(|[offset, bytes]| Lot { offset: u32::from_le_bytes(*offset), bytes: u32::from_le_bytes(*bytes) })
        .collect()
}
