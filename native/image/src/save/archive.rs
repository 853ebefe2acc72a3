//! A writer of tar archives: POSIX.1-2024 (pax), "ustar Interchange Format" and "pax Extended Header". Nothing in an archive
//! tells when and by whom it was written.

use crate::error::{Context, Result};
use crate::tar::BLOCK;
use std::collections::BTreeSet;
use std::io::{Seek, SeekFrom, Write};

/// What a ustar header has room for.
const LONGEST_NAME: usize = 100;
const LARGEST: u64 = 0o777_7777_7777;

/// An archive in the making.
pub struct Writer<W: Write> {
    out: W,
    directories: BTreeSet<String>,
}

/// A file in the making: its name, and where its header goes if that has to wait for its size.
pub struct Begun(String, Option<u64>);

impl<W: Write + Seek> Writer<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, directories: BTreeSet::new() }
    }

    /// Begins a file: its bytes go to [`Self::out`], and then [`Self::end`] ends it. The directories that it is in come first.
    /// Where its size is not known yet, `out` must be able to go back.
    pub fn begin(&mut self, name: &str, size: Option<u64>) -> Result<Begun> {
        for (at, _) in name.match_indices('/') {
            let directory = name.get(..=at).unwrap_or_default();
            if self.directories.insert(directory.to_owned()) {
                self.long_name(directory)?;
                self.write(&block(b'5', 0o755, directory, 0))?;
            }
        }
        self.long_name(name)?;
        let at = match size {
            Some(_) => None,
            None => Some(self.out.stream_position().doing(|| "Cannot write")?),
        };
        self.write(&block(b'0', 0o644, name, size.unwrap_or(0)))?;
        Ok(Begun(name.to_owned(), at))
    }

    /// Ends a file of so many bytes.
    pub fn end(&mut self, Begun(name, waiting): Begun, size: u64) -> Result<()> {
        self.pad(size)?;
        let Some(at) = waiting else { return Ok(()) };
        let end = self.out.stream_position().doing(|| "Cannot write")?;
        self.out.seek(SeekFrom::Start(at)).doing(|| "Cannot write")?;
        self.write(&block(b'0', 0o644, &name, size))?;
        self.out.seek(SeekFrom::Start(end)).doing(|| "Cannot write").map(|_| ())
    }

    /// Where the bytes of a file go.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let rest = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0);
        self.write([0; BLOCK].get(..rest).unwrap_or_default())
    }

    /// Ends the archive: two blocks of zeros.
    pub fn finish(mut self) -> Result<()> {
        self.write(&[0; 2 * BLOCK])?;
        self.out.flush().doing(|| "Cannot write")
    }

    /// Says a name that a header has no room for before it.
    fn long_name(&mut self, name: &str) -> Result<()> {
        if name.len() <= LONGEST_NAME {
            return Ok(());
        }
        let record = record("path", name);
        let length = record.len() as u64;
        self.write(&block(b'x', 0o644, "pax", length))?;
        self.write(&record)?;
        self.pad(length)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).doing(|| "Cannot write")
    }
}

/// A header; of a name that does not fit, its beginning.
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
    put(124, &size_field(size));
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

/// Octal digits; and where there is no room for them the number itself, with the highest bit set, which all readers know (GNU tar,
/// "Extensions to the archive format").
fn size_field(size: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if size <= LARGEST {
        field.copy_from_slice(format!("{size:011o}\0").as_bytes());
    } else {
        let [first, _, _, _, rest @ ..] = &mut field;
        *first = 0x80;
        *rest = size.to_be_bytes();
    }
    field
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
    use std::io::Cursor;

    #[test]
    fn names_and_sizes_of_any_length_are_read_as_they_were_written() {
        let long = format!("blobs/sha512/{}", "a".repeat(128));
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = Writer::new(&mut bytes);
        for (name, size) in [("short", Some(3)), (long.as_str(), Some(3)), ("later", None), ("large", Some(1 << 40))] {
            let begun = writer.begin(name, size).unwrap();
            writer.out().write_all(b"abc").unwrap();
            writer.end(begun, 3).unwrap();
        }
        let mut reader = Reader::new(bytes.get_ref().as_slice());
        let mut seen = Vec::new();
        while let Ok(Some(entry)) = reader.next_entry() {
            seen.push((String::from_utf8(entry.path).unwrap(), entry.size, entry.kind));
        }
        let directory = |name: &str| (name.to_owned(), 0, Kind::Directory);
        let file = |name: &str, size| (name.to_owned(), size, Kind::File);
        let files = [file(&long, 3), file("later", 3), file("large", 1 << 40)];
        let expected =
            [vec![file("short", 3), directory("blobs/"), directory("blobs/sha512/")], files.to_vec()].concat();
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_length_of_a_record_counts_itself() {
        assert_eq!(record("path", "a"), b"9 path=a\n");
        assert_eq!(record("path", "ab"), b"11 path=ab\n");
        assert_eq!(record("path", &"a".repeat(91)).len(), 101);
    }
}
