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

/// How far blocks reach, in the order in which they lie.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Reach {
    /// Those that commands write to.
    pub written: u32,
    /// Those that they touch at all.
    pub warm: u32,
    /// Those that only commands with an image write to.
    pub image_written: u32,
    /// Those that only these touch.
    pub image: u32,
}

pub struct Layout {
    pub reach: Reach,
    pub lots: Vec<Lot>,
}

impl Layout {
    /// As a file has it: pairs of numbers.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Reach { written, warm, image_written, image } = self.reach;
        let lots = self.lots.iter().map(|lot| [lot.offset, lot.bytes]);
        let pairs = [[written, warm], [image_written, image]].into_iter().chain(lots);
        pairs.flatten().flat_map(u32::to_le_bytes).collect()
    }

    /// None where it is no layout.
    #[must_use]
    pub fn from_bytes(file: &[u8]) -> Option<Self> {
        let (numbers, _) = file.as_chunks::<4>();
        let mut pairs = numbers.chunks_exact(2).map(|pair| (u32::from_le_bytes(pair[0]), u32::from_le_bytes(pair[1])));
        let ((written, warm), (image_written, image)) = (pairs.next()?, pairs.next()?);
        let reach = Reach { written, warm, image_written, image };
        Some(Self { reach, lots: pairs.map(|(offset, bytes)| Lot { offset, bytes }).collect() })
    }
}
