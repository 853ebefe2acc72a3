//! A blob that is read once and passed on: as it is, or decompressed. Whoever has come to its end has the right bytes.

use super::blob::{Blob, Supply};
use super::decode::Decoder;
use crate::digest::{Digest, Hasher};
use crate::error::Result;
use crate::limits::Limits;
use std::io::{self, Read};

/// The bytes of a blob, or of the layer that it holds. In the place of the end there is an error unless all digests are right.
pub struct Checked {
    decoder: Decoder,
    /// Of the blob, where it is known.
    digest: Option<Digest>,
    /// Of what comes out of it, and the hash so far; none where that is the blob itself.
    inside: Option<(Digest, Hasher)>,
    limits: Limits,
    count: u64,
    ended: bool,
}

impl Checked {
    /// A blob as it is.
    pub fn whole(supply: Box<dyn Supply>, digest: Digest) -> Self {
        let blob = Blob::new(supply, Some(digest.algorithm));
        Self::new(Decoder::Plain(blob), Some(digest), None)
    }

    /// The archive of a layer, out of its blob.
    pub fn inflated(supply: Box<dyn Supply>, digest: Option<Digest>, diff_id: Digest) -> Result<Self> {
        let blob = Blob::new(supply, digest.as_ref().map(|digest| digest.algorithm));
        let hasher = Hasher::new(diff_id.algorithm);
        Ok(Self::new(Decoder::new(blob)?, digest, Some((diff_id, hasher))))
    }

    fn new(decoder: Decoder, digest: Option<Digest>, inside: Option<(Digest, Hasher)>) -> Self {
        Self { decoder, digest, inside, limits: Limits::default(), count: 0, ended: false }
    }

    /// So many bytes of the blob have been read.
    pub fn taken(&mut self) -> u64 {
        self.decoder.blob().position()
    }

    fn some(&mut self, room: &mut [u8]) -> Result<usize> {
        if self.ended || room.is_empty() {
            return Ok(0);
        }
        let count = self.decoder.read_full(room)?;
        self.count += count as u64;
        let taken = self.taken();
        if let Some((_, hasher)) = &mut self.inside {
            self.limits.check_growth(taken, self.count)?;
            hasher.update(room.get(..count).unwrap_or_default());
        }
        if count < room.len() {
            self.ended = true;
            self.check()?;
        }
        Ok(count)
    }

    fn check(&mut self) -> Result<()> {
        if let (Some(digest), Some(found)) = (&self.digest, self.decoder.blob().finish()?) {
            digest.check(&found, "its digest")?;
        }
        match self.inside.take() {
            Some((diff_id, hasher)) => diff_id.check(&hasher.finish(), "the digest of the layer in it"),
            None => Ok(()),
        }
    }
}

impl Read for Checked {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.some(room).map_err(|error| io::Error::other(error.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    struct Bytes(Vec<u8>);

    impl Supply for Bytes {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read(&mut self, room: &mut [u8], at: u64) -> Result<usize> {
            let mut left = self.0.get(usize::try_from(at).unwrap()..).unwrap();
            Ok(left.read(room).unwrap())
        }
    }

    fn sum(bytes: &[u8]) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    fn read(mut checked: Checked) -> std::result::Result<Vec<u8>, String> {
        let mut all = Vec::new();
        checked.read_to_end(&mut all).map_err(|error| error.to_string())?;
        Ok(all)
    }

    #[test]
    fn a_blob_comes_as_it_is_or_as_the_layer_in_it() {
        let layer = vec![7; 700_000];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&layer).unwrap();
        let blob = encoder.finish().unwrap();
        let supply = || Box::new(Bytes(blob.clone()));
        assert_eq!(read(Checked::whole(supply(), sum(&blob))).unwrap(), blob);
        assert_eq!(read(Checked::inflated(supply(), Some(sum(&blob)), sum(&layer)).unwrap()).unwrap(), layer);
        let plain = Checked::inflated(Box::new(Bytes(layer.clone())), None, sum(&layer)).unwrap();
        assert_eq!(read(plain).unwrap(), layer);
    }

    #[test]
    fn wrong_bytes_never_come_to_their_end() {
        let supply = || Box::new(Bytes(b"some bytes".to_vec()));
        let right = sum(b"some bytes");
        let wrong = sum(b"others");
        assert!(read(Checked::whole(supply(), wrong.clone())).unwrap_err().starts_with("its digest is"));
        let layer = read(Checked::inflated(supply(), None, wrong.clone()).unwrap());
        assert!(layer.unwrap_err().starts_with("the digest of the layer in it is"));
        let blob = read(Checked::inflated(supply(), Some(wrong), right).unwrap());
        assert!(blob.unwrap_err().starts_with("its digest is"));
    }
}
