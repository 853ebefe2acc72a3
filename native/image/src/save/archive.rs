//! A writer of tar archives: POSIX.1-2024 (pax), "ustar Interchange Format" and "pax Extended Header". Nothing in an archive
//! tells when and by whom it was written.

use crate::error::{Context, Result};
use crate::tar::BLOCK;
use std::collections::BTreeSet;
use std::io::Write;

/// What a ustar header has room for.
const LONGEST_NAME: usize = 100;
const LARGEST: u64 = 0o777_7777_7777;

/// An archive in the making.
pub struct Writer<W: Write> {
    out: W,
    directories: BTreeSet<String>,
}

impl<W: Write> Writer<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, directories: BTreeSet::new() }
    }

    /// Begins a file: its bytes go to [`Self::out`], and then [`Self::pad`] ends it. The directories that it is in come first.
    pub fn begin(&mut self, name: &str, size: u64) -> Result<()> {
        for (at, _) in name.match_indices('/') {
            let directory = name.get(..=at).unwrap_or_default();
            if self.directories.insert(directory.to_owned()) {
                self.header(b'5', 0o755, directory, 0)?;
            }
        }
        self.header(b'0', 0o644, name, size)
    }

    /// Where the bytes of a file go.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends a file of so many bytes.
    pub fn pad(&mut self, size: u64) -> Result<()> {
        let rest = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0);
        self.write([0; BLOCK].get(..rest).unwrap_or_default())
    }

    /// Ends the archive: two blocks of zeros.
    pub fn finish(mut self) -> Result<()> {
        self.write(&[0; 2 * BLOCK])?;
        self.out.flush().doing(|| "Cannot write")
    }

    fn header(&mut self, flag: u8, mode: u32, name: &str, size: u64) -> Result<()> {
        let mut records = Vec::new();
        if name.len() > LONGEST_NAME {
            records.extend(record("path", name));
        }
        if size > LARGEST {
            records.extend(record("size", &size.to_string()));
        }
        if !records.is_empty() {
            let length = records.len() as u64;
            self.write(&block(b'x', 0o644, "pax", length))?;
            self.write(&records)?;
            self.pad(length)?;
        }
        self.write(&block(flag, mode, name, size))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).doing(|| "Cannot write")
    }
}

/// A header; what does not fit is in an extended one.
fn block(flag: u8, mode: u32, name: &str, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = block.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, name.as_bytes().get(..LONGEST_NAME.min(name.len())).unwrap_or_default());
    put(100, format!("{mode:07o}\0").as_bytes());
    // Owner and group, both root.
    put(108, b"0000000\x000000000\0");
    put(124, format!("{:011o}\0", size.min(LARGEST)).as_bytes());
    // The time, and the checksum while it is made.
    put(136, b"00000000000\0        ");
    put(156, &[flag]);
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let digits = (1..20).find(|digits| (rest + digits).to_string().len() == *digits).unwrap_or(1);
    format!("{} {key}={value}\n", rest + digits).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::{Kind, Reader};

    #[test]
    fn names_and_sizes_of_any_length_are_read_as_they_were_written() {
        let long = format!("blobs/sha512/{}", "a".repeat(128));
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        for (name, size) in [("short", 3), (long.as_str(), 3), ("large", 1 << 40)] {
            writer.begin(name, size).unwrap();
            writer.out().extend_from_slice(b"abc");
            writer.pad(3).unwrap();
        }
        let mut reader = Reader::new(bytes.as_slice());
        let mut seen = Vec::new();
        while let Ok(Some(entry)) = reader.next_entry() {
            seen.push((String::from_utf8(entry.path).unwrap(), entry.size, entry.kind));
        }
        let directory = |name: &str| (name.to_owned(), 0, Kind::Directory);
        let file = |name: &str, size| (name.to_owned(), size, Kind::File);
        let expected =
            [file("short", 3), directory("blobs/"), directory("blobs/sha512/"), file(&long, 3), file("large", 1 << 40)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_length_of_a_record_counts_itself() {
        assert_eq!(record("path", "a"), b"9 path=a\n");
        assert_eq!(record("path", "ab"), b"11 path=ab\n");
        assert_eq!(record("path", &"a".repeat(91)).len(), 101);
    }
}
