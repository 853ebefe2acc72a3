//! An image in a tar archive, scanned once.

use super::member::{self, Index, Member};
use crate::error::{Context, Error, Result};
use crate::limits::Limits;
use crate::name;
use crate::stream::blob::{Blob, Extent};
use crate::stream::decode::{Compression, Decoder};
use crate::stream::{Input, truncated};
use crate::tar::{Kind, Reader};
use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// An image has a few files for each layer; its layers' files are not in this count.
const MOST_MEMBERS: usize = 100_000;
/// Of all names and links together.
const MOST_BYTES: usize = 64 << 20;

/// An archive and where its members are.
pub struct Archive {
    file: Arc<File>,
    index: Index,
}

impl Archive {
    /// Scans `file`, after decompressing it into an unnamed file in `scratch` if it is compressed.
    pub fn open(file: File, scratch: Option<&str>) -> Result<Self> {
        let mut start = [0; 16];
        let count = file.read_at(&mut start, 0).doing(|| "Cannot read")?;
        let compression = Compression::of(start.get(..count).unwrap_or_default())?;
        let file = match (compression, scratch) {
            (Compression::None, _) => file,
            (_, Some(scratch)) => decompressed(file, scratch)?,
            (_, None) => return Err(Error::io("it is compressed and no scratch directory was given")),
        };
        let file = Arc::new(file);
        let index = scan(&file)?;
        Ok(Self { file, index })
    }

    /// The bytes of a member.
    pub fn member(&self, path: &[u8]) -> Result<Extent> {
        let (offset, size) = member::find(&self.index, path)?;
        Ok(Extent { file: Arc::clone(&self.file), offset, size })
    }

    /// The names of all members.
    pub fn names(&self) -> Vec<String> {
        self.index.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

/// A file in a directory that nobody sees.
pub fn unnamed(scratch: &str) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = open(scratch, flags, Mode::RUSR | Mode::WUSR).doing(|| format!("Cannot create a file in {scratch}"))?;
    Ok(File::from(file))
}

fn decompressed(file: File, scratch: &str) -> Result<File> {
    let size = file.metadata().doing(|| "Cannot look at it")?.len();
    let mut out = unnamed(scratch)?;
    let limits = Limits::default();
    let mut decoder = Decoder::new(Blob::new(Box::new(Extent { file: Arc::new(file), offset: 0, size }), None))?;
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        let count = decoder.read_full(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(out) };
        total += count as u64;
        limits.check_growth(decoder.blob().position(), total)?;
        out.write_all(bytes).doing(|| format!("Cannot write to a file in {scratch}"))?;
    }
}

fn scan(file: &Arc<File>) -> Result<Index> {
    let mut reader = Reader::new(Seekable::new(Arc::clone(file))?);
    let mut index = Index::new();
    let mut bytes = 0;
    while let Some(entry) = reader.next_entry()? {
        let path = name::clean(&entry.path)?;
        bytes += path.len() + entry.link.len();
        let member = match entry.kind {
            Kind::File if entry.sparse.is_none() => Member::File { offset: reader.position(), size: entry.size },
            Kind::Symlink => Member::Symlink(entry.link),
            Kind::HardLink => Member::HardLink(entry.link),
            _ => continue,
        };
        index.insert(path, member);
        if index.len() > MOST_MEMBERS || bytes > MOST_BYTES {
            return Err(Error::limit(format!("it has more than {MOST_MEMBERS} members")));
        }
    }
    Ok(index)
}

/// A file as the input of a reader that passes over most of it.
struct Seekable {
    file: Arc<File>,
    size: u64,
    position: u64,
    buffer: Vec<u8>,
    taken: usize,
}

impl Seekable {
    fn new(file: Arc<File>) -> Result<Self> {
        let size = file.metadata().doing(|| "Cannot look at it")?.len();
        Ok(Self { file, size, position: 0, buffer: Vec::new(), taken: 0 })
    }
}

impl Input for Seekable {
    fn fill(&mut self) -> Result<&[u8]> {
        if self.taken >= self.buffer.len() {
            self.buffer.resize(4096, 0);
            let count = self.file.read_at(&mut self.buffer, self.position).doing(|| "Cannot read")?;
            self.buffer.truncate(count);
            self.position += count as u64;
            self.taken = 0;
        }
        Ok(self.buffer.get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
    }

    fn skip(&mut self, count: u64) -> Result<()> {
        let at_hand = (self.buffer.len() - self.taken) as u64;
        if count <= at_hand {
            self.taken += usize::try_from(count).unwrap_or(0);
            return Ok(());
        }
        let target = self.position.checked_add(count - at_hand).filter(|&target| target <= self.size);
        self.position = target.ok_or_else(truncated)?;
        self.buffer.clear();
        self.taken = 0;
        Ok(())
    }
}
