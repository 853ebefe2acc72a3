//! How much an image may ask for. An honest image stays far below; the caller may set other numbers.

use crate::error::{Error, Result};
use serde::Deserialize;

/// The limits of one layer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// Entries, with the directories that have none of their own.
    pub entries: u64,
    /// Directories without an entry of their own: they are held in memory and in `layer.json`.
    pub implied: u64,
    /// Bytes of the decompressed archive, and the size of any one file with its holes.
    pub bytes: u64,
    /// Decompressed bytes for each compressed one. Deflate cannot reach the default (1032 at most), so it is
    /// for zstd, which can make terabytes of a few kilobytes.
    pub ratio: u64,
    /// The ratio counts from so many decompressed bytes on: a small file of zeros is no bomb.
    pub ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 5_000_000, implied: 100_000, bytes: 1 << 40, ratio: 1100, ratio_from: 1 << 30 }
    }
}

impl Limits {
    /// Stops a decompression bomb.
    pub fn check_growth(&self, compressed: u64, decompressed: u64) -> Result<()> {
        if decompressed > self.bytes {
            return Err(Error::limit(format!("it has more than {} bytes when decompressed", self.bytes)));
        }
        if decompressed > self.ratio_from && decompressed / self.ratio.max(1) > compressed {
            return Err(Error::limit(format!("it grows more than {} times when decompressed", self.ratio)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deflate_at_its_best_is_no_bomb() {
        let limits = Limits::default();
        assert!(limits.check_growth(1 << 30, 1032 << 30).is_err(), "beyond the limit of bytes");
        assert!(limits.check_growth(1 << 29, 1032 << 29).is_ok());
        assert!(limits.check_growth(1 << 20, 1200 << 20).is_err());
        assert!(limits.check_growth(1, 1 << 30).is_ok(), "small enough to let it pass");
    }
}
