//! The request `read`: a JSON text of an image, small and verified.

use crate::digest::{Algorithm, Digest};
use crate::error::{Error, Kind, Result};
use crate::source::Opened;
use crate::stream::blob::Blob;
use serde::Serialize;
use std::io::Read;

/// As much as registries take for a manifest (distribution-spec, "Pushing Manifests").
pub const DEFAULT_LIMIT: u64 = 4 << 20;

/// The answer.
#[derive(Serialize)]
pub struct Answer {
    text: String,
    digest: String,
    size: u64,
}

/// Reads a member; refuses what is larger than `limit` before reading any of it.
pub fn run(source: &Opened, member: &str, limit: u64, digest: Option<&Digest>) -> Result<Answer> {
    let extent = source.member(member)?;
    text(extent, limit, digest).map_err(|error| error.within(format!("Cannot read {member}")))
}

fn text(extent: crate::stream::blob::Extent, limit: u64, digest: Option<&Digest>) -> Result<Answer> {
    let size = extent.size;
    if size > limit {
        return Err(Error::limit(format!("it has {size} bytes, at most {limit} are read")));
    }
    let algorithm = digest.map_or(Algorithm::Sha256, |digest| digest.algorithm);
    let mut blob = Blob::new(Box::new(extent), Some(algorithm));
    let mut bytes = Vec::new();
    if let Err(error) = blob.read_to_end(&mut bytes) {
        return Err(blob.take_failure().unwrap_or_else(|| Error::io(error.to_string())));
    }
    let found = blob.finish()?.ok_or_else(|| Error::io("no digest was made"))?;
    if let Some(wanted) = digest {
        wanted.check(&found, "the digest")?;
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::new(Kind::Format, "it is not UTF-8 text"))?;
    Ok(Answer { text, digest: found.to_string(), size })
}
