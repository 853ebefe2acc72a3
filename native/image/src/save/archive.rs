//! A writer of tar archives of files. Nothing in an archive tells when and by whom it was written.

use crate::error::{Context, Result};
use crate::tar::{END, Entry, Kind, head, padding};
use std::collections::BTreeSet;
use std::io::Write;

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
                self.header(Kind::Directory, 0o755, directory, 0)?;
            }
        }
        self.header(Kind::File, 0o644, name, size)
    }

    /// Where the bytes of a file go.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends a file of so many bytes.
    pub fn pad(&mut self, size: u64) -> Result<()> {
        self.write(padding(size))
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<()> {
        self.write(END)?;
        self.out.flush().doing(|| "Cannot write")
    }

    fn header(&mut self, kind: Kind, mode: u32, name: &str, size: u64) -> Result<()> {
        self.write(&head(&Entry { path: name.as_bytes().to_vec(), mode, size, ..Entry::of(kind) }))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).doing(|| "Cannot write")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::Reader;

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
}
