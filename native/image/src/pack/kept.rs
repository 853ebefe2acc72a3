//! The content of files that a layer brings and then replaces or removes.

use super::{Hashed, KEPT};
use crate::beneath::open_file;
use crate::error::{Context, Error, Result};
use rustix::fs::fstat;
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Writes them, to a file that is made for the first one.
pub struct Keeper {
    layer: OwnedFd,
    out: Option<Hashed>,
}

impl Keeper {
    /// For the layer in this directory.
    pub fn new(layer: &OwnedFd) -> Result<Self> {
        Ok(Self { layer: layer.try_clone().doing(|| "Cannot keep a directory open")?, out: None })
    }

    /// Keeps the content of the file `name` in `dir`, which is the one with this number.
    pub fn keep(&mut self, number: u64, dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let writing = || format!("Cannot write {KEPT}");
        let file = open_file(dir, name).doing(|| "Cannot open the earlier entry")?;
        let size = u64::try_from(fstat(&file).doing(|| "Cannot look at the earlier entry")?.st_size).unwrap_or(0);
        let out = match &mut self.out {
            Some(out) => out,
            none => none.insert(Hashed::create(&self.layer, KEPT)?),
        };
        out.write_all(&[number.to_le_bytes(), size.to_le_bytes()].concat()).doing(writing)?;
        let copied = io::copy(&mut File::from(file).take(size), out).doing(writing)?;
        if copied == size { Ok(()) } else { Err(Error::io("the earlier entry became shorter")) }
    }

    /// The hash of the file, if there is one.
    pub fn finish(&self) -> Option<String> {
        self.out.as_ref().map(Hashed::sum)
    }
}

/// Where each is: offset and size by its number.
pub struct Kept {
    file: Option<File>,
    places: HashMap<u64, (u64, u64)>,
}

impl Kept {
    /// Of the layer in this directory; without the file it is empty.
    pub fn open(layer: &OwnedFd) -> Result<Self> {
        match open_file(layer, KEPT.as_bytes()) {
            Err(Errno::NOENT) => Ok(Self { file: None, places: HashMap::new() }),
            opened => {
                let file = File::from(opened.doing(|| format!("Cannot open {KEPT}"))?);
                let places = places(&file).doing(|| format!("Cannot read {KEPT}"))?;
                Ok(Self { file: Some(file), places })
            }
        }
    }

    /// The content of the file with this number, if it is here.
    pub fn find(&self, number: u64) -> Result<Option<(File, u64)>> {
        let (Some(file), Some(&(offset, size))) = (&self.file, self.places.get(&number)) else { return Ok(None) };
        // Read from front to back, so one position for all of them is enough.
        let mut file = file.try_clone().doing(|| format!("Cannot read {KEPT}"))?;
        file.seek(SeekFrom::Start(offset)).doing(|| format!("Cannot read {KEPT}"))?;
        Ok(Some((file, size)))
    }
}

fn places(file: &File) -> io::Result<HashMap<u64, (u64, u64)>> {
    let end = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(4096, file);
    let (mut places, mut at) = (HashMap::new(), 0);
    while at < end {
        let [mut number, mut size] = [[0; 8]; 2];
        reader.read_exact(&mut number)?;
        reader.read_exact(&mut size)?;
        let size = u64::from_le_bytes(size);
        at += 16;
        places.insert(u64::from_le_bytes(number), (at, size));
        at = at.checked_add(size).filter(|&at| at <= end).ok_or(io::ErrorKind::UnexpectedEof)?;
        reader.seek_relative(i64::try_from(size).unwrap_or(i64::MAX))?;
    }
    Ok(places)
}
