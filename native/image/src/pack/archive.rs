//! Reads the archive of a stored layer.

use super::kept::Kept;
use super::{NUMBERS, RECIPE, Record};
use crate::beneath::{open_dir, open_file};
use crate::digest::{Digest, Hasher};
use crate::erofs::{ARCHIVE, mount::is_index};
use crate::error::{Context, Error, Result};
use crate::fingerprint::check::{open_layer, read_record};
use crate::name::show;
use serde::Deserialize;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use zstd::stream::read::Decoder;

/// Opens the layer in the directory `path` (`…/layers/HEX`).
pub fn open(path: &str) -> Result<Archive> {
    opened(path).map_err(|error| error.within(format!("Cannot read layer {path}")))
}

/// The exact archive that a layer was unpacked from. Reading it to its end gives an error unless its digest is the diff id: so
/// whoever has come to the end has the right bytes.
pub struct Archive {
    size: u64,
    position: u64,
    diff_id: Digest,
    form: Form,
    /// None after the end.
    hasher: Option<Hasher>,
}

/// Where the bytes are.
enum Form {
    /// In the archive itself: see [`crate::erofs`].
    Whole(File),
    /// In the recipe, and in the files of the layer.
    Parts(Box<Parts>),
}

/// An archive that is put together.
struct Parts {
    fs: OwnedFd,
    kept: Kept,
    recipe: Decoder<'static, BufReader<File>>,
    /// The number of the next file.
    number: u64,
    /// Bytes of the recipe that come next.
    literal: u64,
    /// And then this file, or what is left of it.
    content: Option<Content>,
}

/// Bytes of a file that are still to come.
struct Content {
    path: Vec<u8>,
    file: File,
    left: u64,
}

/// What is of interest in `layer.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    diff_id: Digest,
    archive_size: u64,
}

fn opened(path: &str) -> Result<Archive> {
    let layer = open_layer(path)?;
    let known = read_record(&layer)?;
    let known: Known = serde_json::from_slice(&known).map_err(|error| damaged(path, format!("layer.json: {error}")))?;
    let Known { diff_id, archive_size: size } = known;
    let form = form(&layer).map_err(|error| damaged(&diff_id, error.message))?;
    let hasher = Some(Hasher::new(diff_id.algorithm));
    Ok(Archive { size, position: 0, diff_id, form, hasher })
}

fn form(layer: &OwnedFd) -> Result<Form> {
    if is_index(layer) {
        let whole = open_file(layer, ARCHIVE.as_bytes()).doing(|| format!("Cannot open {ARCHIVE}"))?;
        return Ok(Form::Whole(File::from(whole)));
    }
    let recipe = open_file(layer, RECIPE.as_bytes()).doing(|| format!("Cannot open {RECIPE}"))?;
    let recipe = Decoder::new(File::from(recipe)).doing(|| "Cannot make a decoder")?;
    let fs = open_dir(layer, b"fs").doing(|| "Cannot open fs")?;
    let kept = Kept::open(layer)?;
    Ok(Form::Parts(Box::new(Parts { fs, kept, recipe, number: 0, literal: 0, content: None })))
}

fn damaged(layer: impl Display, why: impl Display) -> Error {
    Error::format(format!("layer {layer} is damaged: {why} (\"tsrun image check --repair\" sets it aside)"))
}

impl Archive {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many have been read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Fills some of `room`; nothing at the end.
    fn some(&mut self, room: &mut [u8]) -> Result<usize> {
        match &mut self.form {
            Form::Whole(file) => file.read(room).doing(|| format!("Cannot read {ARCHIVE}")),
            Form::Parts(parts) => parts.some(room),
        }
    }

    /// Whether what was read is what it had to be.
    fn check(&mut self) -> Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        self.diff_id.check(&hasher.finish(), "the digest of its archive")
    }
}

impl Parts {
    /// Fills some of `room`; nothing at the end.
    fn some(&mut self, room: &mut [u8]) -> Result<usize> {
        loop {
            let most = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
            if self.literal > 0 {
                let room = room.get_mut(..most(self.literal)).unwrap_or_default();
                let count = self.recipe.read(room).doing(|| format!("Cannot read {RECIPE}"))?;
                self.literal -= count as u64;
                return if count == 0 { Err(Error::format(format!("{RECIPE} is cut off"))) } else { Ok(count) };
            }
            if let Some(Content { path, file, left }) = &mut self.content {
                let room = room.get_mut(..most(*left)).unwrap_or_default();
                let count = file.read(room).doing(|| format!("Cannot read {}", show(path)))?;
                *left -= count as u64;
                if count == 0 && *left > 0 {
                    return Err(Error::format(format!("{} is too short", show(path))));
                }
                if *left == 0 {
                    self.content = None;
                }
                return Ok(count);
            }
            if !self.record()? {
                return Ok(0);
            }
        }
    }

    /// Reads the next record; whether there was one more.
    fn record(&mut self) -> Result<bool> {
        let reading = || format!("Cannot read {RECIPE}");
        let mut numbers = [0; NUMBERS];
        self.recipe.read_exact(&mut numbers).doing(reading)?;
        let Some(Record { literal, path: length, data }) = Record::parse(&numbers) else { return Ok(false) };
        self.literal = u64::from(literal);
        let mut path = vec![0; usize::from(length)];
        self.recipe.read_exact(&mut path).doing(reading)?;
        if data > 0 {
            let (file, size) = self.find(&path)?;
            if size != data {
                return Err(Error::format(format!("{} has {size} bytes, must have {data}", show(&path))));
            }
            self.content = Some(Content { path, file, left: data });
        }
        Ok(literal > 0 || data > 0)
    }

    /// The next file and its size: where it was kept, or else where the layer has it. No link is followed.
    fn find(&mut self, path: &[u8]) -> Result<(File, u64)> {
        let kept = self.kept.find(self.number)?;
        self.number += 1;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let file = File::from(open_file(&self.fs, path).doing(|| format!("Cannot open {}", show(path)))?);
        let size = file.metadata().doing(|| format!("Cannot look at {}", show(path)))?.len();
        Ok((file, size))
    }
}

impl Read for Archive {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() || self.hasher.is_none() {
            return Ok(0);
        }
        let read = self.some(room).and_then(|count| if count == 0 { self.check().map(|()| 0) } else { Ok(count) });
        let count = read.map_err(|error| io::Error::other(damaged(&self.diff_id, &error.message).message))?;
        if let (Some(hasher), Some(bytes)) = (&mut self.hasher, room.get(..count)) {
            hasher.update(bytes);
        }
        self.position += count as u64;
        Ok(count)
    }
}
