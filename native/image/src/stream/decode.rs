//! Decompression, in this process and by what the bytes are: media types lie, and a helper program looked up
//! in a path was run from the image itself (CVE-2026-41567).

use super::blob::Blob;
use crate::error::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, Read};
use zstd::stream::read::Decoder as ZstdDecoder;

/// What a blob is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
    /// Taken as it is.
    None,
}

/// Window sizes up to 128 MiB: RFC 8878 lets a frame ask for more memory than any machine has.
const LARGEST_WINDOW: u32 = 27;

impl Compression {
    /// Tells from the first bytes.
    pub fn of(start: &[u8]) -> Result<Self> {
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            // The second is a frame to be passed over, with which a zstd file may begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(Error::format("compression by xz is not supported")),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => {
                Err(Error::format("compression by bzip2 is not supported"))
            }
            _ => Ok(Self::None),
        }
    }
}

/// A blob, decompressed.
pub enum Decoder {
    /// Not compressed.
    Plain(Blob),
    /// See [`Compression::Gzip`].
    Gzip(Box<MultiGzDecoder<Blob>>),
    /// See [`Compression::Zstd`].
    Zstd(ZstdDecoder<'static, Blob>),
}

impl Decoder {
    /// Looks at the blob's start and chooses.
    pub fn new(mut blob: Blob) -> Result<Self> {
        let compression = match blob.fill_buf() {
            Ok(start) => Compression::of(start)?,
            Err(error) => return Err(blob.take_failure().unwrap_or_else(|| Error::io(error.to_string()))),
        };
        match compression {
            Compression::None => Ok(Self::Plain(blob)),
            Compression::Gzip => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(blob)))),
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(blob).map_err(|error| Error::io(error.to_string()))?;
                decoder.window_log_max(LARGEST_WINDOW).map_err(|error| Error::io(error.to_string()))?;
                Ok(Self::Zstd(decoder))
            }
        }
    }

    /// Fills `out`, unless the stream ends before.
    pub fn read_full(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.read(room) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(&error)),
            }
        }
        Ok(filled)
    }

    /// The blob behind it.
    pub fn blob(&mut self) -> &mut Blob {
        match self {
            Self::Plain(blob) => blob,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(blob) => blob.read(out),
            Self::Gzip(decoder) => decoder.read(out),
            Self::Zstd(decoder) => decoder.read(out),
        }
    }

    fn explain(&mut self, error: &io::Error) -> Error {
        if let Some(failure) = self.blob().take_failure() {
            return failure;
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::format("the compressed data are truncated"),
            _ => Error::format(format!("the compressed data are damaged: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_compression() {
        assert_eq!(Compression::of(b"\x1f\x8b\x08").unwrap(), Compression::Gzip);
        assert_eq!(Compression::of(b"\x28\xb5\x2f\xfd").unwrap(), Compression::Zstd);
        assert_eq!(Compression::of(b"etc/passwd").unwrap(), Compression::None);
        assert_eq!(Compression::of(b"").unwrap(), Compression::None);
        assert!(Compression::of(b"\xfd7zXZ\0").is_err());
        assert!(Compression::of(b"BZh91AY&SY").is_err());
    }
}
