//! Where the blocks of the stored heap lie: made by a rehearsal (rehearsal), used when the heap is stored. The engine
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

pub struct Layout {
    /// How far the blocks reach that commands write to, and those that they touch at all.
    pub written: u32,
    pub warm: u32,
    pub lots: Vec<Lot>,
}

impl Layout {
    /// As a file has it: pairs of numbers.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lots = self.lots.iter().map(|lot| [lot.offset, lot.bytes]);
        [[self.written, self.warm]].into_iter().chain(lots).flatten().flat_map(u32::to_le_bytes).collect()
    }

    /// None where it is no layout.
    #[must_use]
    pub fn from_bytes(file: &[u8]) -> Option<Self> {
        let (numbers, _) = file.as_chunks::<4>();
        let mut pairs = numbers.chunks_exact(2).map(|pair| (u32::from_le_bytes(pair[0]), u32::from_le_bytes(pair[1])));
        let (written, warm) = pairs.next()?;
        Some(Self { written, warm, lots: pairs.map(|(offset, bytes)| Lot { offset, bytes }).collect() })
    }
}
