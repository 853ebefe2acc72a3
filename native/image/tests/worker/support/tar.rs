//! A writer of tar archives that does as it is told, also where that is wrong.

const BLOCK: usize = 512;

/// An archive in the making.
#[derive(Clone, Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

/// A header in the making; every field can be set to anything.
#[derive(Clone)]
pub struct Header {
    block: [u8; BLOCK],
    checksum: bool,
}

impl Header {
    /// A ustar header for an entry of a kind, with a name of up to 100 bytes.
    pub fn new(flag: u8, name: &str) -> Self {
        let header = Self { block: [0; BLOCK], checksum: true };
        let mode = if flag == b'5' { 0o755 } else { 0o644 };
        header
            .field(0, name.as_bytes())
            .octal(100, 8, mode)
            .octal(108, 8, 0)
            .octal(116, 8, 0)
            .octal(124, 12, 0)
            .octal(136, 12, 1_700_000_000)
            .field(156, &[flag])
            .field(257, b"ustar\x0000")
    }

    /// Any bytes at any place.
    pub fn field(mut self, at: usize, bytes: &[u8]) -> Self {
        self.block[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// An octal number with its NUL.
    pub fn octal(self, at: usize, width: usize, number: u64) -> Self {
        self.field(at, format!("{number:0digits$o}\0", digits = width - 1).as_bytes())
    }

    pub fn mode(self, mode: u64) -> Self {
        self.octal(100, 8, mode)
    }

    pub fn owner(self, uid: u64, gid: u64) -> Self {
        self.octal(108, 8, uid).octal(116, 8, gid)
    }

    pub fn size(self, size: u64) -> Self {
        self.octal(124, 12, size)
    }

    pub fn mtime(self, seconds: u64) -> Self {
        self.octal(136, 12, seconds)
    }

    pub fn link(self, target: &str) -> Self {
        self.field(157, target.as_bytes())
    }

    pub fn device(self, major: u64, minor: u64) -> Self {
        self.octal(329, 8, major).octal(337, 8, minor)
    }

    /// Leaves the checksum wrong.
    pub fn unsigned(mut self) -> Self {
        self.checksum = false;
        self
    }

    fn finish(mut self) -> [u8; BLOCK] {
        self.block[148..156].fill(b' ');
        if self.checksum {
            let sum: u64 = self.block.iter().map(|&byte| u64::from(byte)).sum();
            self = self.field(148, format!("{sum:06o}\0 ").as_bytes());
        }
        self.block
    }
}

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// A header and, after it, data padded to whole blocks; the size is left as the header says.
    pub fn raw(mut self, header: Header, data: &[u8]) -> Self {
        self.bytes.extend_from_slice(&header.finish());
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// An entry, changed by `change`; the size is that of the data.
    pub fn entry(self, flag: u8, name: &str, data: &[u8], change: impl FnOnce(Header) -> Header) -> Self {
        let header = Header::new(flag, name).size(data.len() as u64);
        self.raw(change(header), data)
    }

    pub fn file(self, name: &str, data: &str) -> Self {
        self.entry(b'0', name, data.as_bytes(), |header| header)
    }

    pub fn dir(self, name: &str) -> Self {
        self.entry(b'5', name, b"", |header| header)
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, b"", |header| header.link(target))
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, b"", |header| header.link(target))
    }

    /// An extended header of records.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.extended(b'x', records)
    }

    /// An extended header of kind `x` or `g`.
    pub fn extended(self, flag: u8, records: &[(&str, &[u8])]) -> Self {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        self.entry(flag, "pax", &body, |header| header)
    }

    /// A long name (`L`) or link (`K`) of GNU tar.
    pub fn gnu_long(self, flag: u8, name: &str) -> Self {
        self.entry(flag, "././@LongLink", &[name.as_bytes(), b"\0"].concat(), |header| header)
    }

    /// The archive with its end.
    pub fn end(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 2 * BLOCK]);
        self.bytes
    }

    /// The archive without its end.
    pub fn unended(self) -> Vec<u8> {
        self.bytes
    }
}

/// One record of an extended header; its length counts itself.
pub fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// Makes the checksum of a block right again, as if it were a header.
pub fn sum(archive: &mut [u8], block: usize) {
    let Some(bytes) = archive.get_mut(block * BLOCK..(block + 1) * BLOCK) else { return };
    let mut header = Header { block: [0; BLOCK], checksum: true };
    header.block.copy_from_slice(bytes);
    bytes.copy_from_slice(&header.finish());
}
