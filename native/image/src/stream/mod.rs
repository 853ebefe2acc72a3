//! Streams: a blob on its way from the disk through hash and decompressor to the reader of the archive.

pub mod blob;
pub mod checked;
pub mod chunk;
pub mod decode;
pub mod incoming;
pub mod pipeline;

use crate::error::{Error, Result};

/// A source of bytes that can be looked at before they are taken.
pub trait Input {
    /// The bytes at hand: at least one, unless the stream has ended.
    fn fill(&mut self) -> Result<&[u8]>;

    /// Takes `count` of the bytes at hand.
    fn consume(&mut self, count: usize);

    /// Passes over `count` bytes. A stream that ends before is an error at once: a reader that asked again
    /// and again for the rest has hung in apple/containerization (#927).
    fn skip(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            let at_hand = self.fill()?.len();
            if at_hand == 0 {
                return Err(truncated());
            }
            let step = at_hand.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.consume(step);
            count -= step as u64;
        }
        Ok(())
    }

    /// Tells that the next `size` bytes are the content of the file `path` of the layer, where they are found again. Gives the
    /// number of the file, if this input remembers it.
    fn refer(&mut self, _path: &[u8], _size: u64) -> Option<u64> {
        None
    }
}

/// The error for a stream that ends too early.
pub fn truncated() -> Error {
    Error::format("the archive is truncated")
}

impl<I: Input> Input for &mut I {
    fn fill(&mut self) -> Result<&[u8]> {
        (**self).fill()
    }

    fn consume(&mut self, count: usize) {
        (**self).consume(count);
    }

    fn refer(&mut self, path: &[u8], size: u64) -> Option<u64> {
        (**self).refer(path, size)
    }
}

impl Input for &[u8] {
    fn fill(&mut self) -> Result<&[u8]> {
        Ok(self)
    }

    fn consume(&mut self, count: usize) {
        *self = self.get(count..).unwrap_or_default();
    }
}
