//! A reader of tar archives: ustar, GNU and PAX, as POSIX.1-2024 (pax) and the GNU tar manual describe them.
//!
//! It only parses. Where two readers of tar have disagreed on what an archive holds, one of them was attacked
//! (CVE-2025-62518, RUSTSEC-2026-0066 and others), so what is ambiguous is refused.

mod header;
mod pax;
mod reader;
mod sparse;
mod writer;

pub use reader::Reader;
pub use writer::{END, head, padding};

/// The unit of a tar archive.
pub const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, sparse or not.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to `link`.
    Symlink,
    /// Another name for the entry `link`.
    HardLink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
}

/// A point in time, exact to the nanosecond; `nanoseconds` counts upwards also before 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Since 1970.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
}

/// Where the data of a sparse file belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse {
    /// Offset and length of each piece, ascending, without overlap.
    pub map: Vec<(u64, u64)>,
    /// The size of the file with its holes.
    pub size: u64,
}

/// One entry, with every extended header applied.
#[derive(Clone, Debug)]
pub struct Entry {
    /// See [`Kind`].
    pub kind: Kind,
    /// The name as written; see `name::clean`.
    pub path: Vec<u8>,
    /// The target of a link as written.
    pub link: Vec<u8>,
    /// Permissions, set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Time,
    /// Bytes of data that follow in the archive.
    pub size: u64,
    /// For a sparse file, where they belong.
    pub sparse: Option<Sparse>,
    /// For a device, its number.
    pub device: (u32, u32),
    /// Extended attributes: name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// One of root's about which nothing is known yet.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            path: Vec::new(),
            link: Vec::new(),
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            size: 0,
            sparse: None,
            device: (0, 0),
            xattrs: Vec::new(),
        }
    }
}
