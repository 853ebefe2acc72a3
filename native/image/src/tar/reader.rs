//! From bytes to entries.

use super::header::Header;
use super::pax::Extended;
use super::sparse::{self, Format, MapReader};
use super::{BLOCK, Entry, Kind, Sparse};
use crate::error::{Error, Result};
use crate::stream::{Input, truncated};

/// Go's reader has the same limit for what comes before an entry.
const LARGEST_EXTENSION: u64 = 1 << 20;

/// Reads the entries of an archive one after another.
pub struct Reader<I> {
    input: I,
    position: u64,
    /// Bytes of data not yet taken, and the bytes after them up to the next block.
    body: u64,
    padding: u64,
    global: Extended,
}

/// What the headers before an entry say about it.
#[derive(Default)]
struct Pending {
    extended: Option<Extended>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.extended.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

impl<I: Input> Reader<I> {
    /// A reader of the archive in `input`.
    pub fn new(input: I) -> Self {
        Self { input, position: 0, body: 0, padding: 0, global: Extended::default() }
    }

    /// Where in the archive the next byte is; after [`Self::next_entry`], where the data of the entry are.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next entry; nothing at the end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>> {
        self.skip_body()?;
        let mut pending = Pending::default();
        loop {
            let Some(block) = self.header_block()? else {
                return if pending.is_empty() { Ok(None) } else { Err(truncated()) };
            };
            let header = Header::parse(&block)?;
            match header.type_flag() {
                b'x' => {
                    let mut extended = self.global.clone();
                    extended.apply(&self.extension(&header)?, false)?;
                    once(&mut pending.extended, extended)?;
                }
                b'g' if pending.is_empty() => {
                    let body = self.extension(&header)?;
                    self.global.apply(&body, true)?;
                }
                b'g' => return Err(Error::format("a global extended header stands between a header and its entry")),
                b'L' => once(&mut pending.long_name, ended_by_nul(self.extension(&header)?))?,
                b'K' => once(&mut pending.long_link, ended_by_nul(self.extension(&header)?))?,
                _ => return self.entry(&header, pending).map(Some),
            }
        }
    }

    /// The bytes of data at hand; none when the entry has no more.
    pub fn body(&mut self) -> Result<&[u8]> {
        if self.body == 0 {
            return Ok(&[]);
        }
        let most = usize::try_from(self.body).unwrap_or(usize::MAX);
        let at_hand = self.input.fill()?;
        if at_hand.is_empty() {
            return Err(truncated());
        }
        Ok(at_hand.get(..most).unwrap_or(at_hand))
    }

    /// Takes `count` bytes of the data.
    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.position += count as u64;
        self.body = self.body.saturating_sub(count as u64);
    }

    /// Tells the input that all data of this entry will be in the file `path` of the layer: see [`Input::refer`].
    pub fn refer(&mut self, path: &[u8]) -> Option<u64> {
        self.input.refer(path, self.body)
    }

    fn skip_body(&mut self) -> Result<()> {
        let rest = self.body.checked_add(self.padding).ok_or_else(truncated)?;
        self.input.skip(rest)?;
        self.position = self.position.checked_add(rest).ok_or_else(truncated)?;
        (self.body, self.padding) = (0, 0);
        Ok(())
    }

    fn set_body(&mut self, size: u64) {
        self.body = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    /// A header block; nothing at the end, which is two blocks of zeros or simply the end of the stream.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        if self.input.fill()?.is_empty() {
            return Ok(None);
        }
        let block = self.block()?;
        if block.iter().any(|&byte| byte != 0) {
            return Ok(Some(block));
        }
        if !self.input.fill()?.is_empty() && self.block()?.iter().any(|&byte| byte != 0) {
            return Err(Error::format("the archive goes on after a block of zeros"));
        }
        Ok(None)
    }

    fn block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        let mut rest: &mut [u8] = &mut block;
        while !rest.is_empty() {
            let at_hand = self.input.fill()?;
            let count = at_hand.len().min(rest.len());
            if count == 0 {
                return Err(truncated());
            }
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(at_hand.get(..count).unwrap_or_default());
            rest = later;
            self.input.consume(count);
        }
        self.position += BLOCK as u64;
        Ok(block)
    }

    /// The data of a header that speaks about the next one. Its size is its own: the size in an extended
    /// header is for the entry, never for another header on the way to it.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>> {
        let size = header.size()?;
        if size > LARGEST_EXTENSION {
            return Err(Error::limit(format!(
                "an extended header has {size} bytes, at most {LARGEST_EXTENSION} are read"
            )));
        }
        self.set_body(size);
        let mut bytes = Vec::new();
        while self.body > 0 {
            let part = self.body()?;
            bytes.extend_from_slice(part);
            let count = part.len();
            self.consume(count);
        }
        self.skip_body()?;
        Ok(bytes)
    }

    fn entry(&mut self, header: &Header, pending: Pending) -> Result<Entry> {
        let extended = pending.extended.unwrap_or_else(|| self.global.clone());
        let path = one_of(pending.long_name, extended.path)?.unwrap_or_else(|| header.name());
        let link = one_of(pending.long_link, extended.link)?.unwrap_or_else(|| header.link());
        let written = extended.size.map_or_else(|| header.size(), Ok)?;
        let kind = kind(header.type_flag(), &path, written)?;
        // Only files have data: links and directories may carry a size, but GNU tar and Go read none.
        let mut size = if kind == Kind::File { written } else { 0 };
        let sparse = self.sparse(header, &extended.sparse, &mut size)?;
        let device = if matches!(kind, Kind::Char | Kind::Block) { header.device()? } else { (0, 0) };
        Ok(Entry {
            kind,
            path: extended.sparse.name.unwrap_or(path),
            link,
            mode: header.mode()?,
            uid: extended.uid.map_or_else(|| header.uid(), Ok)?,
            gid: extended.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: extended.mtime.map_or_else(|| header.mtime(), Ok)?,
            size,
            sparse,
            device,
            xattrs: extended.xattrs.into_iter().collect(),
        })
    }

    /// Reads the map of a sparse file and leaves the reader at its data.
    fn sparse(&mut self, header: &Header, keys: &sparse::Keys, size: &mut u64) -> Result<Option<Sparse>> {
        let old = header.type_flag() == b'S';
        let format = keys.format()?;
        if format != Format::None && (old || !matches!(header.type_flag(), b'0' | 0)) {
            return Err(Error::format("an extended header gives holes to something that is no file"));
        }
        if old {
            let (mut map, real_size, mut more) = sparse::old_header(header)?;
            while more {
                more = sparse::old_extension(&self.block()?, &mut map)?;
            }
            self.set_body(*size);
            return sparse::check(map, real_size, *size).map(Some);
        }
        self.set_body(*size);
        match format {
            Format::None => Ok(None),
            Format::Header => keys.header_map(*size).map(Some),
            Format::Data => {
                let mut reader = MapReader::default();
                let map = loop {
                    self.body = self.body.checked_sub(BLOCK as u64).ok_or_else(truncated)?;
                    if let Some(map) = reader.take(&self.block()?)? {
                        break map;
                    }
                };
                *size = self.body;
                keys.checked(map, *size).map(Some)
            }
        }
    }
}

fn kind(flag: u8, path: &[u8], size: u64) -> Result<Kind> {
    Ok(match flag {
        // Archives older than POSIX mark a directory by its name; some readers go by that today.
        b'0' | 0 if path.ends_with(b"/") => match size {
            0 => Kind::Directory,
            _ => return Err(Error::format("an entry has the name of a directory and the data of a file")),
        },
        b'0' | 0 | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::Char,
        b'4' => Kind::Block,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        _ => return Err(Error::format(format!("an entry has the unknown type '{}'", flag.escape_ascii()))),
    })
}

/// Two headers of a kind before one entry: readers differ on which of them counts.
fn once<T>(place: &mut Option<T>, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::format("an entry has two extended headers of a kind")),
    }
}

fn one_of<T>(gnu: Option<T>, pax: Option<T>) -> Result<Option<T>> {
    match (gnu, pax) {
        (Some(_), Some(_)) => Err(Error::format("an entry has two long names, one of GNU and one of POSIX")),
        (gnu, pax) => Ok(gnu.or(pax)),
    }
}

fn ended_by_nul(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(end) = name.iter().position(|&byte| byte == 0) {
        name.truncate(end);
    }
    name
}
