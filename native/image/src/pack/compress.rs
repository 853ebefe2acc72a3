//! A stored layer's archive on its way out: compressed, and measured as it comes.

use super::archive::{Archive, open};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::error::{Context, Result};
use flate2::read::GzEncoder;
use serde::{Deserialize, Serialize};
use std::io::{self, BufReader, Read};
use zstd::stream::read::Encoder;

/// How an archive is compressed. The same archive always gives the same bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// As it is: its digest is the diff id.
    #[default]
    None,
    /// RFC 1952, at the level that gzip takes by itself.
    Gzip,
    /// RFC 8878, at the level that zstd takes by itself.
    Zstd,
}

const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// A layer as a blob: read it to its end, and then [`Packed::finish`] tells what it was. Its archive, a layer of the store or
/// what comes from elsewhere, gives an error in the place of the end where it is not what it must be.
pub struct Packed<R: Read = Archive> {
    coder: Coder<R>,
    hasher: Hasher,
    size: u64,
}

enum Coder<R: Read> {
    None(Box<R>),
    Gzip(Box<GzEncoder<R>>),
    Zstd(Box<Encoder<'static, BufReader<R>>>),
}

/// What a blob was.
#[derive(Clone, Debug)]
pub struct Sums {
    /// SHA-256.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Packed {
    /// Opens the layer in the directory `path` (`…/layers/HEX`).
    pub fn open(path: &str, compression: Compression) -> Result<Self> {
        Self::new(open(path)?, compression)
    }

    /// Bytes of the archive that have gone in.
    pub fn position(&mut self) -> u64 {
        self.archive().position()
    }

    /// Bytes that the archive has.
    pub fn total(&mut self) -> u64 {
        self.archive().size()
    }
}

impl<R: Read> Packed<R> {
    /// Compresses what is read from `archive`.
    pub fn new(archive: R, compression: Compression) -> Result<Self> {
        let coder = match compression {
            Compression::None => Coder::None(Box::new(archive)),
            // flate2 writes no time and no name into its header (RFC 1952, 2.3).
            Compression::Gzip => Coder::Gzip(Box::new(GzEncoder::new(archive, flate2::Compression::new(GZIP_LEVEL)))),
            Compression::Zstd => {
                Coder::Zstd(Box::new(Encoder::new(archive, ZSTD_LEVEL).doing(|| "Cannot make an encoder")?))
            }
        };
        Ok(Self { coder, hasher: Hasher::new(Algorithm::Sha256), size: 0 })
    }

    /// The archive.
    pub fn archive(&mut self) -> &mut R {
        match &mut self.coder {
            Coder::None(archive) => archive,
            Coder::Gzip(encoder) => encoder.get_mut(),
            Coder::Zstd(encoder) => encoder.get_mut().get_mut(),
        }
    }

    /// What has been read.
    pub fn finish(self) -> Sums {
        Sums { digest: self.hasher.finish(), size: self.size }
    }
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.coder {
            Coder::None(archive) => archive.read(room),
            Coder::Gzip(encoder) => encoder.read(room),
            Coder::Zstd(encoder) => encoder.read(room),
        }?;
        self.hasher.update(room.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }
}
