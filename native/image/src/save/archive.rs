//! A writer of tar archives of files. Nothing in an archive tells when and by whom it was written.

use crate::error::{Context, Result};
use crate::tar::{END, Entry, Kind, head, padding};
use std::collections::BTreeSet;
use std::io::{Seek, SeekFrom, Write};

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
                self.write(&header(Kind::Directory, 0o755, directory, 0))?;
            }
        }
        let at = match size {
            Some(_) => None,
            None => Some(self.out.stream_position().doing(|| "Cannot write")?),
        };
        self.write(&header(Kind::File, 0o644, name, size.unwrap_or(0)))?;
        Ok(Begun(name.to_owned(), at))
    }

    /// Ends a file of so many bytes.
    pub fn end(&mut self, Begun(name, waiting): Begun, size: u64) -> Result<()> {
        self.write(padding(size))?;
        let Some(at) = waiting else { return Ok(()) };
        let end = self.out.stream_position().doing(|| "Cannot write")?;
        self.out.seek(SeekFrom::Start(at)).doing(|| "Cannot write")?;
        self.write(&header(Kind::File, 0o644, &name, size))?;
        self.out.seek(SeekFrom::Start(end)).doing(|| "Cannot write").map(|_| ())
    }

    /// Where the bytes of a file go.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<()> {
        self.write(END)?;
        self.out.flush().doing(|| "Cannot write")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).doing(|| "Cannot write")
    }
}

fn header(kind: Kind, mode: u32, name: &str, size: u64) -> Vec<u8> {
    head(&Entry { path: name.as_bytes().to_vec(), mode, size, ..Entry::of(kind) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::Reader;
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
}
