//! Sparse files as GNU tar writes them: in old headers (type `S`) and in PAX formats 0.0, 0.1 and 1.0.
//! GNU tar manual, "Storing Sparse Files".

use super::header::Header;
use super::pax::{decimal, plain};
use super::{BLOCK, Sparse};
use crate::error::{Error, Result};

/// Two numbers of eight bytes a piece: a map of this length is held in 16 MiB.
const MOST_PIECES: usize = 1 << 20;

/// One piece of data: its offset in the file and its length.
pub type Piece = (u64, u64);

/// What `GNU.sparse.*` records say.
#[derive(Clone, Default)]
pub struct Keys {
    major: Option<u64>,
    minor: Option<u64>,
    /// The true name; the name of the entry is made up for readers that know nothing of holes.
    pub name: Option<Vec<u8>>,
    size: Option<u64>,
    count: Option<u64>,
    offset: Option<u64>,
    map: Vec<Piece>,
}

/// Which format an extended header announces.
#[derive(Debug, PartialEq, Eq)]
pub enum Format {
    /// The file has no holes.
    None,
    /// The map is in the header.
    Header,
    /// The map goes before the data.
    Data,
}

impl Keys {
    /// Takes in one record; `key` comes without `GNU.sparse.`.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            b"major" => self.major = Some(decimal(value)?),
            b"minor" => self.minor = Some(decimal(value)?),
            b"name" => self.name = Some(plain(value)?),
            b"size" | b"realsize" => self.size = Some(decimal(value)?),
            b"numblocks" => self.count = Some(decimal(value)?),
            b"offset" if self.offset.is_none() => self.offset = Some(decimal(value)?),
            b"numbytes" => {
                let offset = self.offset.take().ok_or_else(|| Error::format("a length without its offset"))?;
                self.map.push((offset, decimal(value)?));
            }
            b"map" => {
                let numbers = value.split(|&byte| byte == b',').map(decimal).collect::<Result<Vec<_>>>()?;
                self.map = pairs(&numbers)?;
            }
            _ => return Err(Error::format("not known")),
        }
        Ok(())
    }

    /// The format that the records announce together.
    pub fn format(&self) -> Result<Format> {
        let said = self.size.is_some() || self.count.is_some() || self.name.is_some() || !self.map.is_empty();
        match (self.major, self.minor) {
            (None, None) if !said => Ok(Format::None),
            (None, None) | (Some(0), Some(0 | 1)) => Ok(Format::Header),
            (Some(1), Some(0)) => Ok(Format::Data),
            _ => Err(Error::format("the format of a sparse file is not known")),
        }
    }

    /// The map of the header, for a file with so many bytes of data.
    pub fn header_map(&self, data: u64) -> Result<Sparse> {
        let counted = self.count.is_none_or(|count| count == self.map.len() as u64);
        if !counted || self.offset.is_some() {
            return Err(malformed());
        }
        self.checked(self.map.clone(), data)
    }

    /// A map, with the size that the records give.
    pub fn checked(&self, map: Vec<Piece>, data: u64) -> Result<Sparse> {
        check(map, self.size.ok_or_else(malformed)?, data)
    }
}

/// The pieces in an old header, the size of the file, and whether a block of more pieces follows.
pub fn old_header(header: &Header) -> Result<(Vec<Piece>, u64, bool)> {
    let mut map = Vec::new();
    let more = old_pieces(header, 386, 4, &mut map)?;
    let size = u64::try_from(header.number(483..495, "real size")?).map_err(|_| malformed())?;
    Ok((map, size, more))
}

/// The pieces in a block that follows an old header, and whether one more follows.
pub fn old_extension(block: &[u8; BLOCK], map: &mut Vec<Piece>) -> Result<bool> {
    old_pieces(&Header(block), 0, 21, map)
}

fn old_pieces(block: &Header, start: usize, count: usize, map: &mut Vec<Piece>) -> Result<bool> {
    for at in (start..start + count * 24).step_by(24) {
        if block.0.get(at).is_none_or(|&byte| byte == 0) {
            break;
        }
        let number = |at| u64::try_from(block.number(at..at + 12, "sparse map")?).map_err(|_| malformed());
        map.push((number(at)?, number(at + 12)?));
    }
    if map.len() > MOST_PIECES {
        return Err(too_many());
    }
    Ok(block.0.get(start + count * 24).is_some_and(|&byte| byte != 0))
}

/// Reads the map before the data of format 1.0: decimal numbers, each with a newline, padded to whole blocks.
#[derive(Default)]
pub struct MapReader {
    numbers: Vec<u64>,
    digits: Vec<u8>,
}

impl MapReader {
    /// Takes a block in; returns the map when it is whole.
    pub fn take(&mut self, block: &[u8; BLOCK]) -> Result<Option<Vec<Piece>>> {
        for &byte in block {
            if byte != b'\n' {
                self.digits.push(byte);
                if self.digits.len() > 20 {
                    return Err(malformed());
                }
                continue;
            }
            self.numbers.push(decimal(&self.digits)?);
            self.digits.clear();
            let (&count, rest) = self.numbers.split_first().ok_or_else(malformed)?;
            let count = usize::try_from(count).ok().filter(|&count| count <= MOST_PIECES).ok_or_else(too_many)?;
            if rest.len() == 2 * count {
                return pairs(rest).map(Some);
            }
        }
        Ok(None)
    }
}

/// Refuses a map that is not ascending, leaves the file, or does not account for the data.
pub fn check(map: Vec<Piece>, size: u64, data: u64) -> Result<Sparse> {
    let mut end = 0;
    let mut sum = 0_u64;
    for &(offset, length) in &map {
        let after = offset.checked_add(length).ok_or_else(malformed)?;
        if offset < end || after > size {
            return Err(malformed());
        }
        end = after;
        sum += length;
    }
    if sum != data {
        return Err(malformed());
    }
    Ok(Sparse { map, size })
}

fn pairs(numbers: &[u64]) -> Result<Vec<Piece>> {
    if !numbers.len().is_multiple_of(2) {
        return Err(malformed());
    }
    Ok(numbers.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect())
}

fn malformed() -> Error {
    Error::format("the map of a sparse file is malformed")
}

fn too_many() -> Error {
    Error::limit("the map of a sparse file has too many pieces")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_must_ascend_and_account_for_the_data() {
        assert!(check(vec![(0, 10), (20, 5), (100, 0)], 100, 15).is_ok());
        assert!(check(vec![(20, 5), (0, 10)], 100, 15).is_err());
        assert!(check(vec![(0, 10), (5, 10)], 100, 20).is_err());
        assert!(check(vec![(0, 101)], 100, 101).is_err());
        assert!(check(vec![(0, 10)], 100, 11).is_err());
        assert!(check(vec![(u64::MAX, 10)], u64::MAX, 10).is_err());
    }

    #[test]
    fn a_map_before_the_data_is_read_over_block_borders() {
        let text: String = ["100\n".to_owned()].into_iter().chain((0..200).map(|at| format!("{at}\n"))).collect();
        let mut bytes = text.into_bytes();
        bytes.resize(1024, 0);
        let mut reader = MapReader::default();
        let (first, second) = bytes.split_at(BLOCK);
        assert_eq!(reader.take(first.try_into().unwrap()).unwrap(), None);
        let map = reader.take(second.try_into().unwrap()).unwrap().unwrap();
        assert_eq!((map.len(), map.last()), (100, Some(&(198, 199))));
    }

    #[test]
    fn pieces_in_the_header_come_in_two_notations() {
        let mut keys = Keys::default();
        for (key, value) in [("offset", "0"), ("numbytes", "4"), ("offset", "8"), ("numbytes", "2"), ("size", "20")] {
            keys.set(key.as_bytes(), value.as_bytes()).unwrap();
        }
        assert_eq!(keys.format().unwrap(), Format::Header);
        assert_eq!(keys.header_map(6).unwrap(), Sparse { map: vec![(0, 4), (8, 2)], size: 20 });
        let mut keys = Keys::default();
        keys.set(b"map", b"0,4,8,2").unwrap();
        keys.set(b"size", b"20").unwrap();
        keys.set(b"numblocks", b"3").unwrap();
        assert!(keys.header_map(6).is_err());
    }
}
